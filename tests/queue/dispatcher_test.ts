/** The queue at work: a real store, a delivery that does what the test says, a turned clock. */

import assert from "node:assert/strict";
import { random } from "../../src/deno/random.ts";
import type { Outcome } from "../../src/mail/outcome.ts";
import { Meter } from "../../src/meter.ts";
import { Dispatcher, type DispatcherParts } from "../../src/queue/dispatcher.ts";
import { StoreError } from "../../src/ports/store.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { ScriptedDelivery } from "../fakes/delivery.ts";
import { deferred, delivered, failed } from "../fakes/outcomes.ts";
import { entryOf, TestStore, textOf } from "../fakes/store.ts";

const MINUTE = 60_000;
const LIMITS = {
  connections: 40,
  perDestination: 20,
  lifetime: 5 * 24 * 60 * MINUTE,
  delayNotice: 0,
};

class Queue implements AsyncDisposable {
  private constructor(
    readonly test: TestStore,
    readonly clock: TurnedClock,
    readonly dispatcher: Dispatcher,
    readonly logged: string[],
  ) {}

  static async start(
    delivery: ScriptedDelivery,
    parts: Partial<DispatcherParts> = {},
    before: (test: TestStore) => unknown = () => {},
  ): Promise<Queue> {
    const clock = new TurnedClock();
    const test = await TestStore.open({ clock });
    const logged: string[] = [];
    await before(test);
    const dispatcher = new Dispatcher({
      store: test.store,
      delivery,
      notices: () => Promise.resolve([]),
      clock,
      random: { fill: (octets) => octets.fill(0) },
      log: (_level, event, fields) => logged.push(`${event} ${JSON.stringify(fields)}`),
      meter: new Meter(),
      limits: () => LIMITS,
      ...parts,
    });
    dispatcher.start();
    return new Queue(test, clock, dispatcher, logged);
  }

  get store() {
    return this.test.store;
  }

  /** Until nothing is under way, and both the queue and the store wait for the clock. */
  async idle(): Promise<void> {
    while (this.dispatcher.underway > 0 || this.clock.timers < 2) await this.store.stats();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.dispatcher.stop(0);
    this.clock.turn(2_000);
    await stopped;
    await this.test[Symbol.asyncDispose]();
  }
}

Deno.test("new mail is tried at once, and is gone when it was delivered", async () => {
  let text = "";
  const delivery = new ScriptedDelivery(async (_, content) => {
    text = await textOf(content());
    return delivered;
  });
  await using queue = await Queue.start(delivery);
  await queue.store.commit(entryOf({ text: "Subject: now\r\n\r\n" }));
  await delivery.until((tried) => tried.length === 1);
  await queue.idle();
  assert.equal(text, "Subject: now\r\n\r\n");
  assert.equal((await queue.store.stats()).delivered, 1);
});

Deno.test("S22 what was deferred is tried again when its time has come, not before", async () => {
  const delivery = new ScriptedDelivery(() => deferred);
  await using queue = await Queue.start(delivery);
  await queue.store.commit(entryOf());
  for (const [i, minutes] of [1, 2, 4].entries()) {
    await delivery.until((tried) => tried.length === i + 1);
    await queue.idle();
    queue.clock.turn(minutes * MINUTE - 1);
    await queue.idle();
    assert.equal(delivery.tried.length, i + 1);
    queue.clock.turn(1);
  }
  await delivery.until((tried) => tried.length === 4);
  assert.deepEqual(delivery.tried.map(({ recipients: [{ attempts }] }) => attempts), [0, 1, 2, 3]);
});

Deno.test("S23 as many as were allowed at once, in all and to one destination", async () => {
  const wait = Promise.withResolvers<typeof delivered>();
  const delivery = new ScriptedDelivery(() => wait.promise);
  const limits = () => ({ ...LIMITS, connections: 6, perDestination: 2 });
  await using queue = await Queue.start(delivery, { limits }, async ({ store }) => {
    for (let i = 0; i < 20; i++) await store.commit(entryOf({ to: [`r@d${i % 4}.example`] }));
  });
  await delivery.until((tried) => tried.length >= 5);
  await queue.store.stats();
  const count = Map.groupBy(delivery.tried, ({ domain }) => domain);
  for (const [domain, { length }] of count) assert.ok(length <= 2, domain);
  assert.ok(delivery.mostUnderway <= 6);
  wait.resolve(delivered);
  await delivery.until((tried) => tried.length === 20);
  assert.ok(delivery.mostUnderway <= 6);
});

