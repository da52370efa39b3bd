/**
 * Where small messages are made safe: a file that is written over from its beginning, with one
 * sync for all that wait. The tables take from it what they need when there is time.
 *
 * There are two such files: while the tables take what is in the one, the other is written.
 * What was written before has its place on the disk already, and to sync it again costs half of
 * what it costs to sync a file that grows: so their beginnings are used again and again, and
 * only a burst goes on behind them.
 *
 * Promises: `keep` resolves when the message is on stable storage, and what is kept is told in
 * its order. After a failed sync nobody knows what the disk has: all that waited are refused,
 * and nothing more is kept until the files are begun anew.
 */

import type { Disk, Files, OpenFile } from "../ports/files.ts";
import type { Random } from "../ports.ts";
import { StoreError } from "../ports/store.ts";
import { BatchWriter, mostOf, type Written } from "./journal_batch.ts";
import { failureFrom } from "./room.ts";
import { checkFile } from "./spool.ts";

/** Each file takes so much, about: a start after a kill waits until the tables have it all. */
const OCTETS = 256 * 1024 * 1024;
/** Of the tables: one for a message, and one for each recipient. */
const ROWS = 100_000;
/** What both take. */
export const ROOM = { octets: 2 * OCTETS, rows: 2 * ROWS };
/** From here on the other file is begun, as soon as the tables have what is in it. */
const FAR = 2 * 1024 * 1024;
/**
 * To sync a file that has grown costs twice as much: so it grows by as much as this at once. For
 * a large batch that is little, and to write so much more is not.
 */
const AHEAD = 1024 * 1024;
const LARGE_BATCH = AHEAD / 8;
/** As much goes into one batch: more would make the first wait for the last. */
const MOST_OCTETS = 1024 * 1024;
const MOST_MESSAGES = 512;
/** Turns of the microtask queue from an answer to the next message of the same caller. */
const TURNS = 16;

/** Where a batch is. */
export interface Place {
  readonly file: 0 | 1;
  readonly at: number;
  readonly length: number;
  readonly sequence: number;
  /** When it was kept, by the store's clock. */
  readonly time: number;
}

/** Of a batch that was kept just now, and what it gives the tables to do. */
export interface NewPlace extends Place {
  readonly messages: number;
  readonly rows: number;
}

export interface JournalParts {
  readonly files: Pick<Files, "open" | "look">;
  readonly paths: readonly [string, string];
  readonly checksum: Disk["checksum"];
  readonly random: Random;
  /** By the store's clock. */
  time(): number;
  /** A batch is stable: the tables are to take it. */
  kept(place: NewPlace): void;
}

