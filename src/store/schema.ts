/**
 * The tables, and how they came to be what they are.
 *
 * Promises: a database of a later version, or of another program, is refused untouched; one
 * of an earlier version is brought up to date in one transaction.
 */

import type { Database } from "../ports/database.ts";
import { SpoolError } from "../ports/store.ts";

/** "Dino": whose database this is. */
const APPLICATION = 0x44696e6f;

/**
 * One step for each version. A step that was once released is never changed.
 *
 * The body lies last in its row, so that listing messages does not read it. A recipient's
 * `due` is also when its lease ends: a lease that nobody settles falls due by itself.
 * `destination` has the earliest due of each domain, or an earlier time: it is what lets a
 * claim pass over a domain with any backlog in one step. `journaled` is the last batch of the
 * journal that the tables have.
 */
const STEPS: readonly string[] = [
  `
  CREATE TABLE message (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    origin INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    entered_at INTEGER NOT NULL,
    owner TEXT NOT NULL,
    client TEXT NOT NULL,
    sender TEXT NOT NULL,
    wishes TEXT NOT NULL,
    subject TEXT NOT NULL,
    keys TEXT NOT NULL,
    size INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    place INTEGER NOT NULL,
    body BLOB
  ) STRICT;
  CREATE TABLE recipient (
    message INTEGER NOT NULL,
    position INTEGER NOT NULL,
    address TEXT NOT NULL,
    domain TEXT NOT NULL,
    wishes TEXT,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due INTEGER NOT NULL,
    lease INTEGER,
    delay_told INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    PRIMARY KEY (message, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX recipient_due ON recipient (domain, due) WHERE state = 0;
  CREATE INDEX recipient_lease ON recipient (lease) WHERE lease IS NOT NULL;
  CREATE TABLE attempt (
    message INTEGER NOT NULL,
    position INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (message, position, sequence)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE destination (
    domain TEXT PRIMARY KEY,
    due INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX destination_due ON destination (due);
  CREATE TABLE owner (
    name TEXT PRIMARY KEY,
    queued INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE tally (
    accepted INTEGER NOT NULL DEFAULT 0,
    generated INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    queued INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0,
    captured INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,
    quarantined INTEGER NOT NULL DEFAULT 0,
    bounced INTEGER NOT NULL DEFAULT 0,
    unbounced INTEGER NOT NULL DEFAULT 0,
    last_number INTEGER NOT NULL DEFAULT 0,
    named INTEGER NOT NULL DEFAULT 0,
    seen_time INTEGER NOT NULL DEFAULT 0,
    seen_wall INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  INSERT INTO tally DEFAULT VALUES;
`,
  `
  ALTER TABLE tally ADD COLUMN journaled INTEGER NOT NULL DEFAULT 0;
  -- A row that was written before has no such value in it, and salvage reads rows.
  UPDATE tally SET journaled = 0;
`,
];

export const VERSION = STEPS.length;

/** Throws a SpoolError where this program must leave the database alone. */
export function checkVersion(database: Database, path: string): void {
  const version = pragma(database, "user_version");
  if (version === 0 && isEmpty(database)) return;
  if (pragma(database, "application_id") !== APPLICATION) {
    throw new SpoolError(`open ${path}: it is the database of another program`);
  }
  if (version < 1) {
    throw new SpoolError(
      `open ${path}: no Dinopost has made it so (its form is ${version}, the first was 1): ` +
        "restore a backup, or move it away",
    );
  }
  if (version > VERSION) {
    throw new SpoolError(
      `open ${path}: a later Dinopost has used it (its form is ${version}, this one knows ` +
        `${VERSION}): run that version, or restore a backup made before`,
    );
  }
}

export function bringUpToDate(database: Database): void {
  const version = pragma(database, "user_version");
  if (version >= VERSION) return;
  database.exec("BEGIN IMMEDIATE");
  try {
    for (const step of STEPS.slice(version)) database.exec(step);
    database.exec(`PRAGMA application_id=${APPLICATION}; PRAGMA user_version=${VERSION}`);
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

/** Just made: there is nothing in it to be left alone. */
function isEmpty(database: Database): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
}

function pragma(database: Database, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}