Deno.test("B20 a relay of all is one destination, whatever the domains, and delays no other way", async () => {
  const never = Promise.withResolvers<typeof deferred>();
  const delivery = new ScriptedDelivery(({ domain }) =>
    domain === "apart.example" ? delivered : never.promise
  );
  const limits = () => ({ ...LIMITS, perDestination: 3, apart: ["apart.example"] });
  await using queue = await Queue.start(delivery, { limits }, async ({ store }) => {
    for (let i = 0; i < 100; i++) await store.commit(entryOf({ to: [`r@d${i}.example`] }));
  });
  await delivery.until((tried) => tried.length >= 3);
  for (let i = 1; i <= 10; i++) {
    await queue.store.commit(entryOf({ to: ["r@apart.example"] }));
    await delivery.until((tried) => tried.length === 3 + i);
  }
  assert.equal(delivery.tried.filter(({ domain }) => domain !== "apart.example").length, 3);
  never.resolve(deferred);
});

Deno.test("O6 a dead domain with 50,000 waiting delays nobody else", async () => {
  const never = Promise.withResolvers<typeof deferred>();
  const delivery = new ScriptedDelivery(({ domain }) =>
    domain === "dead.example" ? never.promise : delivered
  );
  await using queue = await Queue.start(delivery, {}, async ({ store }) => {
    const to = Array.from({ length: 500 }, (_, i) => `r${i}@dead.example`);
    await Promise.all(Array.from({ length: 100 }, () => store.commit(entryOf({ to }))));
  });
  await delivery.until((tried) => tried.length >= 5);
  for (let i = 0; i < 30; i++) {
    // No time passes by this clock, and yet each is tried.
    await queue.store.commit(entryOf({ to: [`r@alive${i}.example`] }));
    await delivery.until((tried) => tried.some(({ domain }) => domain === `alive${i}.example`));
  }
  assert.equal(delivery.tried.filter(({ domain }) => domain === "dead.example").length, 5);
  never.resolve(deferred);
});

Deno.test("what was delivered is written down as soon as the store can, and not sent again", async () => {
  const delivery = new ScriptedDelivery(() => delivered);
  let failures = 3;
  const attempted = Promise.withResolvers<void>();
  await using queue = await Queue.start(delivery, {}, (test) => {
    const settle = test.store.settle.bind(test.store);
    test.store.settle = async (settlement) => {
      if (failures === 0) return await settle(settlement);
      failures--;
      attempted.resolve();
      throw new StoreError("the disk is gone");
    };
  });
  await queue.store.commit(entryOf());
  await attempted.promise;
  while (queue.dispatcher.underway > 0) {
    queue.clock.turn(1_000);
    await queue.store.stats();
  }
  assert.equal((await queue.store.stats()).delivered, 1);
  queue.clock.turn(90 * MINUTE);
  await queue.store.stats();
  assert.equal(delivery.tried.length, 1);
  assert.equal(queue.logged.filter((line) => line.startsWith("outcome not written")).length, 1);
});

Deno.test("O9 a message that breaks the delivery is held after three tries, others flow", async () => {
  const delivery = new ScriptedDelivery(({ domain }) => {
    if (domain === "bad.example") throw new TypeError("cannot read properties of undefined");
    return delivered;
  });
  await using queue = await Queue.start(delivery);
  await queue.store.commit(entryOf({ to: ["x@bad.example"] }));
  for (let tries = 1; tries <= 3; tries++) {
    await delivery.until((tried) => tried.length === tries);
    await queue.idle();
    queue.clock.turn(5 * MINUTE);
  }
  await queue.store.commit(entryOf({ to: ["x@good.example"] }));
  await delivery.until((tried) => tried.length === 4);
  await queue.idle();
  const { held, delivered: done } = await queue.store.stats();
  assert.deepEqual([held, done], [1, 1]);
  assert.equal(queue.logged.filter((line) => /cannot be handled .*TypeError/.test(line)).length, 3);
});

