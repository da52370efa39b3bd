/**
 * What of the journal the tables are still to take. It was acknowledged: it stays here until
 * they have it, however often that fails.
 */

import type { Disk, OpenFile } from "../ports/files.ts";
import { joined } from "../mail/parts.ts";
import type { Operation, Result } from "./engine.ts";
import type { Place } from "./journal.ts";
import { headOf, type Kept, messagesOf } from "./journal_batch.ts";
import type { Layout } from "./layout.ts";
import { leftIn } from "./replay.ts";
import type { Notice, Taken } from "./questions.ts";

/** As much goes into one transaction. */
const MOST_OCTETS = 2 * 1024 * 1024;

export class Backlog {
  readonly #layout: Layout;
  readonly #disk: Disk;
  #places: Place[] = [];
  /** They stay open: when there are no descriptors any more, mail goes on. */
  #files: readonly OpenFile[] = [];
  /** Of them, those that are being taken, and the messages in them. */
  #taking = 0;
  #messages: Kept[] = [];
  /** What is being taken lies in it. */
  #memory = new Uint8Array(0);
  #damaged = false;
  #passed: Taken | undefined;
  #trouble: string | undefined;
  #toldTrouble: string | undefined;

  constructor(layout: Layout, disk: Disk) {
    this.#layout = layout;
    this.#disk = disk;
  }

  get isEmpty(): boolean {
    return this.#places.length === 0;
  }

  close(): void {
    for (const file of this.#files) file.close();
    this.#files = [];
  }

  add(places: readonly Place[]): void {
    // One by one: there may be more of them than a call takes arguments.
    for (const place of places) this.#places.push(place);
  }

  /** What a daemon that was killed has left, where the tables have all up to this batch. */
  takeUp(journaled: number): Notice[] {
    const { places, damaged } = leftIn(this.#layout, this.#disk, journaled);
    this.#places = [...places];
    this.close();
    this.#files = this.#layout.journals.map((path) => this.#disk.files.open(path));
    return damaged.map((path) => this.#copyAside(path));
  }

  #copyAside(from: string): Notice {
    try {
      const path = this.#freeName(from);
      this.#disk.files.copy(from, path);
      return { about: "journal damaged", path };
    } catch (error) {
      return { about: "journal damaged", path: `(it cannot be set aside: ${error})` };
    }
  }

  /** Whether this was taken was not known: the tables have all up to this batch. */
  passOver({ journaled, last }: { journaled: number; last: number }): void {
    const left = this.#places.filter(({ sequence }) => sequence > journaled);
    // They were taken, and nobody has been told.
    if (left.length < this.#places.length) this.#passed = { sequence: journaled, last };
    this.#places = left;
  }

  /** What takes the first of them, to be carried out before anything else. */
  operations(): Operation[] {
    this.#messages = [];
    this.#taking = 0;
    this.#damaged = false;
    try {
      return this.#read();
    } catch (error) {
      // They are tried again; what else is to be written is written.
      this.#taking = 0;
      this.#trouble ??= error instanceof Error ? error.message : String(error);
      return [];
    }
  }

  #read(): Operation[] {
    const operations: Operation[] = [];
    for (const { octets, sequence } of this.#first()) {
      const head = headOf(octets, this.#disk.checksum);
      this.#taking++;
      if (head?.sequence !== sequence) {
        this.#damaged = true;
        continue;
      }
      for (const kept of messagesOf(octets)) {
        this.#messages.push(kept);
        operations.push({ kind: "take", kept, time: head.time });
      }
    }
    if (this.#taking === 0) return [];
    const { sequence } = this.#places[this.#taking - 1];
    return [...operations, { kind: "taken", sequence }];
  }

  /** Read in pieces: batches lie one behind the other. */
  *#first(): Generator<{ octets: Uint8Array; sequence: number }> {
    const [first] = this.#places;
    if (first === undefined) return;
    let end = first.at;
    const run: Place[] = [];
    for (const place of this.#places) {
      const isNext = place.file === first.file && place.at === end;
      if (!isNext || (run.length > 0 && end + place.length - first.at > MOST_OCTETS)) break;
      end += place.length;
      run.push(place);
    }
    const octets = this.#files[first.file].part(first.at, this.#memoryOf(end - first.at));
    for (const { at, length, sequence } of run) {
      const from = at - first.at;
      yield { octets: octets.subarray(from, from + length), sequence };
    }
  }

  /** The same again and again: to have it anew from the system costs as much as to read it. */
  #memoryOf(length: number): Uint8Array<ArrayBuffer> {
    if (length > this.#memory.length) this.#memory = new Uint8Array(Math.max(length, MOST_OCTETS));
    return this.#memory.subarray(0, length);
  }

  /** They were carried out, with these results. */
  done(results: readonly Result[]): { taken: Taken | undefined; notices: Notice[] } {
    const passed = this.#passed;
    this.#passed = undefined;
    if (this.#taking === 0) return { taken: passed, notices: this.#troubles() };
    this.#trouble = undefined;
    this.#toldTrouble = undefined;
    const { file, sequence } = this.#places[this.#taking - 1];
    this.#places = this.#places.slice(this.#taking);
    let last = passed?.last;
    const notices = this.#damaged ? [this.#copyAside(this.#layout.journals[file])] : [];
    for (const [i, kept] of this.#messages.entries()) {
      const result = results[i];
      if ("value" in result) last = result.value as number | undefined ?? last;
      else notices.push(this.#setAside(kept, result.why));
    }
    this.#messages = [];
    return { taken: { sequence, last }, notices };
  }

  /** Each once. */
  #troubles(): Notice[] {
    const why = this.#trouble;
    if (why === undefined || why === this.#toldTrouble) return [];
    this.#toldTrouble = why;
    this.#trouble = undefined;
    return [{ about: "journal not read", why }];
  }

  /** The tables cannot have it: it is the operator's now. Its envelope, a line, its octets. */
  #setAside({ message, octets }: Kept, why: string): Notice {
    const envelope = new TextEncoder().encode(JSON.stringify(message) + "\n");
    try {
      const path = this.#freeName(message.id);
      this.#disk.files.write(path, joined([envelope, octets]));
      return { about: "not taken", path, why };
    } catch (error) {
      return { about: "not taken", path: `(${message.id} is nowhere: ${error})`, why };
    }
  }

  #freeName(path: string): string {
    const { quarantine } = this.#layout;
    const taken = new Set(this.#disk.files.names(quarantine));
    const name = path.slice(path.lastIndexOf("/") + 1);
    let number = 1;
    while (taken.has(`${name}-${number}`)) number++;
    return `${quarantine}/${name}-${number}`;
  }
}
