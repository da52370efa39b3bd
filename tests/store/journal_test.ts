/**
 * The room of the journal: its files take turns, what the tables do not have is never written
 * over, and where there is no room whoever comes waits, or is told.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { StoreError, StoreFullError } from "../../src/ports/store.ts";
import type { Place } from "../../src/store/journal.ts";
import {
  begun,
  endOf,
  GuardedFiles,
  HeldFiles,
  isSettled,
  keepMany,
  turn,
  until,
  writtenOfSize,
} from "../fakes/journal.ts";

const MIB = 1024 * 1024;
/** From here on the other file is begun, and here one is full. */
const FAR = 2 * MIB;
const OCTETS = 256 * MIB;
const ROWS = 100_000;
const LARGEST = 256 * 1024;

Deno.test("when the tables keep up, the files take turns", async () => {
  const files = new GuardedFiles();
  const { journal, places } = begun(files, { kept: (place) => files.kept(place) });
  for (let i = 0; i < 200; i++) {
    await journal.keep(writtenOfSize(LARGEST));
    journal.taken(files.take(places.at(-1)!.sequence));
  }
  const changes = places.filter(({ at }) => at === 0).map(({ file }) => file);
  assert.deepEqual(changes, Array.from(changes, (_, i) => i % 2));
  const most = Math.max(...places.map(endOf));
  assert.ok(changes.length > 15 && most >= FAR && most < FAR + 2 * LARGEST);
  assert.deepEqual(files.overwritten, []);
});

Deno.test("a file is begun again when the tables have the last of it, and not sooner", async () => {
  const { journal, places } = begun(new HeldFiles({ isHeld: false }));
  const keep = () => journal.keep(writtenOfSize(LARGEST));
  await until(() => places.at(-1)?.file === 1, keep);
  const last = places.at(-2)!;
  assert.ok(last.at < FAR && endOf(last) >= FAR);
  await until(() => endOf(places.at(-1)) >= 2 * FAR, keep);
  for (let taken = 0; taken < last.sequence; taken++) {
    journal.taken(taken);
    await keep();
  }
  assert.equal(places.at(-1)!.file, 1);
  journal.taken(last.sequence);
  journal.taken(last.sequence - 1);
  await keep();
  assert.deepEqual([places.at(-1)!.file, places.at(-1)!.at], [0, 0]);
});

const step = fc.record({
  count: fc.integer({ min: 1, max: 12 }),
  size: fc.integer({ min: 100 * 1024, max: LARGEST }),
  /** Of what the tables do not have: how much they take. */
  share: fc.oneof(fc.constant(0), fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true })),
  fails: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
});

Deno.test("what the tables do not have is never written over, however they lag", async () => {
  let changes = 0;
  const steps = fc.array(step, { minLength: 20, maxLength: 60, size: "max" });
  await fc.assert(
    fc.asyncProperty(steps, async (steps) => {
      const files = new GuardedFiles();
      const { journal, places } = begun(files, { kept: (place) => files.kept(place) });
      const take = (share: number) => {
        const last = places.at(-1)?.sequence ?? 0;
        journal.taken(files.take(Math.floor(files.taken + share * (last - files.taken))));
      };
      for (const { count, size, share, fails } of steps) {
        files.failsNext = fails;
        const keep = keepMany(journal, count, size);
        if (share > 0) await Promise.race([keep, turn()]).catch(() => {});
        take(share);
        while (!await isSettled(keep)) take(1);
        if (journal.isOpen) continue;
        take(1);
        files.take(journal.sequence);
        journal.empty();
      }
      assert.deepEqual(files.overwritten, []);
      assert.deepEqual(places.map(({ sequence }) => sequence), sorted(places));
      changes += places.filter(({ at }) => at === 0).length;
    }),
    { numRuns: 100 },
  );
  assert.ok(changes > 30, "the files have changed too seldom to say anything");
});

const sorted = (places: readonly Place[]) =>
  [...new Set(places.map(({ sequence }) => sequence))].toSorted((a, b) => a - b);

/** What does not fit any more, when the tables have taken nothing: it waits. */
async function full({ count = 4, size = LARGEST, recipients = 1 } = {}) {
  const files = new GuardedFiles();
  const { journal, places } = begun(files, { kept: (place) => files.kept(place) });
  for (let octets = 0; octets < 3 * OCTETS; octets += count * size) {
    const keep = keepMany(journal, count, size, recipients);
    if (!await isSettled(keep)) return { files, journal, places, keep, last: places.at(-1)! };
  }
  throw new Error("whatever comes is kept, where there is no room");
}

