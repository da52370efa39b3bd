/**
 * A damaged database: it is set aside, and what can be read of it is put row by row into a new
 * one. One bad page makes the engine refuse a whole table, but not its other rows, asked for
 * one by one.
 *
 * Promises: the damaged one is kept as it was, in the quarantine; a message whose octets
 * cannot be read is quarantined; what cannot be read at all is counted. Should this itself
 * fail, or its process end, the damaged database is still in its place.
 */

import type { Database, Row, Value } from "../ports/database.ts";
import type { Disk } from "../ports/files.ts";
import type { Layout } from "./layout.ts";
import { isQueued, numberOf, PLACE, stateOf, STATES } from "./rows.ts";
import { openDatabase } from "./spool.ts";

export interface Salvaged {
  /** Messages that are in the new database. */
  readonly kept: number;
  /** Of them, those whose octets are damaged. */
  readonly damaged: number;
  /** Messages of which too little could be read. */
  readonly lost: number;
  /** Where the damaged database is. */
  readonly path: string;
}

const META = [
  ..."number id origin received_at entered_at owner client sender wishes subject keys".split(" "),
  ..."size checksum place".split(" "),
];

export function salvage(layout: Layout, disk: Disk): Salvaged {
  removeDatabase(layout.salvaged, disk);
  const to = openDatabase(layout.salvaged, disk);
  let counts: Omit<Salvaged, "path">;
  try {
    counts = copyAll(layout.database, to, disk);
  } finally {
    to.close();
  }
  // Only what is whole takes the place: whenever this ends before, it begins anew.
  const path = setAside(layout, disk);
  finishSalvage(layout, disk);
  return { ...counts, path };
}

/** What was salvaged takes the place of what was set aside, should that not have come to pass. */
export function finishSalvage({ database, salvaged, folder }: Layout, { files }: Disk): void {
  if (files.look(database) !== undefined || files.look(salvaged) === undefined) return;
  files.rename(salvaged, database);
  files.syncFolder(folder);
}

function copyAll(path: string, to: Database, { databases }: Disk): Omit<Salvaged, "path"> {
  let from: Database;
  try {
    from = databases.open(path, { readOnly: true });
  } catch {
    // Nothing of it can be read, not even that it is a database.
    return { kept: 0, damaged: 0, lost: 0 };
  }
  try {
    to.exec("BEGIN IMMEDIATE");
    const counts = new Copy(from, to).run();
    to.exec("COMMIT");
    return counts;
  } finally {
    from.close();
  }
}

function setAside({ database, quarantine, folder }: Layout, { files }: Disk): string {
  const taken = new Set(files.names(quarantine));
  let number = 1;
  while (taken.has(`queue-${number}.db`)) number++;
  const path = `${quarantine}/queue-${number}.db`;
  // The log first: without it the database is as it was a moment ago, but not the other way.
  for (const suffix of ["-wal", ""]) {
    if (files.look(database + suffix) !== undefined) files.rename(database + suffix, path + suffix);
  }
  files.remove(`${database}-shm`);
  files.syncFolder(quarantine);
  files.syncFolder(folder);
  return path;
}

function removeDatabase(path: string, { files }: Disk): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) files.remove(path + suffix);
}

class Copy {
  readonly #from: Database;
  readonly #to: Database;
  readonly #states = new Map<number, number>();
  readonly #inserts = new Map<string, (row: Row) => void>();
  #kept = 0;
  #damaged = 0;
  #lost = 0;

  constructor(from: Database, to: Database) {
    this.#from = from;
    this.#to = to;
  }

  run(): Omit<Salvaged, "path"> {
    const tally = this.#try(() => this.#from.prepare("SELECT * FROM tally").get());
    const last = this.#last(tally);
    for (const number of this.#numbers(last)) this.#message(number);
    this.#sums(tally, last);
    return { kept: this.#kept, damaged: this.#damaged, lost: this.#lost };
  }

  /** What cannot be read is `undefined`. */
  #try<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch {
      return undefined;
    }
  }

