/**
 * Puts rows that were found in a damaged database, in whatever order, into a new one, and
 * makes of them what it must be: each message with its recipients, and sums that hold.
 *
 * A row that is found twice was left behind somewhere: the one that has gone further counts.
 */

import type { Database, Statement, Value } from "../ports/database.ts";
import type { Disk } from "../ports/files.ts";
import type { Found } from "./pages.ts";
import { numberOf, PLACE, STATES } from "./rows.ts";
import type { Salvaged } from "./salvage.ts";

type Row = Record<string, Value | undefined>;
type Sums = Record<string, number>;

/** Rows that go into one transaction: nobody sees the database before it is done. */
const MOST = 5_000;

export class Rescue {
  readonly #to: Database;
  readonly #checksum: Disk["checksum"];
  readonly #columns: Readonly<Record<string, readonly string[]>>;
  readonly #add: Readonly<Record<string, Statement>>;
  readonly #damage: Statement;
  #tally: Sums | undefined;

  constructor(to: Database, checksum: Disk["checksum"]) {
    this.#to = to;
    this.#checksum = checksum;
    to.exec("CREATE TEMP TABLE damaged (message INTEGER PRIMARY KEY)");
    this.#damage = to.prepare("INSERT OR IGNORE INTO damaged VALUES (?)");
    const columns = (table: string) =>
      to.prepare(`PRAGMA table_info(${table})`).all().map(({ name }) => String(name));
    const tables = ["message", "recipient", "attempt", "tally"];
    this.#columns = Object.fromEntries(tables.map((table) => [table, columns(table)]));
    const add = (table: string, twice: string) =>
      to.prepare(
        `INSERT INTO ${table} VALUES (${this.#columns[table].map(() => "?").join()}) ` +
          `ON CONFLICT DO ${twice}`,
      );
    this.#add = {
      message: add(
        "message",
        "UPDATE SET place = excluded.place, body = NULL " +
          "WHERE excluded.place > place",
      ),
      recipient: add(
        "recipient",
        "UPDATE SET attempts = excluded.attempts, " +
          "state = excluded.state, due = excluded.due, lease = excluded.lease, " +
          "last_error = excluded.last_error " +
          "WHERE (excluded.attempts, excluded.state) > (attempts, state)",
      ),
      attempt: add("attempt", "NOTHING"),
    };
  }

  run(rows: Iterable<Found>): Omit<Salvaged, "path"> {
    this.#to.exec("BEGIN");
    let left = MOST;
    for (const row of rows) {
      this.#take(row);
      if (--left > 0) continue;
      this.#to.exec("COMMIT; BEGIN");
      left = MOST;
    }
    const lost = this.#removeHalves();
    const lostRecipients = this.#sum(this.#quarantine());
    const damaged = this.#number("SELECT count(*) FROM damaged JOIN message ON message = number");
    const kept = this.#number("SELECT count(*) FROM message");
    this.#to.exec("COMMIT; DROP TABLE damaged");
    if (this.#tally === undefined) {
      return { kept, damaged, lost: "unknown", lostRecipients: "unknown" };
    }
    return { kept, damaged, lost, lostRecipients };
  }

  /** Of which table a row is shows in how many values it has. */
  #take({ number, values }: Found): void {
    const row = (table: string): Row => {
      const columns = this.#columns[table];
      if (columns.length !== values.length) return {};
      return Object.fromEntries(columns.map((name, i) => [name, values[i]]));
    };
    if (number === undefined) {
      for (const [table, isGood] of [["recipient", isRecipient], ["attempt", isAttempt]] as const) {
        if (isGood(row(table))) this.#put(table, row(table));
      }
    } else if (values[0] === null) this.#takeMessage({ ...row("message"), number });
    else this.#takeTally(row("tally"));
  }

  #put(table: string, row: Row): void {
    this.#add[table].run(...Object.values(row) as Value[]);
  }

  #takeMessage(row: Row): void {
    const isWhole = this.#isWhole(row);
    const { subject = "", keys = "", size = 0, checksum = 0 } = row;
    const left: Row = { ...row, subject, keys, size, checksum, place: PLACE.gone, body: null };
    const kept = isWhole ? row : left;
    if (!isMessage(kept)) return;
    if (!isWhole) this.#damage.run(kept.number!);
    this.#put("message", kept);
  }

  #isWhole(row: Row): boolean {
    if (Object.values(row).includes(undefined)) return false;
    const { size, checksum, place, body } = row;
    return place !== PLACE.row ||
      (body instanceof Uint8Array && body.length === size && this.#checksum(body) === checksum);
  }

  #takeTally(row: Row): void {
    if (!isCount(row.last_number) || !Object.values(row).every(isCount)) return;
    if (row.last_number >= (this.#tally?.last_number ?? 0)) this.#tally = row as Sums;
  }

  /** Messages without recipients, recipients without a message: how many messages that were. */
  #removeHalves(): number {
    const alone = "number NOT IN (SELECT message FROM recipient)";
    const missing = "message NOT IN (SELECT number FROM message)";
    const lost = this.#number(`SELECT count(*) FROM message WHERE ${alone}`) +
      this.#number(`SELECT count(DISTINCT message) FROM recipient WHERE ${missing}`);
    this.#to.exec(`DELETE FROM message WHERE ${alone}`);
    for (const table of ["recipient", "attempt"]) {
      this.#to.exec(`DELETE FROM ${table} WHERE ${missing}`);
    }
    return lost;
  }

  /** How many recipients were in which state before. */
  #quarantine(): Sums {
    const these = "state IN (0, 1, 2) AND message IN (SELECT message FROM damaged)";
    const before = this.#states(`WHERE ${these}`);
    this.#to.prepare(
      `UPDATE recipient SET state = ?, lease = NULL, last_error = ? WHERE ${these}`,
    ).run(numberOf("quarantined"), "its octets could not be read");
    return before;
  }

  /** What the sums must be; the recipients that are in none of the rows any more. */
  #sum(setAside: Sums): number {
    const rows = this.#states("");
    const before = this.#tally ?? this.#tallyOfRows(rows);
    const sums: Sums = { ...before, queued: rows.queued, held: rows.held };
    // Of what has left the queue, rows are removed in time: the old sums know more.
    for (const name of ["delivered", "failed", "dropped"]) {
      sums[name] = Math.max(before[name], rows[name]);
    }
    sums.captured = Math.max(before.captured - setAside.captured, rows.captured);
    const elsewhere = ["queued", "held", "captured", "delivered", "failed", "dropped"]
      .reduce((sum, name) => sum + sums[name], 0);
    const all = before.accepted + before.generated;
    sums.quarantined = Math.max(all - elsewhere, rows.quarantined);
    sums.accepted = elsewhere + sums.quarantined - before.generated;
    sums.bounced = Math.min(before.bounced, sums.failed);
    sums.unbounced = sums.failed - sums.bounced;
    sums.last_number = Math.max(
      before.last_number,
      this.#number("SELECT coalesce(max(number), 0) FROM message"),
    );
    const set = Object.entries(sums).map(([name, n]) => `${name} = ${n}`).join();
    this.#to.exec(`UPDATE tally SET ${set}`);
    this.#to.exec(
      "INSERT INTO destination SELECT domain, min(due) FROM recipient WHERE state = 0 GROUP BY 1",
    );
    this.#to.exec(
      "INSERT INTO owner SELECT owner, count(*) FROM recipient JOIN message ON number = message " +
        "WHERE state IN (0, 1) GROUP BY 1",
    );
    const quarantined = Object.values(setAside).reduce((sum, n) => sum + n, before.quarantined);
    return Math.max(0, sums.quarantined - quarantined);
  }

  #tallyOfRows(rows: Sums): Sums {
    const from = "FROM recipient JOIN message ON number = message WHERE origin";
    return {
      ...rows,
      accepted: this.#number(`SELECT count(*) ${from} = 0`),
      generated: this.#number(`SELECT count(*) ${from} = 1`),
      bounced: 0,
      last_number: 0,
      named: 0,
      // Nobody knows: whatever the journal has is looked at.
      journaled: -1,
      seen_time: this.#number("SELECT coalesce(max(entered_at), 0) FROM message"),
      seen_wall: this.#number("SELECT coalesce(max(received_at), 0) FROM message"),
    };
  }

  #states(where: string): Sums {
    const sums: Sums = Object.fromEntries(STATES.map((state) => [state, 0]));
    const ask = `SELECT state, count(*) AS n FROM recipient ${where} GROUP BY state`;
    for (const { state, n } of this.#to.prepare(ask).all()) sums[STATES[Number(state)]] = Number(n);
    return sums;
  }

  #number(ask: string): number {
    return Number(Object.values(this.#to.prepare(ask).get()!)[0]);
  }
}