Deno.test("a failure has its sender told, in the same transaction", async () => {
  const delivery = new ScriptedDelivery(({ sender }) =>
    sender.mailbox === null ? delivered : failed
  );
  const bounce = entryOf({ from: "", to: ["alice@example.com"] }, { origin: "generated" });
  await using queue = await Queue.start(delivery, { notices: () => Promise.resolve([bounce]) });
  await queue.store.commit(entryOf());
  await delivery.until((tried) => tried.length === 2);
  await queue.idle();
  const stats = await queue.store.stats();
  assert.deepEqual(
    [stats.accepted, stats.generated, stats.failed, stats.bounced, stats.delivered],
    [1, 1, 1, 1, 1],
  );
});

Deno.test("a notice that cannot be made is no reason to send again", async () => {
  const delivery = new ScriptedDelivery(() => failed);
  await using queue = await Queue.start(delivery, {
    notices: () => Promise.reject(new Error("no notice")),
  });
  await queue.store.commit(entryOf());
  await delivery.until((tried) => tried.length === 1);
  await queue.idle();
  const { failed: lost, unbounced } = await queue.store.stats();
  assert.deepEqual([lost, unbounced], [1, 1]);
});

Deno.test("a stop lets what is under way end, and then tells it to", async () => {
  const delivery = new ScriptedDelivery((_claim, _content, signal) =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve(deferred)))
  );
  await using queue = await Queue.start(delivery, { random });
  await queue.store.commit(entryOf());
  await delivery.until((tried) => tried.length === 1);
  const stopped = queue.dispatcher.stop(10_000);
  queue.clock.turn(9_999);
  await queue.store.stats();
  assert.equal(delivery.underway, 1);
  queue.clock.turn(1);
  await stopped;
  const [{ recipients: [{ attempts, lastError }] }] = await queue.store.list({ limit: 1 });
  assert.deepEqual([attempts, lastError], [1, deferred.reply]);
});

Deno.test("what is claimed while it stops is not begun: nobody would wait for it", async () => {
  const delivery = new ScriptedDelivery(() => delivered);
  await using queue = await Queue.start(delivery, {}, ({ store }) => store.commit(entryOf()));
  // Its first claim is under way.
  await queue.dispatcher.stop(10_000);
  await queue.store.probe();
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual([delivery.tried.length, queue.dispatcher.underway], [0, 0]);
});

Deno.test("what a command changes is noticed within a second", async () => {
  const delivery = new ScriptedDelivery(() => delivered);
  const entry = entryOf({}, { state: "held" });
  await using queue = await Queue.start(delivery, {}, ({ store }) => store.commit(entry));
  await queue.idle();
  const other = TestStore.command(queue.test.folder);
  other.release([entry.envelope.id]);
  await queue.store.stats();
  assert.equal(delivery.tried.length, 0);
  queue.clock.turn(1_000);
  await delivery.until((tried) => tried.length === 1);
  other.close();
});

for (const connections of [40, 20, 1]) {
  Deno.test(`B20 of ${connections} connections, a destination that was too busy is given less`, async () => {
    const busy: Outcome = { ...deferred, scope: "session", reply: "421 4.7.0 too many" };
    let isBusy = true;
    const delivery = new ScriptedDelivery(async () => {
      await Promise.resolve();
      return isBusy ? busy : delivered;
    });
    await using queue = await Queue.start(
      delivery,
      { limits: () => ({ ...LIMITS, connections }) },
      async ({ store }) => {
        for (let i = 0; i < 40; i++) await store.commit(entryOf({ to: ["b@d.example"] }));
      },
    );
    await delivery.until((tried) => tried.length === 40);
    await queue.idle();
    isBusy = false;
    delivery.mostUnderway = 0;
    queue.clock.turn(2 * MINUTE);
    await delivery.until((tried) => tried.length >= 42);
    assert.ok(delivery.mostUnderway <= 2, `${delivery.mostUnderway} at once`);
  });
}