for (const recipients of [1, 99]) {
  Deno.test(`messages for ${recipients} fill a file by number as well: a start takes them all`, async () => {
    const { places, last } = await full({ count: 500, size: 10, recipients });
    const inLast = places.filter(({ file }) => file === 1);
    const messages = inLast.reduce((sum, { messages }) => sum + messages, 0);
    assert.equal(messages, ROWS / (1 + recipients));
    assert.equal(inLast.reduce((sum, { rows }) => sum + rows, 0), ROWS);
    assert.ok(last.file === 1 && endOf(last) < OCTETS);
  });
}

Deno.test("a file grows by a mebibyte at once, and not where it was written before", async () => {
  const files = new HeldFiles({ isHeld: false });
  const { journal, places } = begun(files);
  const keep = () => journal.keep(writtenOfSize(10));
  const grown: (readonly [number, number])[] = [];
  await until(() => places.at(-1)?.file === 1, async () => {
    const before = files.reserved.length;
    await keep();
    const [reserved] = files.reserved.slice(before);
    if (reserved !== undefined) grown.push([places.at(-1)!.file, reserved[0]]);
  });
  const page = 4096;
  assert.ok(files.reserved.every(([, length]) => length === page + MIB));
  assert.deepEqual(grown, [[0, 0], [0, page + MIB], [1, 0]]);
  journal.taken(places.at(-2)!.sequence);
  await until(() => places.at(-1)!.file === 0, async () => {
    await keep();
    journal.taken(places.at(-1)!.sequence);
  });
  const used = files.reserved.length;
  await until(() => places.at(-1)!.file === 1, async () => {
    await keep();
    journal.taken(places.at(-1)!.sequence);
  });
  assert.equal(files.reserved.length, used, "both have their place already");
  journal.empty();
  await keep();
  assert.equal(files.reserved.length, used + 1, "and none when they were emptied");
});

Deno.test("before a large batch nothing is reserved, and behind it a small one has its place", async () => {
  const files = new HeldFiles({ isHeld: false });
  const { journal, places } = begun(files);
  for (let i = 0; i < 8; i++) await journal.keep(writtenOfSize(LARGEST));
  assert.deepEqual([files.reserved, places.at(-1)!.file], [[], 0]);
  await journal.keep(writtenOfSize(10));
  const { at, length } = places.at(-1)!;
  assert.deepEqual(files.reserved, [[at, length + MIB]]);
  await journal.keep(writtenOfSize(10));
  assert.equal(files.reserved.length, 1);
  for (const file of [1, 0]) {
    journal.taken(journal.sequence);
    await until(() => places.at(-1)!.file === file, () => journal.keep(writtenOfSize(LARGEST)));
  }
  await journal.keep(writtenOfSize(10));
  assert.equal(files.reserved.length, 1, "large ones have made its place");
});

Deno.test("where there is no place on the disk nothing is written of what is refused", async () => {
  const files = new HeldFiles({ isHeld: false });
  const { journal } = begun(files);
  files.failNext("reserve", "no space left on device");
  await assert.rejects(journal.keep(writtenOfSize(10)), StoreError);
  assert.deepEqual([files.writes, journal.isOpen], [[], false]);
});

Deno.test("with both files full what comes waits for room, until there is some", async () => {
  const { files, journal, places, keep, last } = await full();
  assert.ok(last.file === 1 && last.at < OCTETS && endOf(last) >= OCTETS);
  const { sequence } = places.findLast(({ file }) => file === 0)!;
  journal.taken(files.take(sequence - 1));
  assert.equal(await isSettled(keep), false, "there is still one in the first file");
  assert.equal(journal.isDone, false);
  journal.taken(files.take(sequence));
  await keep;
  const { file, at } = places.at(-1)!;
  assert.deepEqual([file, at, files.overwritten], [0, 0, []]);
});

Deno.test("with both files full whoever waits is refused when the tables can take nothing", async () => {
  const { files, journal, places, keep } = await full();
  journal.notTaken(new StoreFullError("database or disk is full"));
  await assert.rejects(keep, StoreFullError);
  assert.equal(journal.isOpen, true);
  const next = journal.keep(writtenOfSize(LARGEST));
  assert.equal(await isSettled(next), false, "it waits for itself");
  journal.taken(files.take(places.at(-1)!.sequence));
  await next;
  assert.deepEqual(files.overwritten, []);
  journal.notTaken(new StoreError("nobody waits for it"));
});
