/** Messages, batches and files for tests of the journal. */

import { setImmediate } from "node:timers/promises";
import { disk } from "../../src/deno/files.ts";
import { random } from "../../src/deno/random.ts";
import type { Files, OpenFile } from "../../src/ports/files.ts";
import { pack } from "../../src/store/commit.ts";
import { Journal, type NewPlace, type Place } from "../../src/store/journal.ts";
import { BatchWriter, describe, type Head, type Written } from "../../src/store/journal_batch.ts";
import { entryOf, type Given } from "./store.ts";

/** As the store hands it to the journal. */
export function writtenOf(given: Given = {}): Written {
  const entry = entryOf(given);
  const { content, recipients } = entry.envelope;
  return { description: describe(pack(entry)), recipients: recipients.length, ...content };
}

const FILLING = new Uint8Array(256 * 1024).fill("x".charCodeAt(0));

/** Octets that are all alike: it costs nothing to have many such. */
export function writtenOfSize(size: number): Written {
  return { ...writtenOf(), chunks: [FILLING.subarray(0, size)], size };
}

/** Octets of its own. */
export function batchOf(messages: readonly Written[], head: Partial<Head> = {}): Uint8Array {
  const whole = { salt: 1, sequence: 1, time: 0, ...head };
  return new BatchWriter(disk.checksum).write(messages, whole).slice();
}

export const PATHS = ["journal-1", "journal-2"] as const;
/** When all is kept. */
export const TIME = Date.UTC(2026, 10, 20);

/** A journal, and where it has kept what. */
export function begun(
  files: Pick<Files, "open">,
  { paths = PATHS, sequence = 0, checksum = () => 0, kept = () => {} }: {
    paths?: readonly [string, string];
    sequence?: number;
    checksum?: (octets: Uint8Array) => number;
    kept?: (place: NewPlace) => void;
  } = {},
) {
  const places: NewPlace[] = [];
  const tell = (place: NewPlace) => {
    places.push(place);
    kept(place);
  };
  const time = () => TIME;
  const known = { look: () => undefined, open: (path: string) => files.open(path) };
  const journal = new Journal(
    { files: known, paths, checksum, random, time, kept: tell },
    sequence,
  );
  journal.empty();
  return { journal, places };
}

/** All that can happen by itself has happened. */
export const turn = () => setImmediate();

export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.catch(() => {}).then(() => settled = true);
  await turn();
  return settled;
}

export const keepMany = (journal: Journal, count: number, size = 10, recipients = 1) =>
  Promise.all(
    Array.from({ length: count }, () => journal.keep({ ...writtenOfSize(size), recipients })),
  );

export async function until(isSo: () => boolean, act: () => Promise<unknown>): Promise<void> {
  for (let times = 0; !isSo(); times++) {
    if (times > 1_000) throw new Error("it never is");
    await act();
  }
}

export const endOf = (place: Place | undefined): number =>
  place === undefined ? 0 : place.at + place.length;

type Call = "open" | "reserve" | "write" | "empty";

/** Files without a disk, whose syncs end when they are told to. */
export class HeldFiles {
  syncs = 0;
  /** Where in its file each began. */
  readonly writes: number[] = [];
  /** Where in its file place for more was reserved, and how much. */
  readonly reserved: (readonly [number, number])[] = [];
  /** How many are open. */
  inUse = 0;
  readonly #isHeld: boolean;
  readonly #held: PromiseWithResolvers<void>[] = [];
  readonly #wanted: PromiseWithResolvers<PromiseWithResolvers<void>>[] = [];
  readonly #failures = new Map<Call, { readonly why: string; left: number }>();

  constructor({ isHeld = true } = {}) {
    this.#isHeld = isHeld;
  }

  /** To be ended by whoever asks; when it begins, should there be none. */
  nextSync(): Promise<PromiseWithResolvers<void>> {
    const [sync] = this.#held.splice(0, 1);
    if (sync !== undefined) return Promise.resolve(sync);
    const wanted = Promise.withResolvers<PromiseWithResolvers<void>>();
    this.#wanted.push(wanted);
    return wanted.promise;
  }

  /** The next one that is called; or after so many that go well. */
  failNext(call: Call, why: string, left = 0): void {
    this.#failures.set(call, { why, left });
  }

  open(): OpenFile {
    this.#failWhereTold("open");
    this.inUse++;
    let at = 0;
    return {
      write: ({ length }) => {
        this.#failWhereTold("write");
        this.writes.push(at);
        at += length;
      },
      reserve: (length) => {
        this.#failWhereTold("reserve");
        this.reserved.push([at, length]);
      },
      sync: () => this.#sync(),
      rewind: () => at = 0,
      empty: () => {
        this.#failWhereTold("empty");
        at = 0;
      },
      part: () => new Uint8Array(0),
      close: () => this.inUse--,
    };
  }

  #sync(): Promise<void> {
    this.syncs++;
    if (!this.#isHeld) return Promise.resolve();
    const sync = Promise.withResolvers<void>();
    const wanted = this.#wanted.shift();
    if (wanted === undefined) this.#held.push(sync);
    else wanted.resolve(sync);
    return sync.promise;
  }

  #failWhereTold(call: Call): void {
    const failure = this.#failures.get(call);
    if (failure === undefined || failure.left-- > 0) return;
    this.#failures.delete(call);
    throw new Error(failure.why);
  }
}

/** Files without a disk, and which of what was kept in them was written over before its time. */
export class GuardedFiles {
  readonly overwritten: Place[] = [];
  taken = 0;
  failsNext = false;
  #kept: Place[] = [];

  kept(place: NewPlace): void {
    this.#kept.push(place);
  }

  /** The tables have all up to this one. */
  take(sequence: number): number {
    this.taken = Math.max(this.taken, sequence);
    this.#kept = this.#kept.filter(({ sequence }) => sequence > this.taken);
    return sequence;
  }

  open(path: string): OpenFile {
    const file = PATHS.findIndex((name) => name === path);
    let at = 0;
    return {
      write: ({ length }) => {
        this.#write(file, at, at + length);
        at += length;
      },
      reserve: (length) => this.#write(file, at, at + length),
      sync: async () => {
        await undefined;
        if (!this.failsNext) return;
        this.failsNext = false;
        throw new Error("input/output error");
      },
      rewind: () => at = 0,
      empty: () => {
        this.#write(file, 0, Infinity);
        at = 0;
      },
      part: () => new Uint8Array(0),
      close() {},
    };
  }

  #write(file: number, from: number, to: number): void {
    const hit = this.#kept.filter((kept) =>
      kept.file === file && kept.at < to && from < kept.at + kept.length
    );
    this.overwritten.push(...hit);
  }
}