  #last(tally: Row | undefined): number {
    const ask = (sql: string) => Number(this.#try(() => this.#from.prepare(sql).get()?.last) ?? 0);
    return Math.max(
      Number(tally?.last_number ?? 0),
      ask("SELECT max(number) AS last FROM message"),
      ask("SELECT max(message) AS last FROM recipient"),
    );
  }

  /** Of all messages there may be; where the next one cannot be found, each is tried. */
  *#numbers(last: number): Generator<number> {
    const next = this.#try(() =>
      this.#from.prepare("SELECT min(number) AS number FROM message WHERE number > ?")
    );
    for (let number = 0; number < last;) {
      const found = this.#try(() => next?.get(number));
      if (found === undefined) number++;
      else if (found.number === null) return;
      else number = Number(found.number);
      yield number;
    }
  }

  #message(number: number): void {
    const read = (sql: string) =>
      this.#try(() => this.#from.prepare(`${sql} = ?`).all(number)) ?? [];
    const [whole] = read("SELECT * FROM message WHERE number");
    const [meta] = whole === undefined
      ? read(`SELECT ${META.join()} FROM message WHERE number`)
      : [whole];
    const recipients = read("SELECT * FROM recipient WHERE message");
    if (meta === undefined && recipients.length === 0) return;
    if (meta === undefined || recipients.length === 0) {
      this.#lost++;
      return;
    }
    const isDamaged = whole === undefined;
    this.#insert("message", isDamaged ? { ...meta, place: PLACE.gone, body: null } : whole);
    for (const recipient of recipients) this.#recipient(recipient, String(meta.owner), isDamaged);
    for (const attempt of read("SELECT * FROM attempt WHERE message")) {
      this.#insert("attempt", attempt);
    }
    this.#kept++;
    if (isDamaged) this.#damaged++;
  }

  #recipient(row: Row, owner: string, isDamaged: boolean): void {
    const hasLeft = ["delivered", "failed", "dropped"].includes(stateOf(row));
    const state = isDamaged && !hasLeft ? numberOf("quarantined") : Number(row.state);
    const error = state === row.state ? row.last_error : "its octets could not be read";
    this.#insert("recipient", { ...row, state, lease: null, last_error: error });
    this.#states.set(state, (this.#states.get(state) ?? 0) + 1);
    if (isQueued(STATES[state])) {
      this.#to.prepare(
        "INSERT INTO owner VALUES (?, 1) ON CONFLICT DO UPDATE SET queued = queued + 1",
      ).run(owner);
    }
  }

  #insert(table: string, row: Row): void {
    let insert = this.#inserts.get(table);
    if (insert === undefined) {
      const columns = Object.keys(row);
      const statement = this.#to.prepare(
        `INSERT INTO ${table} (${columns.join()}) VALUES (${columns.map(() => "?").join()})`,
      );
      insert = (row) => statement.run(...columns.map((column): Value => row[column]));
      this.#inserts.set(table, insert);
    }
    insert(row);
  }

  /** What is lost is with the old database: it counts as quarantined, so the sum holds. */
  #sums(tally: Row | undefined, last: number): void {
    const counted = (name: string) => Number(tally?.[name] ?? 0);
    const sums: Record<string, number> = { last_number: last };
    for (const name of Object.keys(tally ?? {})) sums[name] ??= counted(name);
    let out = 0;
    for (const [state, name] of STATES.entries()) {
      // Of what has left the queue, rows are removed in time: the old sum knows more.
      const rows = this.#states.get(state) ?? 0;
      const isCurrent = name === "queued" || name === "held";
      sums[name] = isCurrent ? rows : Math.max(rows, counted(name));
      out += sums[name];
    }
    const inAll = counted("accepted") + counted("generated");
    if (inAll >= out) sums.quarantined += inAll - out;
    else sums.accepted = out - counted("generated");
    sums.bounced = Math.min(counted("bounced"), sums.failed);
    sums.unbounced = sums.failed - sums.bounced;
    const set = Object.entries(sums).map(([name, n]) => `${name} = ${n}`).join();
    this.#to.exec(`UPDATE tally SET ${set}`);
    this.#to.exec(
      "INSERT INTO destination SELECT domain, min(due) FROM recipient WHERE state = 0 GROUP BY domain",
    );
  }
}
