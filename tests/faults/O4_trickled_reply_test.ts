/** O4: a server that never gets to the end of what it says costs one connection, and its time. */

import assert from "node:assert/strict";
import { TurnedClock } from "../fakes/clock.ts";
import { claimOf, deliver, outboundTo } from "../fakes/outbound.ts";
import { Remote, type Talk } from "../fakes/remote.ts";

const SECOND = 1_000;

/** Says a piece each ten seconds of a turned clock, until the client has gone; for how long? */
async function trickled(first: (talk: Talk) => Promise<void>, piece: string) {
  const clock = new TurnedClock();
  const begun = Promise.withResolvers<void>();
  let start = 0;
  await using remote = new Remote(async (talk) => {
    await first(talk);
    start = clock.monotonic();
    begun.resolve();
    for (;;) {
      await talk.say(piece);
      clock.turn(10 * SECOND);
      // A turn of the loop, so that the client reads it.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  });
  const outbound = outboundTo(remote.port, { world: { clock } });
  const [outcome] = await deliver(outbound, claimOf(["b"]));
  await begun.promise;
  outbound.close();
  return { outcome, sessions: remote.sessions, seconds: (clock.monotonic() - start) / SECOND };
}

const upToDot = async (talk: Talk) => {
  await talk.say("220 remote\r\n");
  await talk.line();
  await talk.say("250-x\r\n250 PIPELINING\r\n");
  while (await talk.line() !== "DATA");
  await talk.say("250 OK\r\n250 OK\r\n354 go\r\n");
  await talk.content();
};

Deno.test("O4 a greeting that trickles: five minutes in all, then deferred", async () => {
  for (const piece of ["2", "220-wait\r\n"]) {
    const { outcome, sessions, seconds } = await trickled(async () => {}, piece);
    assert.match(outcome, /^deferred session .*: 4\.4\.2 no reply within 300 s$/);
    assert.equal(sessions, 1);
    // By the clock that was turned: the last turns may not have been heard yet.
    assert.ok(seconds >= 290, `${seconds}`);
  }
});

Deno.test("O4 a reply behind the content that trickles: ten minutes, and nobody else is asked", async () => {
  const { outcome, sessions, seconds } = await trickled(upToDot, "250-");
  assert.match(outcome, /^deferred session end of DATA: 4\.4\.2 no reply within 600 s$/);
  assert.equal(sessions, 1);
  assert.ok(seconds >= 590, `${seconds}`);
});
