/**
 * What is in a journal, for whoever comes upon it.
 *
 * Promises: every batch that was kept is found, also behind one that is damaged. One that
 * reached the disk only in part was never acknowledged, and is none.
 */

import type { Disk } from "../ports/files.ts";
import type { Place } from "./journal.ts";
import { headOf, lengthAt, PAGE } from "./journal_batch.ts";
import type { Layout } from "./layout.ts";
import { checkFile } from "./spool.ts";

/** Read at once, to look for where batches begin. */
const PART = 256 * PAGE;

export interface Left {
  /** In their order. */
  readonly places: readonly Place[];
  /** Files with damage that is more than an end that was never acknowledged. */
  readonly damaged: readonly string[];
}

/** What the tables do not have, which have all up to this batch. */
export function leftIn(layout: Layout, disk: Disk, journaled: number): Left {
  const found = FILES.map((file) => [...placesIn(layout, file, disk)]);
  const places = found.flat().filter(({ sequence }) => sequence > journaled)
    .toSorted((a, b) => a.sequence - b.sequence);
  const isWhole = places.every(({ sequence }, i) => sequence === journaled + 1 + i);
  const damaged = isWhole ? [] : FILES.filter((file) => found[file].length > 0);
  return { places, damaged: damaged.map((file) => layout.journals[file]) };
}

/** Of the last batch that was kept; 0: there is none. */
export function lastIn(layout: Layout, disk: Disk): number {
  let last = 0;
  for (const file of FILES) {
    for (const { sequence } of placesIn(layout, file, disk)) last = Math.max(last, sequence);
  }
  return last;
}

const FILES = [0, 1] as const;

/**
 * Those of one salt: all others are from before the file was begun anew, or in what somebody
 * has sent.
 */
function* placesIn(layout: Layout, file: 0 | 1, disk: Disk): Generator<Place> {
  const path = layout.journals[file];
  const { files, checksum } = disk;
  const size = files.look(path)?.size ?? 0;
  if (size === 0) return;
  checkFile(path, disk);
  let ours: number | undefined;
  for (let at = 0; at < size;) {
    const begins = nextBeginning(path, at, size, disk);
    if (begins === undefined) return;
    const { length } = begins;
    at = begins.at;
    const head = headOf(files.part(path, at, length), checksum);
    if (head !== undefined && head.salt === (ours ??= head.salt)) {
      yield { file, at, length, sequence: head.sequence };
      at += length;
    } else at += PAGE;
  }
}

/** Where a batch may begin next. */
function nextBeginning(
  path: string,
  from: number,
  size: number,
  { files }: Disk,
): { readonly at: number; readonly length: number } | undefined {
  const next = lengthAt(files.part(path, from, PAGE));
  if (next !== undefined && from + next <= size) return { at: from, length: next };
  for (let start = from + PAGE; start < size; start += PART) {
    const octets = files.part(path, start, PART);
    for (let at = 0; at < octets.length; at += PAGE) {
      const length = lengthAt(octets.subarray(at));
      if (length !== undefined && start + at + length <= size) return { at: start + at, length };
    }
  }
  return undefined;
}
