/** The names of messages in the spool. */

import assert from "node:assert/strict";
import { disk } from "../../src/deno/files.ts";
import { pause, View } from "../../src/store/view.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { delivered, settleAll } from "../fakes/outcomes.ts";
import { entryOf, TestStore } from "../fakes/store.ts";

const DAY = "2026-11-20";
const receivedAt = Date.parse(`${DAY}T23:59:59.999Z`);
const ALL = { free: 100, perDestination: 100, busy: [], lease: 9e9 };

/** Until all names are written. */
async function named({ store }: TestStore): Promise<void> {
  while ((await store.stats()).lag > 0);
}

const namesIn = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
const nameOf = (id: string, address: string) =>
  `${id}_${disk.digest(address.toLowerCase()).slice(0, 16)}.eml`;

Deno.test("S20 one name per recipient, case or repetition apart, mode 0600, one copy", async () => {
  await using test = await TestStore.open({ viewed: true });
  const to = ["Bob@example.net", "bob@EXAMPLE.net", "eve@example.net"];
  const large = "Subject: large\r\n\r\n" + "x".repeat(300 * 1024);
  for (const text of ["Subject: small\r\n\r\n", large]) {
    const { envelope } = entryOf({ to, text, receivedAt });
    await test.store.commit(entryOf({ id: envelope.id, to, text, receivedAt }));
    await named(test);
    const folder = `${test.folder}/${DAY}`;
    const names = [nameOf(envelope.id, "bob@example.net"), nameOf(envelope.id, "eve@example.net")];
    assert.deepEqual(namesIn(folder).filter((name) => name.startsWith(envelope.id)), names.sort());
    const [one, two] = names.map((name) => Deno.statSync(`${folder}/${name}`));
    assert.equal(one.ino, two.ino);
    assert.equal(one.mode! & 0o777, 0o600);
    assert.equal(await Deno.readTextFile(`${folder}/${names[0]}`), text);
  }
});

Deno.test("S20 the hash is of the recipient in lower case, sixteen digits of SHA-256", () => {
  assert.equal(nameOf("id", "Bob@Example.NET"), "id_e7b3b708168e80fd.eml");
});

Deno.test("names stay when the message has left the queue, and go with it in time", async () => {
  await using test = await TestStore.open({ viewed: true });
  await test.store.commit(entryOf({ receivedAt }));
  const { claims: [claim] } = await test.store.claim(ALL);
  await settleAll(test.store, claim, delivered);
  await named(test);
  assert.equal(namesIn(`${test.folder}/${DAY}`).length, 1);
  assert.equal((await test.store.sweep(-60_000)).messages, 1);
  assert.deepEqual(namesIn(test.folder).filter((name) => name === DAY), [], "nor its day");
});

Deno.test("names that were lost with a crash are written again", async () => {
  await using test = await TestStore.open({ viewed: true });
  const entries = [entryOf({ receivedAt }), entryOf({ receivedAt })];
  for (const entry of entries) await test.store.commit(entry);
  await named(test);
  const folder = `${test.folder}/${DAY}`;
  const [first, second] = namesIn(folder);
  await test.close();
  await Deno.remove(`${folder}/${first}`);
  await Deno.truncate(`${folder}/${second}`);
  await test.reopen();
  await named(test);
  for (const name of [first, second]) {
    assert.equal(await Deno.readTextFile(`${folder}/${name}`), "Subject: x\r\n\r\nx\r\n");
  }
});

Deno.test("where many wait for their names, more are written at once", async () => {
  const clock = new TurnedClock();
  const asked: number[] = [];
  const named = { reached: 0, messages: 10_000, damaged: [], replaced: [] };
  const view = new View({
    clock,
    log() {},
    time: () => 0,
    idleFor: () => 1_000,
    write(after, most) {
      asked.push(most);
      return Promise.resolve({ ...named, until: after + named.messages });
    },
    release: () => Promise.resolve(),
    damaged() {},
  }, { last: 25_000, named: 0 });
  clock.turn(1_000);
  while (view.lag > 0) await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(asked, [128, 32, 32]);
  view.close();
});

Deno.test("without names there is none, and switched on they are caught up with", async () => {
  await using test = await TestStore.open({ viewed: false });
  await test.store.commit(entryOf({ receivedAt }));
  assert.equal((await test.store.stats()).lag, 0);
  assert.ok(!namesIn(test.folder).includes(DAY));
  await test.reopen({ viewed: true });
  await named(test);
  assert.equal(namesIn(`${test.folder}/${DAY}`).length, 1);
});

Deno.test("B11 a body waits for its names to have reached the disk", async () => {
  const clock = new TurnedClock();
  await using test = await TestStore.open({ viewed: true, clock });
  await test.store.commit(entryOf());
  const { claims: [claim] } = await test.store.claim(ALL);
  await settleAll(test.store, claim, delivered);
  while ((await test.store.stats()).lag > 0) clock.turn(20);
  assert.equal((await test.store.content(claim.message)).size > 0, true);
  const hasBody = async () => (await test.store.show(claim.id))!.hasContent;
  for (let seconds = 0; seconds < 59; seconds++) clock.turn(1_000);
  // Behind whatever the writer was asked meanwhile.
  await test.store.hold({ ids: [] });
  assert.equal(await hasBody(), true);
  while (await hasBody()) clock.turn(1_000);
});

Deno.test("names are written at once when it is quiet, seldom under load, more with the lag", () => {
  assert.equal(pause(2, 50_000, 20), 0);
  assert.equal(pause(2, 1, 0), 60);
  assert.equal(pause(2, 20_000, 19), 60);
  assert.equal(pause(2, 55_000, 0), 2);
  assert.equal(pause(2, 90_000, 0), 0);
});

function viewThatStandsStill(last: number) {
  const clock = new TurnedClock();
  const logged: string[] = [];
  const view = new View({
    clock,
    log: (_level, event) => logged.push(event),
    time: () => clock.now(),
    idleFor: () => 0,
    write: () => Promise.reject(new Error("no space")),
    release: () => Promise.resolve(),
    damaged: () => {},
  }, { last, named: 0 });
  return { clock, view, logged };
}

/** Whether something is waited for, other than a few turns. */
async function waits(promise: Promise<void> | undefined): Promise<boolean> {
  if (promise === undefined) return false;
  let done = false;
  void promise.then(() => done = true);
  for (let turn = 0; turn < 10; turn++) await undefined;
  return !done;
}

Deno.test("mail waits for names only when they lag by 100,000, or ten minutes, and not for long", async () => {
  const few = viewThatStandsStill(99_999);
  assert.equal(await waits(few.view.keepUp()), false);
  few.clock.turn(10 * 60_000);
  assert.equal(await waits(few.view.keepUp()), true);
  const many = viewThatStandsStill(100_000);
  const waiting = many.view.keepUp();
  assert.equal(await waits(waiting), true);
  many.clock.turn(1_000);
  await waiting;
  for (const { view } of [few, many]) view.close();
});

Deno.test("names that cannot be written are told once, and tried again", async () => {
  const { clock, view, logged } = viewThatStandsStill(5);
  for (let seconds = 0; seconds < 30; seconds++) {
    clock.turn(1_000);
    for (let turn = 0; turn < 20; turn++) await undefined;
  }
  assert.deepEqual(logged, ["names in the spool cannot be written"]);
  view.close();
});
