/**
 * The journal: nothing is said to be kept before it is synced, all that wait share one sync, and
 * after a failure it keeps nothing until it is begun anew.
 */

import assert from "node:assert/strict";
import { disk } from "../../src/deno/files.ts";
import { StoreError, StoreFullError } from "../../src/ports/store.ts";
import type { Journal, Place } from "../../src/store/journal.ts";
import { headOf, messagesOf } from "../../src/store/journal_batch.ts";
import {
  begun,
  endOf,
  HeldFiles,
  isSettled,
  keepMany,
  TIME,
  turn,
  writtenOf,
} from "../fakes/journal.ts";

const MIB = 1024 * 1024;
const LARGEST = 256 * 1024;

async function onRealFiles(
  run: (journal: Journal, places: Place[], paths: readonly [string, string]) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const paths = [`${folder}/journal-1`, `${folder}/journal-2`] as const;
  for (const path of paths) await Deno.writeTextFile(path, "of another time");
  const { journal, places } = begun(disk.files, { paths, sequence: 41, checksum: disk.checksum });
  try {
    await run(journal, places, paths);
  } finally {
    journal.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("what is kept lies in its file, in its order, where it is said to", async () => {
  await onRealFiles(async (journal, places, paths) => {
    const ids = Array.from({ length: 40 }, (_, i) => `m${i}`);
    const keep = (ids: string[]) =>
      Promise.all(ids.map((id, i) => journal.keep(writtenOf({ id, text: "x".repeat(i * 200) }))));
    await keep(ids.slice(0, 1));
    await keep(ids.slice(1, 30));
    await keep(ids.slice(30));
    const found = places.map(({ file, at, length, sequence }) => {
      const octets = disk.files.part(paths[file], at, length);
      const head = headOf(octets, disk.checksum)!;
      assert.deepEqual([head.sequence, head.time], [sequence, TIME]);
      return messagesOf(octets).map(({ message }) => message.id);
    });
    assert.deepEqual(found.flat(), ids);
    assert.deepEqual(places.map(({ sequence }) => sequence), [42, 43, 44]);
    const file = Deno.readFileSync(paths[0]);
    assert.ok(
      file.length > endOf(places[2]) && file.subarray(endOf(places[2])).every((o) => o === 0),
    );
    assert.equal(Deno.statSync(paths[1]).size, 0, "nothing of another time is left");
  });
});

Deno.test("a journal that is begun anew has nothing of before, and another salt", async () => {
  await onRealFiles(async (journal, places, paths) => {
    const salts = new Set<number>();
    for (let i = 0; i < 3; i++) {
      await journal.keep(writtenOf());
      const { at, length } = places[i];
      assert.equal(at, 0);
      salts.add(headOf(disk.files.part(paths[0], at, length), disk.checksum)!.salt);
      journal.taken(places[i].sequence);
      journal.empty();
      assert.deepEqual(paths.map((path) => Deno.statSync(path).size), [0, 0]);
    }
    assert.equal(salts.size, 3);
  });
});

Deno.test("nothing is told to be kept before its sync has ended, and to the tables first", async () => {
  const files = new HeldFiles();
  const events: string[] = [];
  const { journal } = begun(files, { kept: () => events.push("for the tables") });
  const keep = journal.keep(writtenOf()).then(() => events.push("kept"));
  const sync = await files.nextSync();
  assert.equal(files.writes.length, 1, "written before it is synced");
  await turn();
  events.push("synced");
  sync.resolve();
  await keep;
  assert.deepEqual(events, ["synced", "for the tables", "kept"]);
});

Deno.test("all that wait while a sync is under way share the next", async () => {
  const files = new HeldFiles();
  const { journal, places } = begun(files);
  const first = keepMany(journal, 3);
  const sync = await files.nextSync();
  const others = keepMany(journal, 500);
  assert.equal(await isSettled(first), false);
  sync.resolve();
  await first;
  const next = await files.nextSync();
  assert.equal(await isSettled(others), false);
  next.resolve();
  await others;
  assert.equal(files.syncs, 2);
  const [one, two] = places;
  assert.deepEqual([one.sequence, two.sequence, two.at], [1, 2, endOf(one)]);
});

Deno.test("those who come back soon with the next message share a sync again", async () => {
  const files = new HeldFiles({ isHeld: false });
  const { journal } = begun(files);
  await Promise.all(Array.from({ length: 20 }, async (_, client) => {
    for (let i = 0; i < 5; i++) {
      await journal.keep(writtenOf());
      for (let turn = 0; turn < client % 10; turn++) await undefined;
    }
  }));
  assert.equal(files.syncs, 5);
});

Deno.test("a batch is no larger than that the first need not wait long for the last", async () => {
  const files = new HeldFiles({ isHeld: false });
  const { journal, places } = begun(files);
  await keepMany(journal, 9, LARGEST);
  assert.equal(files.syncs, 3);
  await keepMany(journal, 1025, 1);
  assert.equal(files.syncs, 6);
  for (const { length } of places) assert.ok(length <= MIB + LARGEST);
});

const FAILURES = {
  "write fails": (files: HeldFiles, why: string) => files.failNext("write", why),
  "sync fails": (files: HeldFiles, why: string) =>
    void files.nextSync().then((sync) => sync.reject(new Error(why))),
};
for (const [what, fail] of Object.entries(FAILURES)) {
  Deno.test(`a ${what}: all that waited are refused, until it is begun anew`, async () => {
    const files = new HeldFiles();
    const { journal, places } = begun(files);
    const before = journal.keep(writtenOf());
    (await files.nextSync()).resolve();
    await before;
    fail(files, "input/output error");
    const waiting = Array.from({ length: 600 }, () => journal.keep(writtenOf()));
    for (const settled of await Promise.allSettled(waiting)) {
      assert.ok(settled.status === "rejected" && settled.reason instanceof StoreError);
    }
    assert.deepEqual([journal.isOpen, journal.isDone, journal.isUsed], [false, false, false]);
    await assert.rejects(journal.keep(writtenOf()), StoreError);
    assert.equal(places.length, 1, "the tables are told of nothing that was refused");
    assert.equal(files.inUse, 0);

    const failed = journal.sequence;
    journal.empty();
    assert.deepEqual([journal.isOpen, journal.isDone, files.inUse], [true, true, 2]);
    const after = journal.keep(writtenOf());
    (await files.nextSync()).resolve();
    await after;
    assert.equal(places[1].at, 0);
    assert.ok(places[1].sequence > failed && failed > places[0].sequence);
  });

  Deno.test(`a ${what} for want of room: whoever waited may come again`, async () => {
    const files = new HeldFiles();
    const { journal } = begun(files);
    fail(files, "No space left on device (os error 28)");
    await assert.rejects(journal.keep(writtenOf()), StoreFullError);
  });
}

for (const call of ["open", "empty"] as const) {
  Deno.test(`begun anew but for one ${call} that fails: nothing is kept in the wrong place`, async () => {
    const files = new HeldFiles({ isHeld: false });
    const { journal, places } = begun(files);
    await keepMany(journal, 3);
    if (call === "open") journal.close();
    files.failNext(call, "it fails", 1);
    assert.throws(() => journal.empty(), /it fails/);
    assert.equal(files.inUse, journal.isOpen ? 2 : 0, "a descriptor is lost");
    await journal.keep(writtenOf()).catch(() => {});
    journal.taken(journal.sequence);
    journal.empty();
    await journal.keep(writtenOf());
    assert.deepEqual(places.map(({ at }) => at), files.writes);
  });
}

Deno.test("it is done when the tables have all, and used when there is something in it", async () => {
  const files = new HeldFiles();
  const { journal } = begun(files, { sequence: 5 });
  const state = () => [journal.isDone, journal.isUsed];
  assert.deepEqual(state(), [true, false]);
  const keep = journal.keep(writtenOf());
  assert.deepEqual(state(), [false, false], "somebody waits");
  (await files.nextSync()).resolve();
  await keep;
  assert.deepEqual(state(), [false, false], "the tables do not have it");
  await turn();
  journal.taken(6);
  assert.deepEqual(state(), [true, true]);
  journal.empty();
  assert.deepEqual(state(), [true, false]);
  journal.close();
  assert.deepEqual(state(), [false, false]);
});
