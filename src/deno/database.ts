/** The database engine of the runtime. */

import { DatabaseSync } from "node:sqlite";
import type { Database, DatabaseFailure, Databases } from "../ports/database.ts";

/** For whoever holds the lock to be done: a command of the command line, or the daemon. */
const PATIENCE = 10_000;

/** The words of the engine itself; the runtime hands its numbers on only sometimes. */
const FAILURES: readonly (readonly [RegExp, DatabaseFailure])[] = [
  [/database or disk is full/, "full"],
  [/disk I\/O error|unable to open database/, "disk"],
  [/malformed|not a database|corrupt|no such (table|column|index)/, "corrupt"],
  [/is locked|is busy/, "locked"],
];

export const databases: Databases = {
  open(path, { readOnly = false } = {}) {
    const database = new DatabaseSync(path, { readOnly });
    database.exec(`PRAGMA busy_timeout=${PATIENCE}`);
    return database as Database;
  },
  failure(error) {
    const text = error instanceof Error ? error.message : String(error);
    return FAILURES.find(([pattern]) => pattern.test(text))?.[1] ?? "other";
  },
};

export function engineVersion(): string {
  const database = new DatabaseSync(":memory:");
  const row = database.prepare("SELECT sqlite_version() AS version").get();
  database.close();
  return String(row?.version);
}
