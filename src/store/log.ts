/**
 * The write-ahead log of a database, read without the engine: which pages were committed to it.
 * The engine takes what stands before the first frame that is not right, and forgets the rest
 * without a word. Its form: https://sqlite.org/fileformat2.html#walformat
 *
 * A frame that is not right is the end of what was written when the power failed; but where
 * whole transactions stand behind the one that it is part of, each of which was only begun
 * when the one before was stable, it is damage.
 */

import type { Files } from "../ports/files.ts";

/** What begins every log; the last bit says in which order the octets of a sum are. */
const MAGIC = 0x377f0682;
const FORM = 3007000;
const HEAD = 32;
const FRAME_HEAD = 24;
const USUAL_PAGE = 4096;

export interface Log {
  /** None: the log does not say. */
  readonly pageSize: number | undefined;
  /** Where the newest form of a page lies in the log. */
  readonly pages: ReadonlyMap<number, number>;
  readonly isDamaged: boolean;
}

type Sums = readonly [number, number];

export function readLog(path: string, files: Files): Log {
  const found = files.look(path);
  const head = found?.kind === "file" ? partOf(path, 0, HEAD, files) : new Uint8Array(0);
  if (head.length < HEAD) return { pageSize: undefined, pages: new Map(), isDamaged: false };
  const begin = viewOf(head);
  const isBegin = (begin.getUint32(0) | 1) === (MAGIC | 1) && begin.getUint32(4) === FORM;
  const pageSize = isBegin ? begin.getUint32(8) : undefined;
  const littleEndian = !isBegin || (begin.getUint32(0) & 1) === 0;
  const first = sum([0, 0], head.subarray(0, 24), littleEndian);
  const isRight = isBegin && isSum(first, begin, 24);
  const frames = new Frames(path, files, {
    pageSize: pageSize ?? USUAL_PAGE,
    littleEndian,
    before: isRight ? { salts: sumAt(begin, 16), sums: first } : undefined,
  });
  const { pages, isDamaged } = frames.read();
  return { pageSize, pages, isDamaged: isDamaged || (!isBegin && found!.size > HEAD) };
}

interface Form {
  readonly pageSize: number;
  readonly littleEndian: boolean;
  /** What the first frame goes on from, where the beginning of the log is right. */
  readonly before: { readonly salts: Sums; readonly sums: Sums } | undefined;
}

class Frames {
  readonly #path: string;
  readonly #files: Files;
  readonly #form: Form;
  readonly #pages = new Map<number, number>();
  /** Of the transaction at hand; of those behind a frame that was not right. */
  #pending = new Map<number, number>();
  #behind = new Map<number, number>();
  #isBehind: boolean;
  /** Transactions that ended since the last frame that was not right. */
  #ends = 0;
  #isDamaged = false;

  constructor(path: string, files: Files, form: Form) {
    this.#path = path;
    this.#files = files;
    this.#form = form;
    this.#isBehind = form.before === undefined;
  }

  read(): { pages: ReadonlyMap<number, number>; isDamaged: boolean } {
    const { pageSize, littleEndian, before } = this.#form;
    let salts = before?.salts;
    let sums = before?.sums;
    // Where the beginning does not say which salts are right, the first frames that agree do.
    let isSure = before !== undefined;
    for (let at = HEAD;; at += FRAME_HEAD + pageSize) {
      const octets = partOf(this.#path, at, FRAME_HEAD + pageSize, this.#files);
      if (octets.length < FRAME_HEAD + pageSize) break;
      const frame = viewOf(octets);
      if (sums !== undefined) {
        sums = sum(sums, octets.subarray(0, 8), littleEndian);
        sums = sum(sums, octets.subarray(FRAME_HEAD), littleEndian);
      }
      // What an earlier use of the log has left has other salts.
      const isOurs = salts !== undefined && isSum(salts, frame, 8);
      const isRight = isOurs && sums !== undefined && isSum(sums, frame, 16);
      if (isRight) this.#take(frame, at + FRAME_HEAD);
      else this.#passOver();
      isSure ||= isRight;
      if (!isSure) salts = sumAt(frame, 8);
      sums = sumAt(frame, 16);
    }
    return { pages: this.#pages, isDamaged: this.#isDamaged };
  }

  #take(frame: DataView, at: number): void {
    this.#pending.set(frame.getUint32(0), at);
    // The last frame of a transaction says how large the database is then.
    if (frame.getUint32(4) === 0) return;
    const to = this.#isBehind ? this.#behind : this.#pages;
    for (const [page, place] of this.#pending) to.set(page, place);
    this.#pending.clear();
    if (!this.#isBehind || ++this.#ends < 2) return;
    this.#isDamaged = true;
    for (const [page, place] of this.#behind) this.#pages.set(page, place);
    this.#behind.clear();
    this.#ends--;
  }

  #passOver(): void {
    this.#isBehind = true;
    this.#pending.clear();
    this.#behind.clear();
    this.#ends = 0;
  }
}

/** Fewer octets, or none, where the disk does not give them. */
export function partOf(path: string, at: number, length: number, files: Files): Uint8Array {
  try {
    return files.part(path, at, length);
  } catch {
    return new Uint8Array(0);
  }
}

function sum([first, second]: Sums, octets: Uint8Array, littleEndian: boolean): Sums {
  const view = viewOf(octets);
  for (let at = 0; at + 8 <= octets.length; at += 8) {
    first = (first + view.getUint32(at, littleEndian) + second) >>> 0;
    second = (second + view.getUint32(at + 4, littleEndian) + first) >>> 0;
  }
  return [first, second];
}

const sumAt = (view: DataView, at: number): Sums => [view.getUint32(at), view.getUint32(at + 4)];

function isSum([first, second]: Sums, view: DataView, at: number): boolean {
  return view.getUint32(at) === first && view.getUint32(at + 4) === second;
}

function viewOf(octets: Uint8Array): DataView {
  return new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
}
