/** What passes over TLS: unaltered, no faster than it is wanted, and to its end. */

import assert from "node:assert/strict";
import type { SecureConnection } from "../../src/ports/tls.ts";
import { settled } from "../fakes/settled.ts";
import { noise, Pair, readAll, writeAll } from "../fakes/tls_pair.ts";

async function digest(octets: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", octets as Uint8Array<ArrayBuffer>);
  return new Uint8Array(hash).toHex();
}

Deno.test("octets pass unaltered in both directions at once, and then the end", async () => {
  using pair = await Pair.open();
  const { server, client } = await pair.handshake();
  const there = noise(3_000_001), back = noise(2_000_003).reverse();
  const [, , atServer, atClient] = await Promise.all([
    writeAll(client, there).then(() => client.closeWrite()),
    writeAll(server, back).then(() => server.closeWrite()),
    readAll(server, 8192),
    readAll(client, 8192),
  ]);
  assert.equal(await digest(atServer), await digest(there));
  assert.equal(await digest(atClient), await digest(back));
  server.close();
  client.close();
  assert.ok(pair.closed);
});

Deno.test("no more is read than there is room for, and nothing of it is lost", async () => {
  using pair = await Pair.open();
  const { server, client } = await pair.handshake();
  const sent = noise(1000);
  await writeAll(client, sent);
  await client.closeWrite();
  assert.deepEqual(await readAll(server, 7), sent);
  server.close();
  client.close();
});

Deno.test("what nobody reads is not taken from the connection beneath", async () => {
  using pair = await Pair.open();
  const { server, client } = await pair.handshake();
  const sent = noise(16 * 1024 * 1024);
  const sending = writeAll(client, sent).then(() => client.closeWrite());
  for (let round = 0; round < 100; round++) await settled();
  assert.ok(pair.taken < 1024 * 1024, `${pair.taken} octets`);
  assert.equal(await digest(await readAll(server, 64 * 1024)), await digest(sent));
  await sending;
  server.close();
  client.close();
});

Deno.test("what the client does not read is written no further than the systems hold it", async () => {
  using pair = await Pair.open();
  const { server, client } = await pair.handshake();
  const sent = noise(1024 * 1024);
  let written = 0;
  const writing = (async () => {
    for (; written < 24; written++) await writeAll(server, sent);
    await server.closeWrite();
  })();
  for (let round = 0; round < 100; round++) await settled();
  assert.ok(written < 16, `${written} MiB`);
  assert.equal((await readAll(client, 64 * 1024)).length, 24 * sent.length);
  await writing;
  server.close();
  client.close();
});

for (
  const [what, wait] of [
    ["a read", (server: SecureConnection) => server.read(new Uint8Array(10))],
    ["a write", async (server: SecureConnection) => {
      // More than the buffers of both systems take: the client does not read.
      for (;;) await server.write(new Uint8Array(1024 * 1024));
    }],
    ["the end of our side", (server: SecureConnection) => {
      server.write(new Uint8Array(32 * 1024 * 1024)).catch(() => {});
      return server.closeWrite();
    }],
  ] as const
) {
  Deno.test(`${what} that waits is over when the connection is closed`, async () => {
    using pair = await Pair.open();
    const { server, client } = await pair.handshake();
    const waiting = wait(server).catch(() => {});
    await settled();
    server.close();
    await waiting;
    assert.ok(pair.closed);
    client.close();
  });
}

Deno.test("a client that is gone without a word ends what waits for it", async () => {
  using pair = await Pair.open();
  const { server, client } = await pair.handshake();
  const read = server.read(new Uint8Array(10)).catch(() => null);
  await client.write(new Uint8Array(1));
  assert.equal(await read, 1);
  // Unread octets let the system cut the connection.
  await server.write(new Uint8Array(1));
  await settled();
  client.close();
  assert.equal(await server.read(new Uint8Array(10)).catch(() => null), null);
  server.close();
  assert.ok(pair.closed);
});

Deno.test("closing twice is no harm", async () => {
  using pair = await Pair.open();
  const { server, client } = await pair.handshake();
  server.close();
  server.close();
  client.close();
});

Deno.test("writing nothing takes until what has arrived can be read", async () => {
  const times = 10;
  let inTime = 0;
  for (let time = 0; time < times; time++) {
    using pair = await Pair.open();
    const { server, client } = await pair.handshake();
    let read = false;
    const reading = server.read(new Uint8Array(10)).then(() => read = true);
    await settled();
    const sent = client.write(new Uint8Array(1));
    // It arrives while this thread is busy.
    for (const until = performance.now() + 5; performance.now() < until;);
    await server.write(new Uint8Array(0));
    for (let turn = 0; turn < 8; turn++) await undefined;
    if (read) inTime++;
    await Promise.all([reading, sent]);
    server.close();
    client.close();
  }
  // The client's own thread may be late for once.
  assert.ok(inTime > times / 2, `${inTime} of ${times}`);
});
