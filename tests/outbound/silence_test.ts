/** Hosts that let us wait in vain: one waits, the others do not. */

import assert from "node:assert/strict";
import { world } from "../../src/deno/world.ts";
import type { Connection } from "../../src/ports.ts";
import { DialError, type Outward } from "../../src/ports/outward.ts";
import { Silence } from "../../src/outbound/silence.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { claimOf, deliver, outboundTo } from "../fakes/outbound.ts";
import { Remote } from "../fakes/remote.ts";
import { settled } from "../fakes/settled.ts";

Deno.test("O6 who let us wait is left alone for a while, then one tries again", () => {
  const clock = new TurnedClock();
  const silence = new Silence(clock);
  assert.equal(silence.of("a"), undefined);
  silence.note("a", 30_000, "no connection");
  assert.equal(silence.of("a"), "no connection");
  assert.equal(silence.of("b"), undefined);
  clock.turn(30_000);
  assert.equal(silence.of("a"), undefined);
  // While that one is trying.
  assert.equal(silence.of("a"), "no connection");
  silence.note("a", 30_000, "still none");
  assert.equal(silence.of("a"), "still none");
  clock.turn(30_000);
  assert.equal(silence.of("a"), undefined);
  silence.note("a", 10, undefined);
  assert.equal(silence.of("a"), undefined);
});

Deno.test("who refuses at once is asked each time", () => {
  const silence = new Silence(new TurnedClock());
  silence.note("a", 2_999, "connection refused");
  assert.equal(silence.of("a"), undefined);
});

Deno.test("what is remembered of silent hosts is bounded", () => {
  const silence = new Silence(new TurnedClock());
  for (let i = 0; i <= 10_000; i++) silence.note(`h${i}`, 30_000, "no connection");
  assert.equal(silence.of("h0"), undefined);
  assert.equal(silence.of("h1"), "no connection");
});

Deno.test("O6 a thousand messages for a host that does not answer cost one wait", async () => {
  const clock = new TurnedClock();
  let dials = 0;
  const outward: Outward = {
    ...world.outward,
    dial: (_, signal) => {
      dials++;
      return new Promise<Connection>((_, failed) => {
        signal.addEventListener("abort", () => failed(new DialError("aborted")));
      });
    },
  };
  const outbound = outboundTo(25, { world: { clock, outward } });
  const first = deliver(outbound, claimOf(["b"]));
  while (clock.timers === 0) await settled();
  clock.turn(30_000);
  assert.deepEqual(await first, [
    "deferred session connect: 4.4.1 no connection within 30 s",
  ]);
  for (let i = 0; i < 1000; i++) {
    assert.deepEqual(await deliver(outbound, claimOf(["b"])), [
      "deferred session undefined: 4.4.1 no connection within 30 s; not tried again so soon",
    ]);
  }
  assert.equal(dials, 1);
  outbound.close();
});

Deno.test("S26 O6 the next host is not kept waiting for a silent one", async () => {
  const clock = new TurnedClock();
  await using good = new Remote((talk) => talk.serve(), "127.0.0.3");
  // It accepts, and says nothing.
  const tarpit = Deno.listen({ hostname: "127.0.0.2", port: good.port });
  const outbound = outboundTo(good.port, {
    addresses: ["127.0.0.2", "127.0.0.3"],
    world: { clock, random: { fill: (octets) => octets.fill(0) } },
  });
  const first = deliver(outbound, claimOf(["b"]));
  const silent = await tarpit.accept();
  tarpit.close();
  while (good.sessions === 0) {
    clock.turn(300_000);
    await settled();
  }
  assert.match((await first)[0], /^delivered/);
  assert.match((await deliver(outbound, claimOf(["b"])))[0], /^delivered/);
  silent.close();
  outbound.close();
});