interface Waiting {
  readonly message: Written;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Journal {
  readonly #parts: JournalParts;
  readonly #writer: BatchWriter;
  /** Of the last batch, and of the last that the tables have. */
  #sequence: number;
  #taken: number;
  /** None: it has failed. */
  #files: readonly OpenFile[] | undefined;
  #salt = 0;
  #file: 0 | 1 = 0;
  #at = 0;
  #rows = 0;
  /** How far each file has its place on the disk. */
  readonly #reserved: [number, number] = [0, 0];
  /** The last batch in the other file. */
  #before = 0;
  #waiting: Waiting[] = [];
  #running = false;
  #room = Promise.withResolvers<void>();

  /** Of the last batch that there was, which the tables must have. It is to be emptied first. */
  constructor(parts: JournalParts, sequence: number) {
    this.#parts = parts;
    this.#writer = new BatchWriter(parts.checksum);
    this.#sequence = this.#taken = sequence;
  }

  /** Whether it can keep anything now. */
  get isOpen(): boolean {
    return this.#files !== undefined;
  }

  /** Of the last batch that was kept, or may have been. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Whether the tables have all of it. */
  get isDone(): boolean {
    return this.isOpen && !this.#running && this.#taken === this.#sequence;
  }

  /** Whether there is something in it that nobody needs. */
  get isUsed(): boolean {
    return this.isDone && this.#at > 0;
  }

  keep(message: Written): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ message, resolve, reject });
      if (this.#running) return;
      this.#running = true;
      queueMicrotask(() => this.#run());
    });
  }

  /** The tables have all up to this batch. */
  taken(sequence: number): void {
    this.#taken = Math.max(this.#taken, sequence);
    this.#room.resolve();
    this.#room = Promise.withResolvers();
  }

  /** The tables cannot take anything now: whoever waits for room in vain is told. */
  notTaken(error: Error): void {
    this.#room.promise.catch(() => {});
    this.#room.reject(error);
    this.#room = Promise.withResolvers();
  }

  /** Begins anew. The tables have all that was in it, and are past what may have been. */
  empty(): void {
    const { files, paths } = this.#parts;
    const opened = this.#files === undefined ? [] : [...this.#files];
    this.#files = opened;
    try {
      for (const path of paths.slice(opened.length)) {
        // A link that has taken its place since the start would lead the mail elsewhere.
        checkFile(path, { files });
        opened.push(files.open(path));
      }
      for (const file of opened) file.empty();
      this.#reserved.fill(0);
    } catch (error) {
      this.close();
      throw error;
    }
    this.#taken = this.#before = this.#sequence;
    this.#begin(0);
  }

  close(): void {
    for (const file of this.#files ?? []) file.close();
    this.#files = undefined;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      for (let turn = 0; turn < TURNS; turn++) await undefined;
      const batch = this.#takeSome();
      try {
        await this.#write(batch.map(({ message }) => message));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(failureFrom(error));
      }
    }
    this.#running = false;
  }

  #takeSome(): Waiting[] {
    let octets = 0;
    let count = 0;
    for (const { message } of this.#waiting) {
      octets += mostOf(message);
      if (count > 0 && (octets > MOST_OCTETS || count >= MOST_MESSAGES)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #write(messages: readonly Written[]): Promise<void> {
    if (this.#files === undefined) throw new StoreError("journal: it is closed after a failure");
    if (this.#at >= FAR && this.#taken >= this.#before) this.#beginOther();
    else if (this.#at >= OCTETS || this.#rows >= ROWS) await this.#waitForOther();
    const sequence = ++this.#sequence;
    const head = { salt: this.#salt, sequence, time: this.#parts.time() };
    const octets = this.#writer.write(messages, head);
    try {
      const file = this.#files[this.#file];
      const end = this.#at + octets.length;
      if (end > this.#reserved[this.#file]) {
        const ahead = octets.length < LARGE_BATCH ? AHEAD : 0;
        // First: where there is no place, nobody may find what is refused.
        if (ahead > 0) file.reserve(octets.length + ahead);
        this.#reserved[this.#file] = end + ahead;
      }
      file.write(octets);
      await file.sync();
    } catch (error) {
      this.close();
      throw error;
    }
    const { length } = octets;
    const rows = messages.reduce((sum, { recipients }) => sum + 1 + recipients, 0);
    const place = { file: this.#file, at: this.#at, length, sequence, time: head.time };
    this.#at += length;
    this.#rows += rows;
    this.#parts.kept({ ...place, messages: messages.length, rows });
  }

  async #waitForOther(): Promise<void> {
    while (this.#taken < this.#before) await this.#room.promise;
    this.#beginOther();
  }

  /** The tables have all that is in it. */
  #beginOther(): void {
    this.#before = this.#sequence;
    this.#begin(this.#file === 0 ? 1 : 0);
    this.#files![this.#file].rewind();
  }

  #begin(file: 0 | 1): void {
    this.#file = file;
    this.#at = this.#rows = 0;
    const salt = new Uint8Array(6);
    this.#parts.random.fill(salt);
    this.#salt = salt.reduce((number, octet) => number * 256 + octet, 0);
  }
}
