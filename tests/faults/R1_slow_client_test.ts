/** R1: a client that trickles does not hold its place beyond an absolute deadline. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { TestServer } from "../fakes/server.ts";
import { settled } from "../fakes/settled.ts";

const MINUTE = 60_000;
const TOO_LONG = "421 4.4.2 localhost waited too long, closing the connection\r\n";

/** Sends octet after octet, a minute apart, until the server has had enough. */
async function trickle(client: Client, clock: TurnedClock, octets: string, taken: () => boolean) {
  let minutes = 0;
  for (; minutes < octets.length; minutes++) {
    await client.send(octets[minutes]).catch(() => {});
    clock.turn(MINUTE);
    await settled();
    if (taken()) break;
  }
  return minutes + 1;
}

Deno.test("R1 a command that trickles in ends with 421 4.4.2 when its time is over", async () => {
  const clock = new TurnedClock();
  await using server = new TestServer({}, { clock });
  using client = await Client.greeted(server.port);
  await client.ask("EHLO x");
  let rest: string | undefined;
  const ended = client.rest().then((text) => rest = text);
  const minutes = await trickle(client, clock, "NOOP " + "x".repeat(60), () => rest !== undefined);
  client.close();
  assert.equal(await ended, TOO_LONG);
  assert.ok(minutes >= 15 && minutes <= 16, `${minutes} minutes`);
});

Deno.test("R1 content that trickles in ends with 421 4.4.2 when its time is over", async () => {
  const clock = new TurnedClock();
  await using server = new TestServer({}, { clock });
  using client = await Client.greeted(server.port);
  await client.ready();
  await client.ask("DATA");
  let rest: string | undefined;
  const ended = client.rest().then((text) => rest = text);
  const minutes = await trickle(client, clock, "Subject: x".repeat(6), () => rest !== undefined);
  client.close();
  assert.equal(await ended, TOO_LONG);
  assert.ok(minutes >= 10 && minutes <= 11, `${minutes} minutes`);
  assert.equal(server.messages.length, 0);
});

async function chunk(client: Client): Promise<string> {
  await client.send("BDAT 1\r\nx");
  return await client.reply();
}

Deno.test("R1 chunk after tiny chunk has the time of one message", async () => {
  const clock = new TurnedClock();
  await using server = new TestServer({}, { clock });
  using client = await Client.greeted(server.port);
  await client.ready();
  let chunks = 0;
  for (; chunks < 60; chunks++) {
    const said = await chunk(client).catch(() => "");
    if (!said.startsWith("250")) {
      assert.equal(said + "\r\n", TOO_LONG);
      break;
    }
    clock.turn(MINUTE);
    await settled();
  }
  assert.ok(chunks >= 10 && chunks <= 11, `${chunks} chunks`);
});

Deno.test("R1 a client that says nothing is let go, one that goes on in time is not", async () => {
  const clock = new TurnedClock();
  await using server = new TestServer({}, { clock });
  using silent = await Client.greeted(server.port);
  using active = await Client.greeted(server.port);
  for (let i = 0; i < 4; i++) {
    clock.turn(4 * MINUTE);
    assert.equal(await active.ask("NOOP"), "250 2.0.0 OK");
  }
  assert.equal(await silent.rest(), TOO_LONG);
  assert.equal(await active.ask("NOOP"), "250 2.0.0 OK");
});

Deno.test("R1 each message has its own time, also where the next is pipelined behind it", async () => {
  const clock = new TurnedClock();
  await using server = new TestServer({}, { clock });
  using client = await Client.greeted(server.port);
  await client.ready();
  await client.ask("DATA");
  for (let i = 0; i < 30; i++) {
    clock.turn(MINUTE);
    await client.send(
      "Subject: x\r\n\r\n.\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n",
    );
    assert.match(await client.reply(), /^250 2\.0\.0 Message accepted/, `message ${i}`);
    for (let reply = 0; reply < 3; reply++) await client.reply();
    await settled();
  }
});
