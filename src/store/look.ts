/** Reads what is in the store, for people and for those who show it to them. Changes nothing. */

import type { Database, Row } from "../ports/database.ts";
import type {
  Filter,
  MessageRow,
  RecipientRow,
  RecipientState,
  ShownMessage,
  Tally,
} from "../ports/store.ts";
import { ORIGINS } from "./commit.ts";
import { numberOf, PLACE, senderOf, stateOf, STATES } from "./rows.ts";

const COLUMNS =
  "number, id, origin, received_at, client, sender, wishes, subject, size, checksum, place";

/** How far the store's time is from the clock on the wall. */
export interface Times {
  readonly time: number;
  readonly wall: number;
}

/** How long a daemon may have been down for that time to count for the mail in its queue. */
const LONGEST_GAP = 24 * 3_600_000;

/** The store's time for whoever comes new to it: it goes on from where it was seen last. */
export function timeSince(seen: Times, wall: number): number {
  if (seen.wall === 0) return wall;
  return seen.time + Math.min(Math.max(wall - seen.wall, 0), LONGEST_GAP);
}

export class Looks {
  readonly #database: Database;
  readonly #byId;
  readonly #recipients;
  readonly #attempts;
  readonly #tally;
  readonly #body;
  readonly #owner;
  readonly #earliest;
  readonly #oldest;
  readonly #entered;
  readonly #file;
  readonly #counted;
  readonly #alone;

