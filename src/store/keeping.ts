/**
 * Makes messages safe: small ones in the journal, from where the tables take them; others at
 * once in the tables, their octets in a file where they are many.
 *
 * When the journal fails, what waited for it is refused, and mail goes to the tables until the
 * journal has begun anew.
 */

import type { Clock, Log } from "../ports.ts";
import type { Entry } from "../ports/store.ts";
import type { Batches } from "./batches.ts";
import { Bodies } from "./bodies.ts";
import { pack } from "./commit.ts";
import { Journal, type JournalParts, type NewPlace } from "./journal.ts";
import { describe } from "./journal_batch.ts";
import { LARGE, type Layout } from "./layout.ts";
import type { Notice } from "./questions.ts";
import type { Files } from "../ports/files.ts";

/** It was given nothing for so long: what was delivered need not lie in the journal for ever. */
const QUIET = 60_000;
/** After a failure the journal is left alone for so long. */
const REST = 5_000;

export interface KeepingParts extends Omit<JournalParts, "paths" | "kept"> {
  readonly layout: Layout;
  readonly files: Files;
  readonly batches: Batches;
  readonly clock: Pick<Clock, "monotonic">;
  readonly log: Log;
  notice(notice: Notice): void;
}

export class Keeping {
  readonly #batches: Batches;
  readonly #bodies: Bodies;
  readonly #log: Log;
  readonly journal: Journal;
  readonly #clock: Pick<Clock, "monotonic">;
  #failedAt: number | undefined;
  #passedOver = false;
  #closed = false;

  /** `journaled`: the last batch of the journal, which the tables have. */
  constructor(parts: KeepingParts, journaled: number) {
    const { batches, clock, files, layout, log, notice } = parts;
    this.#batches = batches;
    this.#clock = clock;
    this.#log = log;
    this.#bodies = new Bodies(
      files,
      layout,
      (path, why) => notice({ about: "not removed", path, why }),
    );
    const kept = (place: NewPlace) => batches.add(place);
    this.journal = new Journal({ ...parts, paths: layout.journals, kept }, journaled);
    this.#empty();
  }

  /** Its number, where the tables have it already. */
  async keep(entry: Entry): Promise<number | undefined> {
    const { content } = entry.envelope;
    if (content.size > LARGE) return await this.#keepLarge(entry);
    // A limit is kept by the tables, which know what is queued; and they tell how the disk is.
    const isForJournal = entry.limit === undefined && !this.#batches.failed && this.journal.isOpen;
    if (!isForJournal) {
      if (entry.limit !== undefined) await this.#batches.caughtUp();
      return await this.#put(entry);
    }
    try {
      const description = describe(pack(entry));
      const recipients = entry.envelope.recipients.length;
      const { chunks, size } = content;
      await this.journal.keep({ description, recipients, chunks, size });
    } catch (error) {
      if (!this.journal.isOpen) this.#failed(String(error));
      throw error;
    }
    return undefined;
  }

  async #keepLarge(entry: Entry): Promise<number> {
    const { content, id } = entry.envelope;
    const checksum = await this.#bodies.keep(id, content);
    try {
      return await this.#put(entry, checksum);
    } catch (error) {
      this.#bodies.forget(id);
      throw error;
    }
  }

  async #put(entry: Entry, checksum?: number): Promise<number> {
    const contents = checksum === undefined ? [entry.envelope.content] : [];
    const number = await this.#batches.put((at) => {
      const body = checksum === undefined ? { at } : { checksum };
      return { kind: "commit", message: { ...pack(entry), limit: entry.limit, body } };
    }, contents);
    return number as number;
  }

  #failed(error: string): void {
    if (this.#closed || this.#failedAt !== undefined) return;
    this.#failedAt = this.#clock.monotonic();
    this.#log("warning", "journal failed, mail goes to the tables", { error });
    void this.#passOver();
  }

  #empty(): void {
    try {
      this.journal.empty();
    } catch (error) {
      this.#failed(String(error));
    }
  }

  /** Nobody may find what was refused: the tables are told to pass over it. */
  async #passOver(): Promise<void> {
    const { sequence } = this.journal;
    try {
      await this.#batches.caughtUp();
      await this.#batches.put(() => ({ kind: "taken", sequence }));
      this.#passedOver = true;
    } catch {
      // It is tried again when the journal is looked after.
    }
  }

  /** From time to time. */
  async tend(): Promise<void> {
    if (this.#failedAt === undefined) {
      if (this.journal.isUsed && this.#batches.quietFor() > QUIET) this.#empty();
      return;
    }
    if (this.#clock.monotonic() - this.#failedAt < REST) return;
    if (!this.#passedOver) await this.#passOver();
    if (!this.#passedOver) return;
    try {
      this.journal.empty();
      this.#failedAt = undefined;
      this.#passedOver = false;
      this.#log("info", "journal begun anew");
    } catch {
      // It cannot be opened yet.
    }
  }

  /** All is in the tables, as far as they can take it. */
  close(): void {
    this.#closed = true;
    try {
      if (this.journal.isDone) this.journal.empty();
    } catch {
      // The next daemon does it.
    }
    this.journal.close();
  }
}
