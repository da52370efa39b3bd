/** What a daemon that was killed has left in the journal: all that was kept, and nothing else. */

import assert from "node:assert/strict";
import { disk } from "../../src/deno/files.ts";
import { SpoolError } from "../../src/ports/store.ts";
import {
  type Head,
  headOf,
  messagesOf,
  PAGE,
  type Written,
} from "../../src/store/journal_batch.ts";
import type { NewPlace, Place } from "../../src/store/journal.ts";
import { Layout } from "../../src/store/layout.ts";
import { lastIn, leftIn } from "../../src/store/replay.ts";
import { ensureJournals } from "../../src/store/spool.ts";
import {
  batchOf,
  begun,
  endOf,
  keepMany,
  until,
  writtenOf,
  writtenOfSize,
} from "../fakes/journal.ts";

const FAR = 2 * 1024 * 1024;
const LARGEST = 256 * 1024;
const NOTHING = { places: [], damaged: [] };

/** The journal of a spool in which nothing else is. */
class Left implements Disposable {
  readonly layout = new Layout(Deno.makeTempDirSync());

  constructor() {
    ensureJournals(this.layout, disk);
  }

  /** One batch behind the other, in one of the files; where they begin. */
  lay(file: 0 | 1, ...batches: readonly Uint8Array[]): number[] {
    let at = 0;
    const places = batches.map(({ length }) => (at += length) - length);
    using open = Deno.openSync(this.layout.journals[file], { write: true });
    for (const batch of batches) open.writeSync(batch);
    return places;
  }

  change(file: 0 | 1, at: number, octets = new Uint8Array([0x80])): void {
    using open = Deno.openSync(this.layout.journals[file], { write: true });
    open.seekSync(at, Deno.SeekMode.Start);
    open.writeSync(octets);
  }

  found(journaled = 0) {
    return leftIn(this.layout, disk, journaled);
  }

  sequences(journaled = 0): number[] {
    return this.found(journaled).places.map(({ sequence }) => sequence);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.layout.folder, { recursive: true });
  }
}

const sized = (size: number, head: Partial<Head>): Uint8Array =>
  batchOf([writtenOfSize(size)], head);
const some = (sequences: readonly number[], head: Partial<Head> = {}): Uint8Array[] =>
  sequences.map((sequence) => sized(sequence % 2 === 0 ? 10 : 3 * PAGE, { ...head, sequence }));

/** Without what is only there to fill the last page. */
const lengthOf = (octets: Uint8Array): number => octets.findLastIndex((octet) => octet !== 0) + 1;

/** A message in which there is a batch, at the beginning of each page that it takes. */
function forging(head: Partial<Head>): Written {
  const forged = batchOf([writtenOf({ id: "forged" })], { salt: 666, ...head });
  const before = PAGE - lengthOf(batchOf([writtenOfSize(0)]));
  const octets = new Uint8Array(before + 5 * PAGE);
  for (let at = before; at < octets.length; at += PAGE) octets.set(forged, at);
  return { ...writtenOf(), chunks: [octets], size: octets.length };
}

/** What is in a batch is not looked for. */
const asFound = (places: readonly NewPlace[]): Place[] =>
  places.map(({ messages: _, rows: __, ...place }) => place);

Deno.test("in files that are empty or not there is nothing", () => {
  using left = new Left();
  assert.deepEqual([left.found(), left.found(7), lastIn(left.layout, disk)], [NOTHING, NOTHING, 0]);
  for (const path of left.layout.journals) Deno.removeSync(path);
  assert.deepEqual([left.found(), left.found(7), lastIn(left.layout, disk)], [NOTHING, NOTHING, 0]);
});

