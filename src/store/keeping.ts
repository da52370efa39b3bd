/**
 * Makes messages safe: small ones in the journal, from where the tables take them; others at
 * once in the tables, their octets in a file where they are many.
 *
 * When the journal fails, what waited for it is refused, and mail goes to the tables until the
 * journal has begun anew.
 */

import type { Log } from "../ports.ts";
import type { Entry } from "../ports/store.ts";
import type { Batches } from "./batches.ts";
import { Bodies } from "./bodies.ts";
import { pack } from "./commit.ts";
import { Journal, type JournalParts, type Place } from "./journal.ts";
import { describe } from "./journal_batch.ts";
import { LARGE, type Layout } from "./layout.ts";
import type { Notice } from "./questions.ts";
import type { Files } from "../ports/files.ts";

/** Nothing was written for so long: what was delivered need not lie in the journal for ever. */
const QUIET = 60_000;

export interface KeepingParts extends Omit<JournalParts, "paths" | "kept"> {
  readonly layout: Layout;
  readonly files: Files;
  readonly batches: Batches;
  readonly log: Log;
  notice(notice: Notice): void;
}

export class Keeping {
  readonly #batches: Batches;
  readonly #bodies: Bodies;
  readonly #log: Log;
  readonly journal: Journal;
  #mending: Promise<void> | undefined;

  /** `journaled`: the last batch of the journal, which the tables have. */
  constructor(parts: KeepingParts, journaled: number) {
    const { batches, files, layout, log, notice } = parts;
    this.#batches = batches;
    this.#log = log;
    this.#bodies = new Bodies(
      files,
      layout,
      (path, why) => notice({ about: "not removed", path, why }),
    );
    const kept = (place: Place) => batches.add(place);
    this.journal = new Journal({ ...parts, paths: layout.journals, kept }, journaled);
  }

  /** Its number, where the tables have it already. */
  async keep(entry: Entry): Promise<number | undefined> {
    const { content } = entry.envelope;
    if (content.size > LARGE) return await this.#keepLarge(entry);
    // A limit is kept by the tables, which know what is queued; and they tell how the disk is.
    const isForJournal = entry.limit === undefined && !this.#batches.failed && this.journal.isOpen;
    if (!isForJournal) return await this.#put(entry);
    try {
      await this.journal.keep({ description: describe(pack(entry)), ...content });
    } catch (error) {
      if (!this.journal.isOpen) this.#mendSoon(String(error));
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

  #mendSoon(error: string): void {
    if (this.#mending !== undefined) return;
    this.#log("warning", "journal failed, mail goes to the tables", { error });
    this.#mending = this.#mend().finally(() => this.#mending = undefined);
  }

  /** Nobody may find what was refused: the tables are told to pass over it. */
  async #mend(): Promise<void> {
    try {
      const { sequence } = this.journal;
      await this.#batches.caughtUp();
      await this.#batches.put(() => ({ kind: "taken", sequence }));
      this.journal.empty();
      this.#log("info", "journal begun anew");
    } catch {
      // It is tried again when the journal is looked after, and mail goes to the tables until then.
    }
  }

  /** From time to time. */
  tend(): void {
    if (!this.journal.isOpen) {
      this.#mending ??= this.#mend().finally(() => this.#mending = undefined);
    } else if (this.journal.isUsed && this.#batches.idleFor() > QUIET) this.journal.empty();
  }

  /** All is in the tables, as far as they can take it. */
  close(): void {
    if (this.journal.isDone) this.journal.empty();
    this.journal.close();
  }
}
