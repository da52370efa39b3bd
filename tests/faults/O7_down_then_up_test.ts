/**
 * O7: everything is down for hours, then up again, and an operator has all of it tried at once.
 * A real store and queue, a turned clock, a way out that is there or is not.
 */

import assert from "node:assert/strict";
import { random } from "../../src/deno/random.ts";
import type { Outcome } from "../../src/mail/outcome.ts";
import { Meter } from "../../src/meter.ts";
import { Dispatcher } from "../../src/queue/dispatcher.ts";
import { Chance } from "../crash/chance.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { ScriptedDelivery } from "../fakes/delivery.ts";
import { delivered } from "../fakes/outcomes.ts";
import { entryOf, TestStore } from "../fakes/store.ts";

const SECOND = 1_000, MINUTE = 60 * SECOND;
const STEP = 30 * SECOND;
/** Of a transaction, to which up to a second comes by chance. */
const SHORTEST = 500;
const DOMAINS = ["a.example", "b.example", "c.example", "d.example"];
const EACH = 100;
const CONNECTIONS = 40, PER_DESTINATION = 20;

const refused: Outcome = {
  kind: "deferred",
  scope: "session",
  reply: "connection refused",
  status: "4.4.1",
};

Deno.test("O7 down for hours, then up: spread by chance, met by one, then by more, all alike", async () => {
  const clock = new TurnedClock();
  await using test = await TestStore.open({ clock });
  const { store } = test;
  const { next: chance } = new Chance(7);
  let isUp = false;
  const underway = new Map(DOMAINS.map((domain) => [domain, 0]));
  const done = new Map(DOMAINS.map((domain) => [domain, 0]));
  const add = (to: Map<string, number>, domain: string, count: number) =>
    to.set(domain, to.get(domain)! + count);
  const surprises: string[] = [];
  const delivery = new ScriptedDelivery(async ({ domain }) => {
    if (!isUp) return refused;
    add(underway, domain, 1);
    const now = underway.get(domain)!;
    if (now > Math.min(done.get(domain)! + 1, PER_DESTINATION)) {
      surprises.push(`${now} at ${domain} after ${done.get(domain)}`);
    }
    await new Promise<void>((resolve) => clock.timer(SHORTEST + chance() * SECOND, resolve));
    add(underway, domain, -1);
    add(done, domain, 1);
    return delivered;
  });
  const dispatcher = new Dispatcher({
    store,
    delivery,
    notices: () => Promise.resolve([]),
    clock,
    random,
    log: () => {},
    meter: new Meter(),
    limits: () => ({
      connections: CONNECTIONS,
      perDestination: PER_DESTINATION,
      lifetime: 5 * 24 * 60 * MINUTE,
      delayNotice: 0,
    }),
  });
  for (let i = 0; i < EACH; i++) {
    for (const domain of DOMAINS) await store.commit(entryOf({ to: [`r${i}@${domain}`] }));
  }
  dispatcher.start();
  /** Until nothing is under way that does not wait for the clock. */
  const idle = async () => {
    const waiting = () => [...underway.values()].reduce((sum, count) => sum + count, 0);
    // Each that waits has a timer of its own, and one of the dispatcher's.
    do await store.stats(); while (
      dispatcher.underway > waiting() || clock.timers < 2 + 2 * waiting()
    );
  };

  const perStep: number[] = [];
  for (let time = 0; time < 130 * MINUTE; time += STEP) {
    const before = delivery.tried.length;
    await idle();
    perStep.push(delivery.tried.length - before);
    clock.turn(STEP);
  }
  await idle();
  // 1, 2, 4, 8, 16, 32, 64 minutes and up to a quarter more: seven attempts, or eight.
  const attempts = Map.groupBy(delivery.tried, ({ message }) => message);
  assert.equal(attempts.size, DOMAINS.length * EACH);
  for (const { length } of attempts.values()) assert.ok(length === 7 || length === 8, `${length}`);
  // All began together; the seventh time they come one after another.
  const seventh = perStep.slice(2 * 62);
  const most = Math.max(...seventh);
  assert.ok(most > 0 && most < DOMAINS.length * EACH * 0.2, `${most} of one half minute`);

  isUp = true;
  await store.requeue({ all: true });
  const total = () => [...done.values()].reduce((sum, count) => sum + count, 0);
  for (let turns = 0; total() < DOMAINS.length * EACH && turns < 2_000; turns++) {
    await idle();
    clock.turn(SHORTEST / 5);
    await idle();
    const least = Math.min(...done.values());
    const fair = total() / DOMAINS.length;
    if (fair > EACH / 4 && least < fair / 2) surprises.push(`unfair: ${[...done.values()]}`);
  }
  assert.deepEqual(surprises, []);
  assert.equal((await store.stats()).delivered, DOMAINS.length * EACH);
  assert.ok(delivery.mostUnderway <= CONNECTIONS);
  assert.ok(delivery.mostUnderway > DOMAINS.length, "it never became more than one each");
  const stopped = dispatcher.stop(0);
  clock.turn(2_000);
  await stopped;
});
