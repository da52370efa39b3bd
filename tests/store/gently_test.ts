/** What can wait leaves the processor to those who bring mail: names, and what nobody delivers. */

import assert from "node:assert/strict";
import { resourceUsage } from "node:process";
import { disk } from "../../src/deno/files.ts";
import { rest } from "../../src/deno/thread.ts";
import { Batches } from "../../src/store/batches.ts";
import { Layout } from "../../src/store/layout.ts";
import type { Named } from "../../src/store/names.ts";
import type { WriterAnswer, WriterQuestion } from "../../src/store/questions.ts";
import { Reader } from "../../src/store/reader.ts";
import { View } from "../../src/store/view.ts";
import { Writer } from "../../src/store/writer.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { turn } from "../fakes/journal.ts";
import { entryOf, TestStore } from "../fakes/store.ts";

const receivedAt = Date.UTC(2026, 10, 20);

/** How often whoever does this lets go of the processor. */
function switches(work: () => void): number {
  const before = resourceUsage().voluntaryContextSwitches;
  work();
  return resourceUsage().voluntaryContextSwitches - before;
}

Deno.test("whoever rests lets go of the processor, and comes back by himself", () => {
  const times = 100;
  const work = (milliseconds: number) => {
    for (let i = 0; i < times; i++) {
      const start = performance.now();
      while (performance.now() - start < milliseconds);
      rest();
    }
  };
  assert.ok(switches(() => work(0.3)) >= times);
  // Not much was done between one and the next.
  assert.ok(switches(() => work(0)) < times);
});

Deno.test("names are written gently while mail comes in, and only then", async () => {
  const clock = new TurnedClock();
  const asked: boolean[] = [];
  let idle = 0;
  const view = new View({
    clock,
    log() {},
    time: () => 0,
    idleFor: () => idle,
    write(after, _most, gently) {
      asked.push(gently);
      idle += 15;
      return Promise.resolve({
        until: after + 1,
        reached: 0,
        messages: 1,
        damaged: [],
        replaced: [],
      });
    },
    release: () => Promise.resolve(),
    damaged() {},
  }, { last: 3, named: 0 });
  while (view.lag > 0) {
    clock.turn(1_000);
    await turn();
  }
  assert.deepEqual(asked, [true, true, false]);
  view.close();
});

Deno.test("whoever writes names gently rests after each, else never", async () => {
  await using test = await TestStore.open({ viewed: false });
  for (let i = 0; i < 5; i++) {
    await test.store.commit(entryOf({ to: ["a@x.example", "b@x.example"], receivedAt }));
  }
  await test.store.probe();
  const written = () => disk.files.names(new Layout(test.folder).day(receivedAt)).length;
  const rests: number[] = [];
  const reader = new Reader(disk, () => rests.push(written()));
  reader.answer({ kind: "open", folder: test.folder });
  const name = (gently: boolean) =>
    (reader.answer({ kind: "name", after: 0, most: 10, gently }) as Named).messages;
  assert.equal(name(true), 5);
  assert.deepEqual(rests, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.equal(name(false), 5);
  assert.equal(rests.length, 10);
});

Deno.test("the writer rests before each that is to be done gently, else never", () => {
  const folder = Deno.makeTempDirSync();
  let rests = 0;
  const writer = new Writer(disk, () => rests++);
  writer.answer({ kind: "open", folder: `${folder}/spool`, viewed: false, wall: 0 });
  const times = { time: 0, wall: 0 };
  const write = (gently: boolean): WriterAnswer =>
    writer.answer({
      kind: "write",
      operations: Array.from({ length: 25 }, () => ({ kind: "probe" })),
      octets: new Uint8Array(0),
      places: [],
      times,
      gently,
    });
  assert.equal(write(false).kind, "written");
  assert.equal(rests, 0);
  assert.equal(write(true).kind, "written");
  assert.equal(rests, 25);
  writer.answer({ kind: "close" });
  Deno.removeSync(folder, { recursive: true });
});

/** Batches, and which of their transactions were to be gentle; each takes ten milliseconds. */
function batchesOf({ isAwaited = false } = {}) {
  const clock = new TurnedClock();
  const asked: boolean[] = [];
  let sequence = 0;
  const writer = {
    ask(question: WriterQuestion): Promise<WriterAnswer> {
      const { gently, operations } = question as WriterQuestion & { kind: "write" };
      asked.push(gently);
      clock.turn(10);
      const results = operations.map(() => ({ value: undefined }));
      return Promise.resolve({
        kind: "written",
        results,
        notices: [],
        taken: { sequence, last: sequence },
      });
    },
    end() {},
  };
  const batches = new Batches({
    ...{ writer, clock, isAwaited: () => isAwaited, times: () => ({ time: 0, wall: 0 }) },
    notice() {},
    taken() {},
    notTaken() {},
  });
  const keep = async () => {
    const place = { file: 0, at: 0, length: 4096, messages: 1, rows: 2, time: 0 } as const;
    batches.add({ ...place, sequence: ++sequence });
    await turn();
  };
  return { batches, clock, asked, keep };
}

Deno.test("the tables take gently while mail comes in, and only then", async () => {
  const { batches, clock, asked, keep } = batchesOf();
  await keep();
  assert.deepEqual(asked, [true]);
  await keep();
  assert.deepEqual(asked, [true], "it rests after what it has done");
  clock.turn(20);
  await turn();
  assert.deepEqual(asked, [true, false]);
  batches.close();
});

Deno.test("they do not where somebody waits for it", async () => {
  const delivering = batchesOf({ isAwaited: true });
  await delivering.keep();
  assert.deepEqual(delivering.asked, [false]);
  delivering.batches.close();

  const { batches, asked, keep } = batchesOf();
  await keep();
  await keep();
  await batches.caughtUp();
  assert.deepEqual(asked, [true, false]);
  batches.close();
});
