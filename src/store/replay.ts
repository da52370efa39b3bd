/**
 * What is in a journal, for whoever comes upon it.
 *
 * Promises: every batch that was kept is found, also behind one that is damaged. One that
 * reached the disk only in part was never acknowledged, and is none.
 */

import type { Disk } from "../ports/files.ts";
import type { Place } from "./journal.ts";
import { beginningOf, headOf, PAGE } from "./journal_batch.ts";
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

/** What the tables do not have, which have all up to this batch; less than none: who knows. */
export function leftIn(layout: Layout, disk: Disk, journaled: number): Left {
  const places = FILES.flatMap((file) => [...placesIn(layout, file, disk)])
    .filter(({ sequence }) => sequence > journaled)
    .toSorted((a, b) => a.sequence - b.sequence);
  const first = journaled < 0 ? places[0]?.sequence : journaled + 1;
  const isWhole = places.every(({ sequence }, i) => sequence === first + i);
  const damaged = isWhole ? [] : layout.journals.filter((path) => sizeOf(path, disk) > 0);
  return { places, damaged };
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
 * has sent. Where a file begins nobody else can have written.
 */
function* placesIn(layout: Layout, file: 0 | 1, disk: Disk): Generator<Place> {
  const path = layout.journals[file];
  const { files, checksum } = disk;
  const size = sizeOf(path, disk);
  if (size === 0) return;
  checkFile(path, disk);
  let salt = beginningOf(files.part(path, 0, PAGE), checksum)?.salt;
  for (let at = 0; at < size;) {
    const found = nextBeginning(path, at, { size, salt }, disk);
    if (found === undefined) return;
    const { length } = found;
    at = found.at;
    const head = headOf(files.part(path, at, length), checksum);
    if (head === undefined) at += PAGE;
    else {
      salt ??= head.salt;
      const { sequence, time } = head;
      yield { file, at, length, sequence, time };
      at += length;
    }
  }
}

/** Where a batch of this salt, if that is known, may begin next. */
function nextBeginning(
  path: string,
  from: number,
  { size, salt }: { readonly size: number; readonly salt: number | undefined },
  { files, checksum }: Disk,
): { readonly at: number; readonly length: number } | undefined {
  // Mostly it is here; only behind damage, and behind the last, has it to be looked for.
  let part = PAGE;
  for (let start = from; start < size; start += part, part = PART) {
    const octets = files.part(path, start, part);
    for (let offset = 0; offset < octets.length; offset += PAGE) {
      const begins = beginningOf(octets.subarray(offset), checksum);
      const isOurs = begins !== undefined && (salt === undefined || begins.salt === salt);
      const at = start + offset;
      if (isOurs && at + begins.length <= size) return { at, length: begins.length };
    }
  }
  return undefined;
}

const sizeOf = (path: string, { files }: Disk): number => files.look(path)?.size ?? 0;
