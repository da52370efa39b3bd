/** A handshake has a time of its own, whatever of it trickles in; then the connection is closed. */

import assert from "node:assert/strict";
import { certified, sourceOf } from "../fakes/certificate.ts";
import { Client } from "../fakes/client.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { TestServer } from "../fakes/server.ts";
import { settled } from "../fakes/settled.ts";
import { clientHello } from "../fakes/tls_pair.ts";

const SECOND = 1000;
const hello = await clientHello();

/** A client of whom a handshake is expected, on either port. */
async function expected(server: TestServer, implicit: boolean): Promise<Client> {
  if (implicit) return await Client.connect(server.server.tlsAddresses[0].port);
  const client = await Client.greeted(server.port);
  await client.ask("EHLO x");
  assert.match(await client.ask("STARTTLS"), /^220 /);
  return client;
}

/** Until the server knows of so many clients. */
async function present({ server }: TestServer, clients: number): Promise<void> {
  for (let round = 0; round < 1000 && server.activeClients !== clients; round++) await settled();
  assert.equal(server.activeClients, clients);
}

for (const implicit of [false, true]) {
  const where = implicit ? "where TLS is there first" : "behind STARTTLS";

  Deno.test(`a client that is silent ${where} is closed without a word when its time is over`, async () => {
    const { pair } = await certified();
    const clock = new TurnedClock();
    const tls = sourceOf(pair);
    const options = { tls, tlsPort: 0, handshakeTimeout: 20 * SECOND };
    await using server = new TestServer(options, { clock });
    using client = await expected(server, implicit);
    await present(server, 1);
    clock.turn(20 * SECOND - 1);
    await settled();
    await present(server, 1);
    clock.turn(1);
    await present(server, 0);
    assert.equal(await client.rest(), "");
    assert.deepEqual(server.told.map(({ event }) => event), ["no TLS with client"]);
  });

  Deno.test(`a handshake that trickles in ${where} is cut when its time is over`, async () => {
    const { pair } = await certified();
    const clock = new TurnedClock();
    await using server = new TestServer({ tls: sourceOf(pair), tlsPort: 0 }, { clock });
    using client = await expected(server, implicit);
    await present(server, 1);
    let rest: string | undefined;
    const ended = client.rest().then((text) => rest = text, () => rest = "");
    let seconds = 0;
    for (; seconds < hello.length - 1 && rest === undefined; seconds++) {
      await client.send(hello.subarray(seconds, seconds + 1)).catch(() => {});
      clock.turn(SECOND);
      await settled();
    }
    assert.ok(seconds >= 30 && seconds <= 31, `${seconds} seconds`);
    await ended;
    assert.equal(rest, "");
  });

  Deno.test(`hands that are shaken in time ${where}: the session has all its time`, async () => {
    const { ca, pair } = await certified();
    const clock = new TurnedClock();
    await using server = new TestServer({ tls: sourceOf(pair), tlsPort: 0 }, { clock });
    using client = await expected(server, implicit);
    await present(server, 1);
    clock.turn(29 * SECOND);
    await client.startTls(ca);
    if (implicit) assert.match(await client.reply(), /^220 /);
    assert.match(await client.ask("EHLO x"), /^250-/);
    clock.turn(14 * 60 * SECOND);
    await settled();
    assert.equal(await client.ask("NOOP"), "250 2.0.0 OK");
    clock.turn(15 * 60 * SECOND);
    assert.match(await client.reply(), /^421 4\.4\.2 /);
    assert.equal(await client.rest(), "");
  });
}