  constructor(database: Database) {
    this.#database = database;
    const prepare = (sql: string) => database.prepare(sql);
    this.#byId = prepare(`SELECT ${COLUMNS} FROM message WHERE id = ?`);
    this.#recipients = prepare("SELECT * FROM recipient WHERE message = ? ORDER BY position");
    this.#attempts = prepare(
      "SELECT a.at, a.outcome, r.address FROM attempt a JOIN recipient r USING (message, position) " +
        "WHERE a.message = ? ORDER BY a.at, a.position, a.sequence",
    );
    this.#tally = prepare("SELECT * FROM tally");
    this.#body = prepare("SELECT id, size, checksum, place, body FROM message WHERE number = ?");
    this.#owner = prepare("SELECT queued FROM owner WHERE name = ?");
    this.#earliest = prepare("SELECT min(due) AS due FROM destination");
    this.#oldest = prepare(
      "SELECT min(message) AS message FROM recipient INDEXED BY recipient_due WHERE state = 0",
    );
    this.#entered = prepare("SELECT entered_at FROM message WHERE number = ?");
    this.#counted = prepare("SELECT state, count(*) AS recipients FROM recipient GROUP BY state");
    this.#alone = prepare(
      "SELECT count(*) AS recipients FROM recipient " +
        "WHERE state IN (0, 1) AND message NOT IN (SELECT number FROM message)",
    );
    this.#file = prepare(`SELECT 1 FROM message WHERE id = ? AND place = ${PLACE.file}`);
  }

  list({ states, text, before, after, limit }: Filter, times: Times): MessageRow[] {
    const where: string[] = [];
    const values: (string | number)[] = [];
    if (states !== undefined) {
      where.push(
        "EXISTS (SELECT 1 FROM recipient r WHERE r.message = m.number AND " +
          `r.state IN (${states.map(numberOf).join()}))`,
      );
    }
    if (text !== undefined && text !== "") {
      where.push(
        "(instr(keys, ?1) > 0 OR instr(lower(sender), ?1) > 0 OR id = ?1 OR EXISTS " +
          "(SELECT 1 FROM recipient r WHERE r.message = m.number AND instr(lower(address), ?1) > 0))",
      );
      values.push(text.toLowerCase());
    }
    if (before !== undefined) where.push(`number < ${before}`);
    if (after !== undefined) where.push(`number > ${after}`);
    const condition = where.length === 0 ? "" : `WHERE ${where.join(" AND ")}`;
    const order = after === undefined ? "DESC" : "ASC";
    const rows = this.#database.prepare(
      `SELECT ${COLUMNS} FROM message m ${condition} ORDER BY number ${order} LIMIT ${limit}`,
    ).all(...values);
    return rows.map((row) => this.#messageOf(row, times));
  }

  show(id: string, times: Times): ShownMessage | undefined {
    const row = this.#byId.get(id);
    if (row === undefined) return undefined;
    const attempts = this.#attempts.all(row.number).map(({ at, outcome, address }) => ({
      at: Number(at),
      address: String(address),
      outcome: JSON.parse(String(outcome)),
    }));
    return {
      ...this.#messageOf(row, times),
      origin: ORIGINS[Number(row.origin)],
      client: JSON.parse(String(row.client)),
      wishes: senderOf(row),
      attempts,
      hasContent: row.place !== PLACE.gone,
    };
  }

  #messageOf(row: Row, times: Times): MessageRow {
    return {
      number: Number(row.number),
      id: String(row.id),
      receivedAt: Number(row.received_at),
      sender: String(row.sender),
      subject: String(row.subject),
      size: Number(row.size),
      recipients: this.#recipients.all(row.number).map((row) => recipientRow(row, times)),
    };
  }

  /** Where a body is, with what it must be like. */
  body(message: number): Row | undefined {
    return this.#body.get(message);
  }

  /** Whether a message has its body in a file of this name. */
  hasFile(id: string): boolean {
    return this.#file.get(id) !== undefined;
  }

  tally(): Tally {
    const {
      last_number: _,
      named: __,
      journaled: ___,
      seen_time: ____,
      seen_wall: _____,
      ...tally
    } = this.#sums();
    return tally as unknown as Tally;
  }

  /** Recipients by what their rows say; and those in the queue whose message is not there. */
  counted(): { states: Readonly<Record<RecipientState, number>>; alone: number } {
    const states = Object.fromEntries(STATES.map((state) => [state, 0]));
    for (const row of this.#counted.all()) states[stateOf(row)] = Number(row.recipients);
    const alone = Number(this.#alone.get()!.recipients);
    return { states: states as Record<RecipientState, number>, alone };
  }

  /** In the store's time: when the oldest came that is queued, and when the next is due. */
  ages(): { oldest?: number; due?: number } {
    const { due } = this.#earliest.get()!;
    const { message } = this.#oldest.get()!;
    return {
      ...(message !== null && { oldest: Number(this.#entered.get(message)?.entered_at) }),
      ...(due !== null && { due: Number(due) }),
    };
  }

  #sums(): Row {
    const row = this.#tally.get();
    // In the words of the engine, which does not know that there must be one.
    if (row === undefined) throw new Error("database is corrupt: it has no sums");
    return row;
  }

  /** Throws unless all can be read, and says the same everywhere. As slow as the database is large. */
  checkSound(): void {
    const found = this.#database.prepare("PRAGMA integrity_check(1)").get()?.integrity_check;
    if (found !== "ok") throw new Error(`database is corrupt: ${found}`);
  }

  /** Of the last message, of the last that has its names, of the last batch of the journal. */
  numbers(): { last: number; named: number; journaled: number } {
    const { last_number, named, journaled } = this.#sums();
    return { last: Number(last_number), named: Number(named), journaled: Number(journaled) };
  }

  queuedBy(owner: string): number {
    return Number(this.#owner.get(owner)?.queued ?? 0);
  }

  /** When this store was last written to, by its own time and by the clock on the wall. */
  seen(): Times {
    const { seen_time, seen_wall } = this.#sums();
    return { time: Number(seen_time), wall: Number(seen_wall) };
  }
}

function recipientRow(row: Row, { time, wall }: Times): RecipientRow {
  const state = stateOf(row);
  const due = Math.max(Number(row.due), time);
  return {
    address: String(row.address),
    state,
    attempts: Number(row.attempts),
    underway: row.lease !== null,
    ...(state === "queued" && row.lease === null && { nextAttempt: wall + (due - time) }),
    ...(row.last_error !== null && { lastError: String(row.last_error) }),
  };
}
