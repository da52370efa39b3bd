/** S16: a port on which TLS is there first, and everything that is said is said inside it. */

import assert from "node:assert/strict";
import type { Verdict } from "../../src/inbound/access.ts";
import type { TlsSource } from "../../src/inbound/certificates.ts";
import { CertificateError } from "../../src/ports/tls.ts";
import type { ServerOptions } from "../../src/inbound/options.ts";
import type { Net } from "../../src/ports.ts";
import * as replies from "../../src/smtp/replies.ts";
import { certified, sourceOf } from "../fakes/certificate.ts";
import { Client } from "../fakes/client.ts";
import { netWith } from "../fakes/net.ts";
import { TestServer } from "../fakes/server.ts";
import { settled } from "../fakes/settled.ts";

const { ca, pair } = await certified();
const tls = sourceOf(pair);

const serve = (options: Partial<ServerOptions> = {}, net?: Net) =>
  new TestServer({ tls, tlsPort: 0, ...options }, net && { net });

const portOf = ({ server }: TestServer) => server.tlsAddresses[0].port;

Deno.test("S16 the greeting comes over TLS; STARTTLS is not offered, REQUIRETLS is kept", async () => {
  await using server = serve();
  using client = await Client.overTls(portOf(server), ca);
  assert.equal(await client.reply(), "220 localhost ESMTP Dinopost ready");
  const offers = await client.ask("EHLO x");
  assert.doesNotMatch(offers, /STARTTLS/);
  assert.match(offers, /^250-REQUIRETLS$/m);
  assert.equal(await client.ask("STARTTLS"), "503 5.5.1 TLS is active already");
  for (const line of ["MAIL FROM:<a@example.com> REQUIRETLS", "RCPT TO:<b@example.net>", "DATA"]) {
    assert.match(await client.ask(line), /^[23]5[04] /);
  }
  assert.match(await client.ask("Subject: x\r\n\r\n."), /^250 2\.0\.0 /);
  const [{ sender, client: { tls } }] = server.messages;
  assert.equal(sender.requireTls, true);
  assert.equal(tls?.version, "TLSv1.3");
  assert.match(tls!.cipher, /^TLS_/);
  assert.match(await client.ask("QUIT"), /^221 /);
  // The end is of TLS, not cut off (RFC 8446 §6.1).
  assert.equal(await client.rest(), "");
});

Deno.test("S16 the plain port goes on beside it, with an address of its own", async () => {
  await using server = serve();
  assert.notEqual(server.port, portOf(server));
  using client = await Client.greeted(server.port);
  assert.match(await client.ask("EHLO x"), /^250-STARTTLS$/m);
});

const notAllowed = "554 5.7.1 Client address 127.0.0.1 is not allowed to use this server\r\n";
for (
  const [what, verdict] of [
    ["at once", (): Verdict => "refused"],
    ["later", (): Promise<Verdict> => Promise.resolve("refused")],
  ] as const
) {
  Deno.test(`S16 a client that is refused ${what} is told inside TLS`, async () => {
    await using server = serve({ access: { check: verdict } });
    using client = await Client.overTls(portOf(server), ca);
    assert.equal(await client.rest(), notAllowed);
  });
}

/** What clients send behind their hello is held back until it is let through, all at once. */
function holdingBack(): { net: Net; release: () => void } {
  const released = Promise.withResolvers<void>();
  return {
    release: released.resolve,
    net: netWith((connection) => {
      let reads = 0;
      return {
        async read(buffer) {
          if (++reads > 1) await released.promise;
          return connection.read(buffer);
        },
      };
    }),
  };
}

Deno.test("S16 who talks over TLS before the greeting is told 554 5.5.0, inside it", async () => {
  const { net, release } = holdingBack();
  await using server = serve({}, net);
  using client = await Client.overTls(portOf(server), ca);
  await client.send("EHLO x\r\nMAIL FROM:<a@example.com>\r\n");
  await settled();
  release();
  assert.equal(await client.rest(), "554 5.5.0 Wait for the reply before sending more\r\n");
});

