/**
 * H5: the clock on the wall jumps by a day, or by ten years, either way, while the daemon runs
 * and while it is down: the store's own time goes on evenly, nothing expires, is tried or is
 * removed before it is due; and no timer is so long that the runtime fires it at once.
 */

import assert from "node:assert/strict";
import { clock as systemClock } from "../../src/deno/clock.ts";
import { Meter } from "../../src/meter.ts";
import { Dispatcher } from "../../src/queue/dispatcher.ts";
import { Retention } from "../../src/queue/retention.ts";
import { Client } from "../fakes/client.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { Daemon } from "../fakes/daemon.ts";
import { ScriptedDelivery } from "../fakes/delivery.ts";
import { deferred, delivered } from "../fakes/outcomes.ts";
import { entryOf, TestStore } from "../fakes/store.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEARS = 3653 * DAY;
/** The longest timer that the runtime keeps. */
const LONGEST = 2 ** 31 - 1;
const JUMPS = { "a day": DAY, "a day back": -DAY, "ten years": YEARS, "ten years back": -YEARS };

class JumpingClock extends TurnedClock {
  readonly delays: number[] = [];
  jumped = 0;

  override now(): number {
    return super.now() + this.jumped;
  }

  override timer(delay: number, call: () => void): () => void {
    this.delays.push(delay);
    return super.timer(delay, call);
  }
}

/** A queue at work, which delivers to done.example and nobody else. */
class Queue implements AsyncDisposable {
  readonly delivery = new ScriptedDelivery(({ domain }) =>
    domain === "done.example" ? delivered : deferred
  );
  readonly #test: TestStore;
  readonly #clock: JumpingClock;
  readonly #dispatcher: Dispatcher;
  readonly #retention: Retention;

  constructor(test: TestStore, clock: JumpingClock, days = 1) {
    const log = () => {};
    this.#test = test;
    this.#clock = clock;
    this.#dispatcher = new Dispatcher({
      store: test.store,
      delivery: this.delivery,
      notices: () => Promise.resolve([]),
      clock,
      random: { fill: (octets) => octets.fill(0) },
      log,
      meter: new Meter(),
      limits: () => ({ connections: 9, perDestination: 9, lifetime: 5 * DAY, delayNotice: 0 }),
    });
    this.#retention = new Retention(test.store, { clock, log }, () => days);
    this.#dispatcher.start();
    this.#retention.start();
  }

  /** Until it waits for the clock: the dispatcher, the retention and the store. */
  async idle(): Promise<void> {
    const isIdle = () => this.#dispatcher.underway === 0 && this.#clock.timers >= 3;
    while (!isIdle()) await this.#test.store.stats();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#retention.stop();
    await this.#dispatcher.stop(0);
  }
}

async function stateOf({ store }: TestStore): Promise<string[]> {
  const messages = await store.list({ limit: 10 });
  return messages.flatMap(({ recipients }) => recipients.map(({ state }) => state));
}

for (const [name, jump] of Object.entries(JUMPS)) {
  Deno.test(`H5 ${name} while it runs changes nothing`, async () => {
    const clock = new JumpingClock();
    await using test = await TestStore.open({ clock });
    for (const domain of ["later.example", "done.example"]) {
      await test.store.commit(entryOf({ to: [`a@${domain}`] }));
    }
    await using queue = new Queue(test, clock);
    await queue.delivery.until(({ length }) => length === 2);
    await queue.idle();
    const before = test.store.time();
    clock.jumped = jump;
    assert.equal(test.store.time(), before);
    // The second attempt is due after a minute, and then old messages are looked for.
    clock.turn(MINUTE - 1);
    await queue.idle();
    assert.equal(queue.delivery.tried.length, 2);
    clock.turn(1);
    await queue.idle();
    assert.equal(queue.delivery.tried.length, 3);
    assert.equal(test.store.time(), before + MINUTE);
    assert.deepEqual(await stateOf(test), ["delivered", "queued"]);
  });

  Deno.test(`H5 ${name} while it is down: time goes on, nothing expires`, async () => {
    const clock = new JumpingClock();
    await using test = await TestStore.open({ clock });
    for (const domain of ["later.example", "done.example"]) {
      await test.store.commit(entryOf({ to: [`a@${domain}`] }));
    }
    {
      await using queue = new Queue(test, clock, 7);
      await queue.delivery.until(({ length }) => length === 2);
    }
    let before = test.store.time();
    // To and fro, with a restart each time.
    for (const jumped of [jump, 0, jump]) {
      clock.jumped = jumped;
      await test.reopen();
      const time = test.store.time();
      assert.ok(before <= time && time <= before + DAY, `${time - before}`);
      await using queue = new Queue(test, clock, 7);
      clock.turn(2 * HOUR);
      await queue.idle();
      assert.ok(queue.delivery.tried.length > 0);
      assert.deepEqual(await stateOf(test), ["delivered", "queued"]);
      before = test.store.time();
    }
  });
}

Deno.test("H5 whatever is due, nothing asks for a timer of weeks", async () => {
  const clock = new JumpingClock();
  await using test = await TestStore.open({ clock });
  await test.store.commit(entryOf());
  const { claims: [claim] } = await test.store.claim({
    free: 1,
    perDestination: 1,
    busy: [],
    lease: YEARS,
  });
  assert.ok(claim !== undefined);
  await using queue = new Queue(test, clock, 36_500);
  await queue.idle();
  assert.ok(Math.max(...clock.delays) <= LONGEST);
});

Deno.test("H5 the clock itself keeps a timer of ten years", () => {
  const { setTimeout } = globalThis;
  const delays: unknown[] = [];
  globalThis.setTimeout = ((_call: () => void, delay: number) => {
    delays.push(delay);
    return setTimeout(() => {}, 0);
  }) as typeof setTimeout;
  try {
    systemClock.timer(YEARS, () => {})();
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  assert.deepEqual(delays, [LONGEST]);
});

Deno.test("H5 a daemon whose deadlines are a year away does not cut anybody off", async () => {
  const deadlines = ["COMMAND", "DATA", "SHUTDOWN"].map((of) => [`SMTP_${of}_TIMEOUT`, "365d"]);
  await using daemon = await Daemon.start({ settings: Object.fromEntries(deadlines) });
  using client = await Client.greeted(daemon.port);
  await client.ready();
  await client.ask("DATA");
  daemon.signal("SIGTERM");
  await daemon.says(/stopping/);
  assert.match(await client.ask("Subject: x\r\n\r\nx\r\n."), /^250 2\.0\.0 /);
  assert.match(await client.rest(), /^421 4\.3\.2 /);
  client.close();
  assert.equal((await daemon.status).code, 0);
});

for (const [jump, by] of Object.entries(JUMPS)) {
  Deno.test(`H5 ${jump}: deadlines go by a clock that no wall has`, () => {
    const { now } = Date;
    const [wall, before] = [systemClock.now(), systemClock.monotonic()];
    try {
      Date.now = () => now() + by;
      assert.ok(Math.abs(systemClock.now() - wall) > HOUR);
      assert.ok(Math.abs(systemClock.monotonic() - before) < HOUR);
    } finally {
      Date.now = now;
    }
  });
}
