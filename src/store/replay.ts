/**
 * What a daemon that was killed has left in its journal, for the tables.
 *
 * Promises: every batch that was kept is found, also behind one that is damaged; what is in
 * the tables is not given again. A batch that reached the disk only in part was never
 * acknowledged, and is passed over.
 */

import type { Disk } from "../ports/files.ts";
import { type Batch, PAGE, read } from "./journal_batch.ts";
import type { Layout } from "./layout.ts";
import { checkFile } from "./spool.ts";

export interface Left {
  /** In their order. */
  readonly batches: readonly Batch[];
  /** Files with damage that is more than an end that was never acknowledged. */
  readonly damaged: readonly string[];
}

/** What the tables do not have, which have all up to this batch. */
export function leftIn(layout: Layout, disk: Disk, journaled: number): Left {
  const found = layout.journals.map((path) => ({ path, batches: batchesIn(path, disk) }));
  const batches = found.flatMap(({ batches }) => batches)
    .filter(({ sequence }) => sequence > journaled)
    .toSorted((a, b) => a.sequence - b.sequence);
  let expected = journaled + 1;
  const missingBefore = batches.filter(({ sequence }) => {
    const isNext = sequence === expected;
    expected = sequence + 1;
    return !isNext;
  });
  const damaged = missingBefore.length === 0
    ? []
    : found.filter(({ batches }) => batches.length > 0).map(({ path }) => path);
  return { batches, damaged };
}

/** Of the last that was kept; 0: there is none. */
export function lastIn(layout: Layout, disk: Disk): number {
  const all = layout.journals.flatMap((path) => batchesIn(path, disk));
  return all.reduce((last, { sequence }) => Math.max(last, sequence), 0);
}

/** Those of the present salt: what lies behind them is from before, or what a client sent. */
function batchesIn(path: string, { files, checksum }: Disk): Batch[] {
  if (files.look(path) === undefined) return [];
  checkFile(path, { files });
  const octets = files.read(path);
  const batches: Batch[] = [];
  for (let at = 0; at < octets.length;) {
    const batch = read(octets.subarray(at), checksum);
    const isOurs = batch !== undefined && batch.salt === (batches[0] ?? batch).salt;
    if (isOurs) batches.push(batch);
    at += isOurs ? batch.length : PAGE;
  }
  return batches;
}
