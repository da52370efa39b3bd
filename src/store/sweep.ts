/**
 * Removes messages that have left the queue and are old enough: names first, rows last, so
 * that whatever fails is found again the next time.
 *
 * Promises: a message with a recipient in the queue is never removed.
 */

import type { Database } from "../ports/database.ts";
import type { Disk } from "../ports/files.ts";
import type { Swept } from "../ports/store.ts";
import type { Layout } from "./layout.ts";

/** As many at once, so that mail comes in between. */
const MOST = 200;

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

  constructor(database: Database, layout: Layout, disk: Disk) {
    this.#layout = layout;
    this.#disk = disk;
    this.#old = database.prepare(
      "SELECT number, id, received_at FROM message WHERE number > ? AND entered_at < ? " +
        "AND NOT EXISTS (SELECT 1 FROM recipient WHERE message = number AND state IN (0, 1)) " +
        `ORDER BY number LIMIT ${MOST}`,
    );
    this.#addresses = database.prepare("SELECT address FROM recipient WHERE message = ?");
    this.#remove = ["attempt", "recipient", "message"].map((table) =>
      database.prepare(
        `DELETE FROM ${table} WHERE ${table === "message" ? "number" : "message"} = ?`,
      )
    );
  }

  sweep(before: number, from: number): SweptPart {
    const rows = this.#old.all(from, before);
    const problems: string[] = [];
    const days = new Set<string>();
    let messages = 0;
    for (const { number, id, received_at } of rows) {
      const receivedAt = Number(received_at);
      const addresses = this.#addresses.all(number).map(({ address }) => String(address));
      const names = this.#layout.names(
        { id: String(id), receivedAt, addresses },
        this.#disk.digest,
      );
      try {
        // A link in the place of the folder is not followed: what it leads to is not ours.
        const isThere = this.#disk.files.look(this.#layout.day(receivedAt))?.kind === "folder";
        if (isThere) { for (const name of names) this.#disk.files.remove(name); }
        this.#disk.files.remove(this.#layout.body(String(id)));
      } catch (error) {
        problems.push(`remove names of ${id}: ${error instanceof Error ? error.message : error}`);
        continue;
      }
      for (const statement of this.#remove) statement.run(number);
      days.add(this.#layout.day(receivedAt));
      messages++;
    }
    for (const day of days) this.#removeIfEmpty(day);
    const next = rows.length < MOST ? undefined : Number(rows.at(-1)!.number);
    return { messages, problems, next };
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
