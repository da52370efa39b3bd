/** S24: names of mail that the store does not have any more. */

import assert from "node:assert/strict";
import { disk } from "../../src/deno/files.ts";
import { clock } from "../../src/deno/clock.ts";
import { entryOf, TestStore } from "../fakes/store.ts";

const OLD = Date.UTC(1999, 11, 31);
const DAY = 86_400_000;
/** Whatever day it is when the last of these tests is run. */
const NOW = Date.now();
const TODAY = new Date(NOW).toISOString().slice(0, 10);

async function withLost(count: number, now = () => clock.now()): Promise<TestStore> {
  const test = await TestStore.open({ viewed: true, clock: { ...clock, now } });
  for (const receivedAt of [OLD, NOW]) {
    await test.store.commit(entryOf({ receivedAt }, { state: "held" }));
  }
  while ((await test.store.stats()).lag > 0);
  for (const day of ["1999-12-31", "1999-12-30", TODAY]) {
    await Deno.mkdir(`${test.folder}/${day}`, { recursive: true });
    for (let i = 0; i < count; i++) {
      await Deno.writeTextFile(`${test.folder}/${day}/lost${i}_0123456789abcdef.eml`, "x");
    }
  }
  return test;
}

const namesIn = (test: TestStore, day: string) => disk.files.names(`${test.folder}/${day}`);

Deno.test("S24 names of mail that the store has lost go when their day is old", async () => {
  await using test = await withLost(3);
  for (const other of ["notes.txt", "lost_x.eml"]) {
    await Deno.writeTextFile(`${test.folder}/1999-12-31/${other}`, "x");
  }
  await Deno.mkdir(`${test.folder}/1999-12-29x`);
  assert.deepEqual(await test.store.sweep(7 * DAY), { messages: 0, problems: [] });
  const [kept, ...others] = namesIn(test, "1999-12-31").toSorted().reverse();
  assert.match(kept, /^test[0-9]+_[0-9a-f]{16}\.eml$/, "it is still in the queue");
  assert.deepEqual(others, ["notes.txt", "lost_x.eml"]);
  assert.equal(disk.files.look(`${test.folder}/1999-12-30`), undefined);
  assert.equal(namesIn(test, TODAY).length, 4);
});

Deno.test("S24 a day is old when all of it is", async () => {
  await using test = await withLost(1);
  const age = Date.now() - OLD;
  await test.store.sweep(age - DAY + 3_600_000);
  assert.deepEqual([namesIn(test, "1999-12-31").length, namesIn(test, "1999-12-30")], [2, []]);
  await test.store.sweep(age - DAY - 3_600_000);
  assert.equal(namesIn(test, "1999-12-31").length, 1);
});

Deno.test("S24 however many were lost, one sweep removes them", async () => {
  await using test = await withLost(1_200);
  await test.store.sweep(7 * DAY);
  assert.equal(namesIn(test, "1999-12-31").length, 1);
  assert.equal(disk.files.look(`${test.folder}/1999-12-30`), undefined);
});

Deno.test("S24 names that cannot be removed are told of, and keep no others", async () => {
  await using test = await withLost(1);
  for (const i of [0, 1]) {
    const path = `${test.folder}/1999-12-28/lost${i}_0123456789abcdef.eml/x`;
    await Deno.mkdir(path, { recursive: true });
  }
  await test.store.drop({ all: true });
  const { messages, problems } = await test.store.sweep(-DAY);
  assert.deepEqual([messages, problems.length], [2, 2]);
  for (const problem of problems) assert.match(problem, /^remove .*1999-12-28\/lost\d_/);
  assert.equal(disk.files.look(`${test.folder}/1999-12-30`), undefined);
});

Deno.test("H5 the clock on the wall jumps: what was lost today stays its time", async () => {
  let jumped = 0;
  await using test = await withLost(1, () => clock.now() + jumped);
  jumped = 3653 * DAY;
  await test.store.sweep(7 * DAY);
  assert.equal(namesIn(test, TODAY).length, 2);
  assert.equal(disk.files.look(`${test.folder}/1999-12-30`), undefined);
  jumped = -365 * DAY;
  await test.store.sweep(7 * DAY);
  assert.equal(namesIn(test, TODAY).length, 2);
});
