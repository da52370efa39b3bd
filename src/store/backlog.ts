/**
 * What of the journal the tables are still to take. It was acknowledged: it stays here until
 * they have it, however often that fails.
 */

import type { Disk } from "../ports/files.ts";
import { joined } from "../mail/parts.ts";
import type { Operation, Result } from "./engine.ts";
import { type Batch, type Kept, read } from "./journal_batch.ts";
import type { Layout } from "./layout.ts";
import { leftIn } from "./replay.ts";
import type { Notice, Taken } from "./questions.ts";

export class Backlog {
  readonly #layout: Layout;
  readonly #disk: Disk;
  #batches: Batch[] = [];
  #kept: Kept[] = [];

  constructor(layout: Layout, disk: Disk) {
    this.#layout = layout;
    this.#disk = disk;
  }

  add(octets: Uint8Array): void {
    const batch = read(octets, this.#disk.checksum);
    if (batch === undefined) throw new Error("journal: a batch was altered on its way");
    this.#batches.push(batch);
  }

  /** What a daemon that was killed has left, where the tables have all up to this batch. */
  takeUp(journaled: number): Notice[] {
    const { batches, damaged } = leftIn(this.#layout, this.#disk, journaled);
    this.#batches = [...batches];
    return damaged.map((from) => {
      const path = this.#freeName(from);
      this.#disk.files.copy(from, path);
      return { about: "journal damaged", path };
    });
  }

  /** Whether this was taken was not known: the tables have all up to this batch. */
  passOver(journaled: number): void {
    this.#batches = this.#batches.filter(({ sequence }) => sequence > journaled);
  }

  /** What takes them all, to be carried out before anything else. */
  operations(): Operation[] {
    const last = this.#batches.at(-1);
    if (last === undefined) return [];
    this.#kept = this.#batches.flatMap(({ messages }) => messages);
    const operations = this.#batches.flatMap(({ messages, time }) =>
      messages.map((kept): Operation => ({ kind: "take", kept, time }))
    );
    return [...operations, { kind: "taken", sequence: last.sequence }];
  }

  /** They were carried out, with these results. */
  done(results: readonly Result[]): { taken: Taken | undefined; notices: Notice[] } {
    const sequence = this.#batches.at(-1)?.sequence;
    if (sequence === undefined) return { taken: undefined, notices: [] };
    this.#batches = [];
    let last: number | undefined;
    const notices: Notice[] = [];
    for (const [i, kept] of this.#kept.entries()) {
      const result = results[i];
      if ("value" in result) last = result.value as number | undefined ?? last;
      else notices.push({ about: "not taken", path: this.#setAside(kept), why: result.why });
    }
    this.#kept = [];
    return { taken: { sequence, last }, notices };
  }

  /** The tables cannot have it: it is the operator's now. Its envelope, a line, its octets. */
  #setAside({ message, octets }: Kept): string {
    const path = this.#freeName(message.id);
    const envelope = new TextEncoder().encode(JSON.stringify(message) + "\n");
    this.#disk.files.write(path, joined([envelope, octets]));
    return path;
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
