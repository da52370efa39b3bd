/**
 * D6: the file of a large message cannot be removed once it was delivered: it is not delivered
 * again, somebody is told, and it is removed as soon as that is possible.
 */

import assert from "node:assert/strict";
import { random } from "../../src/deno/random.ts";
import { Meter } from "../../src/meter.ts";
import { Dispatcher } from "../../src/queue/dispatcher.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { ScriptedDelivery } from "../fakes/delivery.ts";
import { delivered } from "../fakes/outcomes.ts";
import { entryOf, TestStore } from "../fakes/store.ts";
import { testAsRoot } from "../fakes/tools.ts";

const ID = "large000000000000001";
const DAY = 24 * 60 * 60_000;

/** Nothing can be removed by this process for as long as something is done. */
async function whileNothingIsRemoved(strace: string, work: () => Promise<void>): Promise<void> {
  const which = ["--trace=?unlink,?unlinkat", "--inject=?unlink,?unlinkat:error=EIO"];
  const tracer = new Deno.Command(strace, {
    args: ["-f", "-o", "/dev/null", ...which, "-p", String(Deno.pid)],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const told = tracer.stderr.pipeThrough(new TextDecoderStream()).getReader();
  for (let said = ""; !/ attached /.test(said);) {
    const { value, done } = await told.read();
    assert.ok(!done, said);
    said += value;
  }
  try {
    await work();
  } finally {
    tracer.kill("SIGINT");
    while (!(await told.read()).done);
    await tracer.status;
  }
}

/** Delivers what is due; how many messages that were. */
async function deliver(test: TestStore): Promise<number> {
  const { store } = test;
  const clock = new TurnedClock();
  const delivery = new ScriptedDelivery(() => delivered);
  const dispatcher = new Dispatcher({
    store,
    delivery,
    notices: () => Promise.resolve([]),
    clock,
    random,
    log: () => {},
    meter: new Meter(),
    limits: () => ({ connections: 9, perDestination: 9, lifetime: DAY, delayNotice: 0 }),
  });
  dispatcher.start();
  // It sleeps once it has looked, and found nothing more.
  while (dispatcher.underway > 0 || clock.timers === 0) await store.stats();
  await dispatcher.stop(DAY);
  return delivery.tried.length;
}

/** A large message is delivered, its file stays. */
async function deliverInVain(strace: string, test: TestStore): Promise<void> {
  const text = `Subject: x\r\n\r\n${"x".repeat(300_000)}\r\n`;
  await test.store.commit(entryOf({ id: ID, text }));
  await whileNothingIsRemoved(strace, async () => {
    assert.equal(await deliver(test), 1);
  });
  assert.deepEqual(bodiesOf(test), [ID]);
  const [{ recipients }] = await test.store.list({ limit: 1 });
  assert.deepEqual(recipients.map(({ state }) => state), ["delivered"]);
}

const bodiesOf = ({ folder }: TestStore) =>
  [...Deno.readDirSync(`${folder}/bodies`)].map(({ name }) => name);

testAsRoot(
  "strace",
  "D6 unlink fails: told, not delivered again, removed by the next start",
  async (strace) => {
    await using test = await TestStore.open();
    await deliverInVain(strace, test);
    const told = test.logged.filter(({ level }) => level === "error");
    assert.equal(told.length, 1);
    assert.equal(told[0].event, "file not removed");
    assert.equal(told[0].fields.path, `${test.folder}/bodies/${ID}`);
    await test.reopen();
    assert.deepEqual(bodiesOf(test), []);
    assert.equal(await deliver(test), 0);
    assert.equal((await test.store.stats()).delivered, 1);
  },
);

testAsRoot("strace", "D6 what could not be removed is removed with the message", async (strace) => {
  await using test = await TestStore.open();
  await deliverInVain(strace, test);
  assert.equal(await deliver(test), 0);
  await whileNothingIsRemoved(strace, async () => {
    const { messages, problems } = await test.store.sweep(-1);
    assert.equal(messages, 0);
    assert.equal(problems.length, 1);
    assert.match(problems[0], new RegExp(ID));
  });
  assert.equal((await test.store.list({ limit: 1 })).length, 1);
  assert.deepEqual(await test.store.sweep(-1), { messages: 1, problems: [] });
  assert.deepEqual(bodiesOf(test), []);
});