/** Counts the handshakes that were begun. */
function counted(): TlsSource & { begun: number } {
  return {
    begun: 0,
    context() {
      this.begun++;
      return tls.context();
    },
  };
}

for (const limit of [{ maxClients: 1 }, { maxClientsPerAddress: 1 }]) {
  Deno.test(`S16 beyond ${Object.keys(limit)} no hands are shaken: closed without a word`, async () => {
    const source = counted();
    await using server = serve({ tls: source, ...limit });
    using first = await Client.overTls(portOf(server), ca);
    await first.reply();
    for (let more = 0; more < 3; more++) {
      using second = await Client.connect(portOf(server));
      assert.equal(await second.rest(), "");
    }
    assert.equal(source.begun, 1);
    assert.match(await first.ask("EHLO x"), /^250-/);
  });
}

Deno.test("S16 a server that stops tells those who are there inside TLS, and takes no others", async () => {
  const source = counted();
  const safe = Promise.withResolvers<void>();
  await using server = serve({
    tls: source,
    handler: async ({ id }) => {
      await safe.promise;
      return replies.accepted(id);
    },
  });
  using idle = await Client.overTls(portOf(server), ca);
  await idle.reply();
  using client = await Client.overTls(portOf(server), ca);
  await client.reply();
  await client.ready();
  await client.ask("DATA");
  await client.send("Subject: x\r\n\r\n.\r\n");
  await settled();
  const stopped = server.server.shutdown();
  assert.equal(await idle.rest(), "421 4.3.2 localhost is shutting down, try again later\r\n");
  idle.close();
  using late = await Client.connect(portOf(server));
  assert.equal(await late.rest(), "");
  assert.equal(source.begun, 2);
  safe.resolve();
  assert.match(await client.rest(), /^250 2\.0\.0 .*\r\n421 4\.3\.2 /);
  client.close();
  await stopped;
});

Deno.test("a server that stops does not wait for hands that are being shaken", async () => {
  const server = serve();
  using client = await Client.connect(portOf(server));
  using other = await Client.greeted(server.port);
  await other.ask("EHLO x");
  assert.match(await other.ask("STARTTLS"), /^220 /);
  while (server.server.activeClients < 2) await settled();
  await server.server.shutdown({ within: 0 });
  await server.stopped;
  // Nothing is said in plain text behind the 220.
  for (const each of [client, other]) assert.equal(await each.rest(), "");
});

Deno.test("S16 behind a proxy, hands are shaken behind its header", async () => {
  const proxies = [{ address: "127.0.0.1", prefix: 32 }];
  await using server = serve({ proxies, proxyProtocol: true });
  using client = await Client.connect(portOf(server));
  await client.send("PROXY TCP4 192.0.2.1 127.0.0.1 4711 465\r\n");
  await client.startTls(ca);
  await client.reply();
  await client.ready();
  await client.ask("DATA");
  await client.ask("Subject: x\r\n\r\n.");
  const [{ client: { address, tls } }] = server.messages;
  assert.deepEqual([address, tls?.version], ["192.0.2.1", "TLSv1.3"]);
});

Deno.test("without a certificate for now, connections are closed and it is told", async () => {
  const missing = { context: () => Promise.reject(new CertificateError("there is none")) };
  await using server = serve({ tls: missing });
  using client = await Client.connect(portOf(server));
  assert.equal(await client.rest(), "");
  assert.ok(
    server.logged.some(({ level, fields }) =>
      level === "error" && String(fields.error).includes("there is none")
    ),
  );
});

Deno.test("S16 a port for TLS without any certificate is a mistake of the caller", async () => {
  const server = serve({ tls: undefined });
  await assert.rejects(server.stopped, /listen on port 0 for TLS: there is no certificate/);
});
