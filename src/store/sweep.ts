/**
 * Removes messages that have left the queue and are old enough: names first, rows last, so
 * that whatever fails is found again the next time.
 *
 * Promises: a message with a recipient in the queue is never removed. Names of mail that the store
 * has lost are removed when their day is as old.
 */

import type { Database } from "../ports/database.ts";
import type { Disk } from "../ports/files.ts";
import type { Swept } from "../ports/store.ts";
import type { Layout } from "./layout.ts";
import type { Times } from "./look.ts";

/** As many at once, so that mail comes in between. */
const MOST = 200;
/** The same of names that are looked at. */
const MOST_NAMES = 1_000;
const DAY = 86_400_000;
const NAME = /^([0-9a-z]+)_[0-9a-f]{16}\.eml$/;

export interface SweptPart extends Swept {
  /** Behind this message it goes on; none: that was all. */
  readonly next: number | undefined;
}

export class Sweeps {
  readonly #layout: Layout;
  readonly #disk: Disk;
  readonly #old;
  readonly #addresses;
  readonly #remove;
  readonly #hasMessage;
  /** Still to be removed in this sweep. */
  #lost: Iterator<string | undefined> | undefined;

  constructor(database: Database, layout: Layout, disk: Disk) {
    this.#layout = layout;
    this.#disk = disk;
    this.#old = database.prepare(
      "SELECT number, id, received_at FROM message WHERE number > ? AND entered_at < ? " +
        "AND NOT EXISTS (SELECT 1 FROM recipient WHERE message = number AND state IN (0, 1)) " +
        `ORDER BY number LIMIT ${MOST}`,
    );
    this.#hasMessage = database.prepare("SELECT 1 FROM message WHERE id = ?");
    this.#addresses = database.prepare("SELECT address FROM recipient WHERE message = ?");
    this.#remove = ["attempt", "recipient", "message"].map((table) =>
      database.prepare(
        `DELETE FROM ${table} WHERE ${table === "message" ? "number" : "message"} = ?`,
      )
    );
  }

  /** What came before this time, by the store's clock. */
  sweep(before: number, from: number, { time, wall }: Times): SweptPart {
    const problems: string[] = [];
    const rows = this.#old.all(from, before);
    const days = new Set<string>();
    let messages = 0;
    for (const { number, id, received_at } of rows) {
      const receivedAt = Number(received_at);
      const addresses = this.#addresses.all(number).map(({ address }) => String(address));
      const names = this.#layout.names(
        { id: String(id), receivedAt, addresses },
        this.#disk.digest,
      );
      const isRemoved = attempt(`remove names of ${id}`, problems, () => {
        // A link in the place of the folder is not followed: what it leads to is not ours.
        const isThere = this.#disk.files.look(this.#layout.day(receivedAt))?.kind === "folder";
        if (isThere) { for (const name of names) this.#disk.files.remove(name); }
        this.#disk.files.remove(this.#layout.body(String(id)));
      });
      if (!isRemoved) continue;
      for (const statement of this.#remove) statement.run(number);
      days.add(this.#layout.day(receivedAt));
      messages++;
    }
    for (const day of days) this.#removeIfEmpty(day);
    const last = rows.length === 0 ? from : Number(rows.at(-1)!.number);
    // Whichever clock says that less time has passed.
    const isAll = rows.length < MOST &&
      this.#removeLost(Math.min(before, wall - (time - before)), problems);
    return { messages, problems, next: isAll ? undefined : last };
  }

  /** Looks at some of the names whose day is as old; whether that was all. */
  #removeLost(before: number, problems: string[]): boolean {
    this.#lost ??= this.#lostNames(before);
    for (let left = MOST_NAMES; left > 0; left--) {
      const { done, value } = this.#nextLost(this.#lost);
      if (done) return true;
      if (value === undefined) continue;
      attempt(`remove ${value}`, problems, () => void this.#disk.files.remove(value));
    }
    return false;
  }

  #nextLost(lost: Iterator<string | undefined>): IteratorResult<string | undefined> {
    let next: IteratorResult<string | undefined> = { done: true, value: undefined };
    try {
      return next = lost.next();
    } finally {
      // Or it has failed: the next sweep begins anew.
      if (next.done) this.#lost = undefined;
    }
  }

  /** Names that no message of the store has; nothing in the place of each other. */
  *#lostNames(before: number): Generator<string | undefined> {
    const { files } = this.#disk;
    for (const name of files.names(this.#layout.folder)) {
      const day = `${this.#layout.folder}/${name}`;
      const end = Date.parse(name) + DAY;
      if (this.#layout.day(end - DAY) !== day || end > before) continue;
      if (files.look(day)?.kind !== "folder") continue;
      for (const file of files.names(day)) {
        const id = NAME.exec(file)?.[1];
        const isLost = id !== undefined && this.#hasMessage.get(id) === undefined;
        yield isLost ? `${day}/${file}` : undefined;
      }
      this.#removeIfEmpty(day);
    }
  }

  #removeIfEmpty(day: string): void {
    try {
      if (this.#disk.files.look(day)?.kind !== "folder") return;
      if (this.#disk.files.names(day).length === 0) this.#disk.files.removeFolder(day);
    } catch {
      // It is only an empty folder; it is tried again when the next message of that day goes.
    }
  }
}

function attempt(what: string, problems: string[], act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    problems.push(`${what}: ${error instanceof Error ? error.message : error}`);
    return false;
  }
}
