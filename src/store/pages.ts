/**
 * What is left of a damaged database, read without the engine, which refuses a whole table for
 * one bad page: the rows of every page that is still what it was, whatever became of the trees
 * above them. The form of the file: https://sqlite.org/fileformat2.html
 *
 * Promises: what was never committed is passed over, and so is what was deleted, as far as the
 * first page still leads to the list of free pages; damage costs the rows on the damaged page,
 * and the end of those that went on there; it is never an error.
 */

import type { Value } from "../ports/database.ts";
import type { Files } from "../ports/files.ts";
import { partOf, readLog } from "./log.ts";

export interface Found {
  /** Of tables whose rows have numbers; what is kept by its key has none. */
  readonly number: number | undefined;
  /** As far as they could be read; the rest is `undefined`. */
  readonly values: readonly (Value | undefined)[];
}

const MAGIC = "SQLite format 3\0";
const USUAL_SIZE = 4096;
/** The kinds of pages that have rows. */
const TABLE_LEAF = 13, KEY_LEAF = 10, KEY_BRANCH = 2;
/** No row of ours is larger: what claims to be is not one. */
const MOST_OCTETS = 64 * 1024 * 1024;
/** Pages that are read at once. */
const RUN = 64;

export class Pages {
  readonly #path: string;
  readonly #files: Files;
  readonly #size: number;
  #count: number;
  /** Where pages lie in the log, which has the newer ones. */
  readonly #newer: ReadonlyMap<number, number>;

  constructor(path: string, files: Files) {
    this.#path = path;
    this.#files = files;
    const log = readLog(`${path}-wal`, files);
    this.#size = log.pageSize ?? this.#sizeSaid() ?? USUAL_SIZE;
    this.#newer = log.pages;
    const octets = files.look(path)?.size ?? 0;
    this.#count = Math.floor(octets / this.#size);
    for (const page of log.pages.keys()) this.#count = Math.max(this.#count, page);
  }

  #sizeSaid(): number | undefined {
    const head = new Octets(this.#part(this.#path, 0, 100));
    if (head.text(0, MAGIC.length) !== MAGIC) return undefined;
    const size = head.number(16, 2) === 1 ? 65536 : head.number(16, 2);
    return size >= 512 && (size & (size - 1)) === 0 ? size : undefined;
  }

