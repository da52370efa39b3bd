/**
 * Handshakes of which nothing comes, by the hundred: the daemon holds nothing of them, neither
 * descriptors nor memory, and serves whoever comes next.
 */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { type Daemon, runToEnd } from "../fakes/daemon.ts";
import { type TlsDaemon, withTlsDaemon } from "../fakes/tls_daemon.ts";
import { clientHello } from "../fakes/tls_pair.ts";
import { testWith } from "../fakes/tools.ts";

const TIMES = 600;
const AT_ONCE = 20;
/**
 * In KiB: what a collector leaves lying about. If what there is of a client were kept, it would
 * be twice that.
 */
const MOST_GROWTH = 128 * 1024;

const hello = await clientHello();
const garbage = new Uint8Array(500).map((_, i) => (i * 89) & 255);
const text = (words: string) => new TextEncoder().encode(words);

/** What a client says where a handshake should be; then it goes. */
const kinds: Record<string, (connection: Deno.TcpConn) => Promise<unknown>> = {
  "goes at once": () => Promise.resolve(),
  "says garbage and waits": async (connection) => {
    await connection.write(garbage);
    await untilEnd(connection);
  },
  "says half a hello": (connection) => connection.write(hello.subarray(0, hello.length >> 1)),
  "says hello": (connection) => connection.write(hello),
  // With octets unread, the system resets the connection.
  "resets at the server's hello": async (connection) => {
    await connection.write(hello);
    await connection.read(new Uint8Array(1));
  },
  "talks in plain text and waits": async (connection) => {
    await connection.write(text("EHLO x\r\nQUIT\r\n"));
    await untilEnd(connection);
  },
};

async function untilEnd(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(1024);
  while (await connection.read(buffer).catch(() => null) !== null);
}

const SETTINGS = {
  SMTP_DEBUG: "false",
  // All are of one address, and some that have gone are still counted.
  SMTP_MAX_CLIENTS_PER_ADDRESS: "1000",
};

async function abort(port: number, kind: string, implicit: boolean): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  connection.setNoDelay(true);
  if (!implicit) {
    const buffer = new Uint8Array(1024);
    for (const line of ["EHLO x\r\n", "STARTTLS\r\n", ""]) {
      await connection.read(buffer);
      await connection.write(text(line));
    }
  }
  await kinds[kind](connection);
}

async function abortAll({ daemon, tlsPort }: TlsDaemon, kind: string, times: number) {
  for (const implicit of [false, true]) {
    let left = times;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) await abort(implicit ? tlsPort : daemon.port, kind, implicit);
    }));
  }
}

function descriptors({ pid }: Daemon): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/** In KiB. */
function memory({ pid }: Daemon): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]);
}

/** A session over TLS, on each port. */
async function serves({ daemon, ca, tlsPort }: TlsDaemon): Promise<void> {
  using client = await Client.overTls(tlsPort, ca);
  assert.match(await client.reply(), /^220 /);
  using other = await Client.greeted(daemon.port);
  await other.ask("EHLO x");
  await other.ask("STARTTLS");
  await other.startTls(ca);
  for (const each of [client, other]) {
    assert.match(await each.ask("EHLO x"), /^250-/);
    assert.match(await each.ask("QUIT"), /^221 /);
    assert.equal(await each.rest(), "");
  }
}

/** The descriptors once no client is there: those that have just gone may still be seen. */
async function settledDescriptors(serving: TlsDaemon, wanted: number): Promise<number> {
  for (let round = 0; round < 100 && descriptors(serving.daemon) > wanted; round++) {
    await serves(serving);
  }
  return descriptors(serving.daemon);
}

Deno.test("handshakes that come to nothing leave no descriptors and no memory behind", async (t) => {
  await withTlsDaemon(SETTINGS, async (serving) => {
    const { daemon } = serving;
    const before = descriptors(daemon);
    for (const kind of Object.keys(kinds)) await abortAll(serving, kind, TIMES / 2);
    await serves(serving);
    const memoryBefore = memory(daemon);
    for (const kind of Object.keys(kinds)) {
      await t.step(`${TIMES} clients of which each ${kind}`, async () => {
        await abortAll(serving, kind, TIMES);
        assert.equal(await settledDescriptors(serving, before), before);
      });
    }
    const growth = memory(daemon) - memoryBefore;
    assert.ok(growth < MOST_GROWTH, `${growth} KiB more`);
  });
});

testWith("python3", "clients that reset their handshakes leave nothing behind", async (python) => {
  const script = `
import socket, struct, sys
def reset(port, plain, octets):
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if plain:
        for line in (b"EHLO x\\r\\n", b"STARTTLS\\r\\n", b""):
            client.recv(1024)
            client.send(line)
    client.send(octets)
    client.close()
port, tls_port, hello = int(sys.argv[1]), int(sys.argv[2]), bytes.fromhex(sys.argv[3])
for octets in (b"", hello[:100], hello):
    for _ in range(${TIMES}):
        reset(port, True, octets)
        reset(tls_port, False, octets)
`;
  await withTlsDaemon(SETTINGS, async (serving) => {
    const { daemon, tlsPort } = serving;
    const before = descriptors(daemon);
    const { code, stderr } = await runToEnd(
      [python, "-c", script, String(daemon.port), String(tlsPort), hello.toHex()],
    );
    assert.equal(code, 0, stderr);
    assert.equal(await settledDescriptors(serving, before), before);
    await serves(serving);
  });
});