Deno.test("what the journal has kept is found where it is, behind what the tables have", async () => {
  using left = new Left();
  const { layout } = left;
  const paths = layout.journals;
  const { journal, places } = begun(disk.files, { paths, sequence: 5, checksum: disk.checksum });
  await until(() => places.at(-1)?.file === 1, () => keepMany(journal, 3, LARGEST));
  await keepMany(journal, 40, 100);
  assert.ok(places.length > 4);
  for (const journaled of [5, ...places.map(({ sequence }) => sequence)]) {
    const behind = places.filter(({ sequence }) => sequence > journaled);
    assert.deepEqual(left.found(journaled), { places: asFound(behind), damaged: [] });
  }
  assert.equal(lastIn(layout, disk), places.at(-1)!.sequence);

  // The first file is used again: what is left in it behind its new end is of before.
  journal.taken(journal.sequence);
  await until(() => places.at(-1)!.file === 0, () => keepMany(journal, 3, LARGEST));
  await keepMany(journal, 3, 100);
  journal.close();
  const used = places.slice(-2);
  const [stale] = places.filter(({ file, at }) => file === 0 && at >= endOf(used[1]));
  assert.ok(stale !== undefined && endOf(used[1]) < FAR);
  const old = headOf(disk.files.part(paths[0], stale.at, stale.length), disk.checksum);
  assert.equal(old?.sequence, stale.sequence, "it is still there, and whole");
  const since = places.filter(({ file, sequence }) => file === 1 || sequence >= used[0].sequence);
  assert.deepEqual(left.found(since[0].sequence - 1), { places: asFound(since), damaged: [] });
  assert.equal(lastIn(layout, disk), used[1].sequence);
  assert.deepEqual(
    left.found(0).places,
    asFound(since),
    "also where nobody knows what the tables have",
  );
});

Deno.test("what a message has in it is no batch, though it looks like one", () => {
  using left = new Left();
  const first = batchOf([forging({ sequence: 2 })], { sequence: 1 });
  const forged = first.subarray(PAGE);
  assert.ok(headOf(forged, disk.checksum) !== undefined, "it looks like one");
  assert.equal(messagesOf(forged)[0].message.id, "forged");
  left.lay(0, first, ...some([2, 3]));
  assert.deepEqual(left.sequences(), [1, 2, 3]);
  assert.equal(lastIn(left.layout, disk), 3);
});

Deno.test("what a message has in it is no batch, though its own is damaged or old", () => {
  using left = new Left();
  const [, second] = left.lay(
    0,
    ...some([1]),
    batchOf([forging({})], { sequence: 2 }),
    ...some([3]),
  );
  left.change(0, second + PAGE - 1);
  assert.deepEqual(left.sequences(), [1, 3]);
  left.lay(1, batchOf([forging({ sequence: 9 })], { sequence: 2, salt: 5 }));
  left.lay(1, ...some([4], { salt: 6 }));
  assert.deepEqual(left.sequences(), [1, 3, 4]);
});

Deno.test("what a message has in it is no batch, though its own is the first and damaged", () => {
  using left = new Left();
  left.lay(0, batchOf([forging({ sequence: 2 })], { sequence: 1 }), ...some([2, 3]));
  left.change(0, PAGE - 1);
  assert.deepEqual(left.sequences(), [2, 3]);
  assert.equal(lastIn(left.layout, disk), 3);
  const ids = left.found().places.flatMap(({ at, length }) =>
    messagesOf(disk.files.part(left.layout.journals[0], at, length)).map(({ message }) =>
      message.id
    )
  );
  assert.ok(!ids.includes("forged"));
});

Deno.test("what an old message has in it is no batch, though the first of the new is torn", () => {
  using left = new Left();
  left.lay(0, batchOf([forging({ sequence: 99 })], { sequence: 1, salt: 5 }));
  left.lay(0, sized(2 * PAGE, { sequence: 2, salt: 6 }).subarray(0, PAGE));
  assert.deepEqual(left.found(1), NOTHING);
});

const ENDS: Record<string, (octets: Uint8Array) => Uint8Array> = {
  "the last octet is missing": (octets) => octets.subarray(0, lengthOf(octets) - 1),
  "all but a page is missing": (octets) => octets.subarray(0, PAGE),
  "the first octet is missing": (octets) => octets.with(0, 0),
  "the last page was not written": (octets) => octets.fill(0, octets.length - PAGE),
  "only the last page was written": (octets) => octets.fill(0, 0, octets.length - PAGE),
};
for (const [what, tear] of Object.entries(ENDS)) {
  Deno.test(`a last batch of which ${what} is none: it was never acknowledged`, () => {
    using left = new Left();
    const torn = tear(sized(3 * PAGE, { sequence: 4 }));
    const [, , , at] = left.lay(0, ...some([1, 2, 3]), torn);
    assert.deepEqual([left.sequences(), left.found().damaged], [[1, 2, 3], []]);
    assert.deepEqual(left.found(3), NOTHING);
    // And where there is something behind it, of before.
    const old = (sequence: number) =>
      batchOf([writtenOf({ text: "of before ".repeat(700) })], { sequence, salt: 9 });
    const stale = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(old);
    assert.ok(left.lay(0, ...stale).at(-1)! > at + 4 * PAGE);
    left.lay(0, ...some([1, 2, 3]), torn);
    assert.deepEqual([left.sequences(), left.found().damaged], [[1, 2, 3], []]);
  });
}