  *rows(): Generator<Found> {
    const free = this.#freePages();
    for (let first = 1; first <= this.#count; first += RUN) {
      const run = this.#part(this.#path, (first - 1) * this.#size, RUN * this.#size);
      for (let page = first; page < first + RUN && page <= this.#count; page++) {
        if (free[page] === 1) continue;
        const at = (page - first) * this.#size;
        // Of a run that cannot be read some pages may be.
        const octets = this.#newer.has(page) || run.length < at + this.#size
          ? this.#page(page)
          : new Octets(run.subarray(at, at + this.#size));
        yield* this.#rowsOf(octets, page === 1 ? 100 : 0);
      }
    }
  }

  /** One for each page that is free: what is in it was deleted, or is somewhere else now. */
  #freePages(): Uint8Array {
    const free = new Uint8Array(this.#count + 1);
    const head = this.#page(1);
    if (head.text(0, MAGIC.length) !== MAGIC) return free;
    for (let trunk = head.number(32, 4); trunk > 0 && trunk <= this.#count && free[trunk] === 0;) {
      free[trunk] = 1;
      const page = this.#page(trunk);
      const leaves = Math.min(page.number(4, 4), this.#size / 4 - 2);
      for (let i = 0; i < leaves; i++) {
        const leaf = page.number(8 + 4 * i, 4);
        if (leaf > 0 && leaf <= this.#count) free[leaf] = 1;
      }
      trunk = page.number(0, 4);
    }
    return free;
  }

  *#rowsOf(page: Octets, at: number): Generator<Found> {
    const kind = page.number(at, 1);
    if (kind !== TABLE_LEAF && kind !== KEY_LEAF && kind !== KEY_BRANCH) return;
    const cells = at + (kind === KEY_BRANCH ? 12 : 8);
    const count = page.number(at + 3, 2);
    if (cells + 2 * count > this.#size) return;
    for (let i = 0; i < count; i++) {
      const cell = page.number(cells + 2 * i, 2);
      const found = cell < cells + 2 * count ? undefined : this.#row(page, cell, kind);
      if (found !== undefined) yield found;
    }
  }

  #row(page: Octets, cell: number, kind: number): Found | undefined {
    const size = page.varint(kind === KEY_BRANCH ? cell + 4 : cell);
    if (size.value < 2 || size.value > MOST_OCTETS) return undefined;
    const number = kind === TABLE_LEAF ? page.varint(size.end) : undefined;
    const at = number?.end ?? size.end;
    const here = this.#octetsHere(size.value, kind);
    if (at + here > this.#size) return undefined;
    const octets = page.part(at, here);
    const whole = here === size.value
      ? octets
      : this.#join(octets, size.value, page.number(at + here, 4));
    const values = valuesOf(new Octets(whole), size.value);
    return values && { number: number?.value, values };
  }

  /** How many octets of a row are on its page, and not on those it goes on in. */
  #octetsHere(size: number, kind: number): number {
    const usable = this.#size;
    const most = kind === TABLE_LEAF ? usable - 35 : Math.floor((usable - 12) * 64 / 255) - 23;
    if (size <= most) return size;
    const least = Math.floor((usable - 12) * 32 / 255) - 23;
    const here = least + (size - least) % (usable - 4);
    return here <= most ? here : least;
  }

  /** With the pages that a row goes on in, as far as they can be followed. */
  #join(first: Uint8Array, size: number, next: number): Uint8Array {
    const parts = [first];
    let octets = first.length;
    while (octets < size && next > 0 && next <= this.#count) {
      const page = this.#page(next);
      const part = page.part(4, Math.min(this.#size - 4, size - octets));
      if (part.length === 0) break;
      parts.push(part);
      octets += part.length;
      next = page.number(0, 4);
    }
    const whole = new Uint8Array(octets);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  #page(page: number): Octets {
    const newer = this.#newer.get(page);
    return new Octets(
      newer === undefined
        ? this.#part(this.#path, (page - 1) * this.#size, this.#size)
        : this.#part(`${this.#path}-wal`, newer, this.#size),
    );
  }

  #part(path: string, at: number, length: number): Uint8Array {
    return partOf(path, at, length, this.#files);
  }
}

/** Octets that may end early: behind their end is nothing but zeros. */
class Octets {
  readonly #octets: Uint8Array;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  get length(): number {
    return this.#octets.length;
  }

  part(at: number, length: number): Uint8Array {
    return this.#octets.subarray(at, at + length);
  }

  text(at: number, length: number): string {
    return String.fromCharCode(...this.part(at, length));
  }

  number(at: number, length: number): number {
    let value = 0;
    for (let i = at; i < at + length; i++) value = value * 256 + (this.#octets[i] ?? 0);
    return value;
  }

  signed(at: number, length: number): number {
    const value = this.number(at, length);
    const half = 2 ** (8 * length - 1);
    return value >= half ? value - 2 * half : value;
  }

  float(at: number): number {
    const octets = new Uint8Array(8);
    octets.set(this.part(at, 8));
    return new DataView(octets.buffer).getFloat64(0);
  }

  /** Seven bits an octet, the ninth with all eight. */
  varint(at: number): { value: number; end: number } {
    let value = 0;
    for (let i = 0; i < 8; i++) {
      const octet = this.#octets[at + i] ?? 0;
      value = value * 128 + (octet & 127);
      if (octet < 128) return { value, end: at + i + 1 };
    }
    return { value: value * 256 + (this.#octets[at + 8] ?? 0), end: at + 9 };
  }
}

/** The values of a row of so many octets, of which the last may be missing. */
function valuesOf(row: Octets, size: number): (Value | undefined)[] | undefined {
  const head = row.varint(0);
  if (head.value < 1 || head.value > Math.min(size, row.length)) return undefined;
  const values: (Value | undefined)[] = [];
  let value = head.value;
  for (let at = head.end; at < head.value;) {
    const { value: type, end } = row.varint(at);
    const length = lengthOf(type);
    if (length === undefined || value + length > size) return undefined;
    values.push(value + length <= row.length ? valueOf(row, value, type, length) : undefined);
    at = end;
    value += length;
  }
  return value === size ? values : undefined;
}

const LENGTHS = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0];

function lengthOf(type: number): number | undefined {
  return type >= 12 ? Math.floor((type - 12) / 2) : LENGTHS[type];
}

function valueOf(row: Octets, at: number, type: number, length: number): Value | undefined {
  if (type === 0) return null;
  if (type === 7) return row.float(at);
  if (type < 7) return row.signed(at, length);
  if (type < 10) return type - 8;
  const octets = row.part(at, length);
  return type % 2 === 0 ? octets : textOf(octets);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textOf(octets: Uint8Array): string | undefined {
  try {
    return utf8.decode(octets);
  } catch {
    return undefined;
  }
}