const isText = (value: unknown): value is string => typeof value === "string";
const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

function isJson(value: unknown): boolean {
  try {
    return isText(value) && typeof JSON.parse(value) === "object";
  } catch {
    return false;
  }
}

/** An id is part of names of files. */
function isMessage(row: Row): boolean {
  return isCount(row.number) && row.number > 0 && isText(row.id) && /^[0-9a-z]+$/.test(row.id) &&
    (row.origin === 0 || row.origin === 1) && isCount(row.received_at) && isCount(row.entered_at) &&
    isText(row.owner) && isJson(row.client) && isText(row.sender) && isJson(row.wishes) &&
    isText(row.subject) && isText(row.keys) && isCount(row.size) && isCount(row.checksum) &&
    Object.values(PLACE).includes(row.place as 0) &&
    (row.body === null || row.body instanceof Uint8Array);
}

function isRecipient(row: Row): boolean {
  return isCount(row.message) && isCount(row.position) && isText(row.address) &&
    row.address.includes("@") && isText(row.domain) &&
    (row.wishes === null || isJson(row.wishes)) &&
    isCount(row.state) && row.state < STATES.length && isCount(row.attempts) && isCount(row.due) &&
    (row.lease === null || isCount(row.lease)) && isCount(row.delay_told) &&
    (row.last_error === null || isText(row.last_error));
}

function isAttempt(row: Row): boolean {
  return isCount(row.message) && isCount(row.position) && isCount(row.sequence) &&
    isCount(row.at) && isJson(row.outcome);
}
