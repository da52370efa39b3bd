/**
 * Where small messages are made safe: a file that is written over from its beginning, with one
 * sync for all that wait. The tables take from it what they need when there is time, and have
 * the sync of their own.
 *
 * There are two such files: while the tables take what is in the one, the other is written.
 * A file that was written over has its place on the disk already, so to sync it costs half of
 * what it costs to sync one that grows.
 *
 * Promises: `keep` resolves when the message is on stable storage, and what is kept is handed
 * on in its order. After a failed sync nobody knows what the disk has: all that waited are
 * refused, and nothing more is kept until the files are begun anew.
 */

import type { Disk, Files, OpenFile } from "../ports/files.ts";
import type { Random } from "../ports.ts";
import { StoreError } from "../ports/store.ts";
import { lengthOf, write, type Written } from "./journal_batch.ts";
import { failureFrom } from "./room.ts";

/** Octets of each file. */
const SIZE = 8 * 1024 * 1024;
/** As much goes into one batch: more would make the first wait for the last. */
const MOST_OCTETS = 1024 * 1024;
const MOST_MESSAGES = 512;
/** Turns of the microtask queue from an answer to the next message of the same caller. */
const TURNS = 8;

export interface JournalParts {
  readonly files: Pick<Files, "open">;
  readonly paths: readonly [string, string];
  readonly checksum: Disk["checksum"];
  readonly random: Random;
  /** By the store's clock. */
  time(): number;
  /** A batch is stable: the tables are to take it. The octets are given away. */
  kept(octets: Uint8Array<ArrayBuffer>): void;
}

interface Waiting {
  readonly message: Written;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Journal {
  readonly #parts: JournalParts;
  /** Of the last batch, and of the last that the tables have. */
  #sequence: number;
  #taken: number;
  #file: OpenFile | undefined;
  #salt = 0;
  #which: 0 | 1 = 0;
  #at = 0;
  /** The last batch in the other file. */
  #before = 0;
  #waiting: Waiting[] = [];
  #running = false;
  #room = Promise.withResolvers<void>();

  /** Of the last batch that there was, which the tables must have. */
  constructor(parts: JournalParts, sequence: number) {
    this.#parts = parts;
    this.#sequence = this.#taken = sequence;
    this.empty();
  }

  /** Whether it can keep anything now. */
  get isOpen(): boolean {
    return this.#file !== undefined;
  }

  /** Of the last batch that was kept, or may have been. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Whether there is anything in it, though the tables have all of it. */
  get isDone(): boolean {
    return this.isOpen && !this.#running && this.#at > 0 && this.#taken === this.#sequence;
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
    this.#proceed();
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
    this.close();
    const file = files.open(paths[0], { empty: true });
    files.open(paths[1], { empty: true }).close();
    this.#taken = this.#sequence;
    this.#before = 0;
    this.#which = 0;
    this.#begin(file);
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#takeSome();
      try {
        await this.#write(batch.map(({ message }) => message));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(failureFrom(error));
      }
      // Those who were just told may have more: it goes with what has waited meanwhile.
      for (let turn = 0; turn < TURNS; turn++) await undefined;
    }
    this.#running = false;
  }

  #takeSome(): Waiting[] {
    let octets = 0;
    let count = 0;
    for (const { message } of this.#waiting) {
      octets += lengthOf(message);
      if (count > 0 && (octets > MOST_OCTETS || count >= MOST_MESSAGES)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #write(messages: readonly Written[]): Promise<void> {
    const { checksum, kept, time } = this.#parts;
    const batch = { salt: this.#salt, sequence: this.#sequence + 1, time: time() };
    const octets = write(messages, batch, checksum);
    if (this.#at + octets.length > SIZE) return await this.#writeAfresh(messages);
    if (this.#file === undefined) throw new StoreError("journal: it is closed after a failure");
    try {
      this.#sequence++;
      this.#file.write(octets);
      await this.#file.sync();
    } catch (error) {
      this.close();
      throw error;
    }
    this.#at += octets.length;
    kept(octets);
  }

  /** In the other file, when the tables have all of it. */
  async #writeAfresh(messages: readonly Written[]): Promise<void> {
    while (this.#taken < this.#before) await this.#room.promise;
    const { files, paths } = this.#parts;
    this.close();
    this.#which = this.#which === 0 ? 1 : 0;
    this.#before = this.#sequence;
    this.#begin(files.open(paths[this.#which]));
    await this.#write(messages);
  }

  #begin(file: OpenFile): void {
    const salt = new Uint8Array(6);
    this.#parts.random.fill(salt);
    this.#salt = salt.reduce((number, octet) => number * 256 + octet, 0);
    this.#file = file;
    this.#at = 0;
  }

  #proceed(): void {
    this.#room.resolve();
    this.#room = Promise.withResolvers();
  }
}
