/**
 * A copy of a spool while it is in use: a folder that can take the place of the spool.
 *
 * Promises: the copy is of one moment, and whole: every large body that its database names is
 * with it. On failure nothing of it is left.
 */

import type { Database, Row, Statement } from "../ports/database.ts";
import type { Disk } from "../ports/files.ts";
import { SpoolError } from "../ports/store.ts";
import { Layout } from "./layout.ts";
import { PLACE } from "./rows.ts";

const MOST_TRIES = 10;
/** Rows read at once, with the octets of messages. */
const MOST_ROWS = 64;

export function backup(database: Database, layout: Layout, folder: string, disk: Disk): void {
  const { files } = disk;
  if (files.look(folder) !== undefined) {
    throw new SpoolError(`backup ${folder}: it is there already: name a new folder`);
  }
  const copy = new Layout(folder);
  files.makeFolder(copy.bodies);
  files.makeFolder(copy.quarantine);
  try {
    for (let tries = 1; !copyOnce(database, layout, copy, disk); tries++) {
      if (tries === MOST_TRIES) throw new Error("large messages leave the queue too quickly");
    }
    files.syncFolder(copy.bodies);
    files.syncFolder(folder);
  } catch (error) {
    removeAll(copy, disk);
    throw error;
  }
}

/** Bodies come and go meanwhile: those of before are taken along, those since are fetched. */
function copyOnce(database: Database, from: Layout, to: Layout, disk: Disk): boolean {
  const { files, databases } = disk;
  const fetch = (id: string) => {
    if (files.look(to.body(id)) !== undefined) return true;
    if (files.look(from.body(id))?.kind !== "file") return false;
    try {
      files.copy(from.body(id), to.body(id));
      return true;
    } catch (error) {
      if (files.look(from.body(id)) !== undefined) throw error;
      return false;
    }
  };
  for (const id of files.names(from.bodies)) fetch(id);
  files.remove(to.database);
  files.write(to.database, new Uint8Array(0));
  const copied = databases.open(to.database);
  try {
    copyRows(database, copied);
    // The names are not copied: they are written again where the copy is used.
    copied.exec("UPDATE tally SET named = 0");
    const wanted = new Set(
      copied.prepare(`SELECT id FROM message WHERE place = ${PLACE.file}`).all()
        .map(({ id }) => String(id)),
    );
    for (const id of wanted) if (!fetch(id)) return false;
    for (const id of files.names(to.bodies)) if (!wanted.has(id)) files.remove(to.body(id));
    return true;
  } finally {
    copied.close();
  }
}

/**
 * Not by VACUUM INTO: that attaches a second database, which the runtime allows only to whoever
 * may do everything.
 */
function copyRows(from: Database, to: Database): void {
  from.exec("BEGIN");
  try {
    to.exec("BEGIN");
    const made = from.prepare("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL");
    const things = made.all().map(({ type, name, sql }) => [type, name, sql].map(String));
    const tables = things.filter(([type]) => type === "table");
    for (const [, table, sql] of tables) {
      to.exec(sql);
      let insert: Statement | undefined;
      for (const row of rowsOf(from, table)) {
        const values = Object.values(row);
        insert ??= to.prepare(`INSERT INTO ${table} VALUES (${values.map(() => "?").join()})`);
        insert.run(...values);
      }
    }
    for (const [type, , sql] of things) if (type !== "table") to.exec(sql);
    for (const name of ["application_id", "user_version"]) {
      to.exec(`PRAGMA ${name}=${from.prepare(`PRAGMA ${name}`).get()![name]}`);
    }
    to.exec("COMMIT");
  } finally {
    from.exec("ROLLBACK");
  }
}

/** In the order of its key. Throws where one of them cannot be read. */
function* rowsOf(database: Database, table: string): Generator<Row> {
  const key = database.prepare(`PRAGMA table_info(${table})`).all()
    .filter(({ pk }) => Number(pk) > 0)
    .toSorted((a, b) => Number(a.pk) - Number(b.pk))
    .map(({ name }) => String(name));
  // The sums: one row.
  if (key.length === 0) return yield* database.prepare(`SELECT * FROM ${table}`).all();
  const columns = key.join();
  const order = `ORDER BY ${columns} LIMIT ${MOST_ROWS}`;
  const behind = `(${columns}) > (${key.map(() => "?").join()})`;
  const next = database.prepare(`SELECT * FROM ${table} WHERE ${behind} ${order}`);
  let rows = database.prepare(`SELECT * FROM ${table} ${order}`).all();
  while (rows.length > 0) {
    yield* rows;
    const last = rows.at(-1)!;
    rows = next.all(...key.map((name) => last[name]));
  }
}

function removeAll(copy: Layout, { files }: Disk): void {
  for (const id of files.names(copy.bodies)) files.remove(copy.body(id));
  files.remove(copy.database);
  for (const folder of [copy.bodies, copy.quarantine, copy.folder]) files.removeFolder(folder);
}