Deno.test("behind a damaged batch the others are found, wherever it is damaged", () => {
  using left = new Left();
  const batches = some([1, 2, 3, 4, 5]);
  const places = left.lay(0, ...batches);
  left.lay(1, ...some([6, 7], { salt: 2 }));
  for (const damaged of [1, 2, 3, 4, 5]) {
    const { length } = batches[damaged - 1];
    for (const part of [0, 10, 14, 20, 30, 35, 43, 47, 60, 300, length - PAGE + 200]) {
      const at = places[damaged - 1] + part;
      const [octet] = disk.files.part(left.layout.journals[0], at, 1);
      left.change(0, at, new Uint8Array([octet ^ 0x55]));
      const { places: found, damaged: files } = left.found();
      const others = [1, 2, 3, 4, 5, 6, 7].filter((sequence) => sequence !== damaged);
      assert.deepEqual(found.map(({ sequence }) => sequence), others, `${part} of ${damaged}`);
      assert.ok(files.includes(left.layout.journals[0]));
      assert.deepEqual(left.found(damaged).damaged, [], "the tables have it");
      left.change(0, at, new Uint8Array([octet]));
    }
  }
  assert.deepEqual(left.found().damaged, []);
});

Deno.test("behind much damage the others are found", () => {
  using left = new Left();
  const large = batchOf(Array.from({ length: 9 }, () => writtenOfSize(LARGEST)), { sequence: 2 });
  const [, second, third] = left.lay(0, ...some([1]), large, ...some([3, 4]));
  for (let at = second; at < third; at += PAGE) left.change(0, at);
  assert.deepEqual(left.sequences(), [1, 3, 4]);
  left.change(0, second, crypto.getRandomValues(new Uint8Array(PAGE)));
  assert.deepEqual(left.sequences(), [1, 3, 4]);
});

Deno.test("to look for what is left takes no longer for what messages have in them", () => {
  using left = new Left();
  // Each page begins a batch of which the rest is not there.
  const head = sized(LARGEST, { salt: 666 }).subarray(0, PAGE);
  const octets = new Uint8Array(8 * LARGEST);
  for (let at = 0; at < octets.length; at += PAGE) octets.set(head, at);
  left.lay(0, octets);
  left.lay(0, ...some([1, 2]));
  let read = 0;
  const part = (...[path, at, length]: Parameters<typeof disk.files.part>) => {
    const octets = disk.files.part(path, at, length);
    read += octets.length;
    return octets;
  };
  const { places } = leftIn(left.layout, { ...disk, files: { ...disk.files, part } }, 0);
  assert.deepEqual(places.map(({ sequence }) => sequence), [1, 2]);
  assert.ok(read < 4 * octets.length, `what is there was read ${read / octets.length} times`);
});

Deno.test("a file of which nothing is left is named as damaged", () => {
  using left = new Left();
  left.lay(0, sized(10, { sequence: 1 }));
  left.lay(1, ...some([2, 3], { salt: 2 }));
  left.change(0, 100);
  assert.deepEqual(left.sequences(), [2, 3]);
  assert.ok(left.found().damaged.includes(left.layout.journals[0]));
});

const PLANTS = { "a symbolic link": Deno.symlinkSync, "a hard link": Deno.linkSync };
for (const [what, plant] of Object.entries(PLANTS)) {
  Deno.test(`${what} in the place of a file of the journal is refused`, () => {
    for (const file of [0, 1] as const) {
      using left = new Left();
      using elsewhere = new Left();
      elsewhere.lay(0, ...some([1]));
      Deno.removeSync(left.layout.journals[file]);
      plant(elsewhere.layout.journals[0], left.layout.journals[file]);
      const refusal = (error: unknown) => {
        assert.ok(error instanceof SpoolError);
        const name = left.layout.journals[file];
        assert.match(
          error.message,
          new RegExp(`open ${name}: it is a (link|file with another name)`),
        );
        return true;
      };
      assert.throws(() => left.found(), refusal);
      assert.throws(() => lastIn(left.layout, disk), refusal);
      assert.throws(() => ensureJournals(left.layout, disk), refusal);
    }
  });
}
