/**
 * The sums that a transaction changes: the tally of states, what each client has queued, when
 * each destination is due. They are gathered, and written once for all the rows of a
 * transaction, so that a message costs no more for them than a batch does.
 */

import type { Database, Statement } from "../ports/database.ts";
import type { RecipientState, Tally } from "../ports/store.ts";
import { isQueued } from "./rows.ts";

export class Ledger {
  readonly #database: Database;
  readonly #keepsTime: boolean;
  readonly #tally = new Map<keyof Tally, number>();
  readonly #owners = new Map<string, number>();
  readonly #due = new Map<string, number>();
  #lastNumber: number | undefined;
  #journaled: number | undefined;
  readonly #updates = new Map<string, Statement>();
  readonly #queued;
  readonly #addOwner;
  readonly #forgetOwner;
  readonly #bringForward;

  constructor(database: Database, { keepsTime }: { keepsTime: boolean }) {
    this.#database = database;
    this.#keepsTime = keepsTime;
    this.#queued = database.prepare("SELECT queued FROM owner WHERE name = ?");
    this.#addOwner = database.prepare(
      "INSERT INTO owner VALUES (?, ?) ON CONFLICT DO UPDATE SET queued = queued + excluded.queued",
    );
    this.#forgetOwner = database.prepare("DELETE FROM owner WHERE name = ? AND queued <= 0");
    this.#bringForward = database.prepare(
      "INSERT INTO destination VALUES (?, ?) " +
        "ON CONFLICT DO UPDATE SET due = excluded.due WHERE due > excluded.due",
    );
  }

  count(name: keyof Tally, recipients: number): void {
    add(this.#tally, name, recipients);
  }

  /** Of the last message that there ever was. */
  lastNumber(number: number): void {
    this.#lastNumber = number;
  }

  /** The tables have this batch of the journal, and all before it. */
  journaled(sequence: number): void {
    this.#journaled = sequence;
  }

  /** Recipients of a client change their state; new ones come from nowhere. */
  move(
    from: RecipientState | undefined,
    to: RecipientState | undefined,
    owner: string,
    recipients = 1,
  ): void {
    if (from === to) return;
    if (from !== undefined) this.count(from, -recipients);
    if (to !== undefined) this.count(to, recipients);
    const was = from !== undefined && isQueued(from);
    const is = to !== undefined && isQueued(to);
    if (was !== is) add(this.#owners, owner, was ? -recipients : recipients);
  }

  /** Recipients of a client in the queue, with those of this transaction. */
  queuedBy(owner: string): number {
    return Number(this.#queued.get(owner)?.queued ?? 0) + (this.#owners.get(owner) ?? 0);
  }

  /** There will be something for this destination then. */
  due(domain: string, time: number): void {
    const known = this.#due.get(domain);
    if (known === undefined || time < known) this.#due.set(domain, time);
  }

  /** For whoever looks, in the same transaction, at what is due. */
  writeDue(): void {
    for (const [domain, due] of this.#due) this.#bringForward.run(domain, due);
    this.#due.clear();
  }

  /** At the end of the transaction. */
  write({ time, wall }: { time: number; wall: number }): void {
    for (const [owner, recipients] of this.#owners) {
      if (recipients === 0) continue;
      this.#addOwner.run(owner, recipients);
      if (recipients < 0) this.#forgetOwner.run(owner);
    }
    this.writeDue();
    this.#writeTally(time, wall);
    this.clear();
  }

  #writeTally(time: number, wall: number): void {
    const changes = [...this.#tally.keys()].map((name) => `${name} = ${name} + ?`);
    const values = [...this.#tally.values()];
    if (this.#lastNumber !== undefined) {
      changes.push("last_number = ?");
      values.push(this.#lastNumber);
    }
    if (this.#journaled !== undefined) {
      changes.push("journaled = ?");
      values.push(this.#journaled);
    }
    if (this.#keepsTime) {
      changes.push("seen_time = ?", "seen_wall = ?");
      values.push(time, wall);
    }
    if (changes.length === 0) return;
    const sql = `UPDATE tally SET ${changes.join()}`;
    // Of the many there could be, few are: most transactions only take messages.
    let update = this.#updates.get(sql);
    if (update === undefined) this.#updates.set(sql, update = this.#database.prepare(sql));
    update.run(...values);
  }

  clear(): void {
    this.#lastNumber = this.#journaled = undefined;
    this.#tally.clear();
    this.#owners.clear();
    this.#due.clear();
  }
}

function add<K>(sums: Map<K, number>, key: K, n: number): void {
  sums.set(key, (sums.get(key) ?? 0) + n);
}
