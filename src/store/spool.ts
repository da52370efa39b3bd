/**
 * The folder of a spool: made where it is not there, refused where it cannot be trusted,
 * and opened.
 *
 * Promises: what is made belongs to its owner alone, whatever the umask; nothing is written
 * through a link that somebody planted; a SpoolError says what, where and what to do.
 */

import type { Database } from "../ports/database.ts";
import type { Disk } from "../ports/files.ts";
import { SpoolError } from "../ports/store.ts";
import type { Layout } from "./layout.ts";
import { bringUpToDate, checkVersion } from "./schema.ts";

/** Octets of the write-ahead log that are kept for the next burst. */
const LOG_KEPT = 64 * 1024 * 1024;
/** Pages after which the log goes into the database. */
const LOG_PAGES = 4_000;
/** KiB that the engine keeps of the database, whatever its size. */
const CACHE = 16_000;
/** Milliseconds that a daemon waits for the lock of its spool. */
const LOCK_PATIENCE = 300;

export function prepareFolder(layout: Layout, { files }: Disk): void {
  const { folder } = layout;
  try {
    checkFolder(folder, files);
    files.makeFolder(folder);
    for (const part of [layout.bodies, layout.quarantine]) {
      checkFolder(part, files);
      files.makeFolder(part);
    }
  } catch (error) {
    if (error instanceof SpoolError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new SpoolError(`spool ${folder}: cannot be made or read: ${why}: set SMTP_QUEUE_PATH`);
  }
}

function checkFolder(folder: string, files: Disk["files"]): void {
  const found = files.look(folder);
  if (found === undefined) return;
  const { kind, mode, owner } = found;
  if (kind !== "folder") {
    throw new SpoolError(`spool ${folder}: it is a ${kind}, not a folder: move it away`);
  }
  if (files.user !== undefined && owner !== files.user) {
    throw new SpoolError(
      `spool ${folder}: it belongs to user ${owner}, this process is user ${files.user}: ` +
        `chown ${files.user} ${folder}`,
    );
  }
  if (mode === undefined || (mode & 0o777) === 0o700) return;
  const shown = mode.toString(8).padStart(4, "0");
  throw new SpoolError(
    `spool ${folder}: its mode is ${shown}, mail is its owner's alone: chmod 0700 ${folder}`,
  );
}

/** Held until the database that is returned is closed, or this process ends. */
export function lock(layout: Layout, disk: Disk, patience = LOCK_PATIENCE): Database {
  ensureFile(layout.lock, disk);
  const database = disk.databases.open(layout.lock);
  try {
    // Of several that start at the same moment none would have it, were none to try again.
    database.exec(`PRAGMA busy_timeout=${patience}`);
    database.exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database.close();
    if (disk.databases.failure(error) !== "locked") throw error;
    throw new SpoolError(
      `spool ${layout.folder}: another Dinopost serves it: stop that one, or set SMTP_QUEUE_PATH`,
    );
  }
}

/** None: a daemon serves it at this moment. */
export function tryLock(layout: Layout, disk: Disk): Database | undefined {
  try {
    return lock(layout, disk, 0);
  } catch (error) {
    if (error instanceof SpoolError) return undefined;
    throw error;
  }
}

/** Whether a daemon serves it at this moment. */
export function isServed(layout: Layout, disk: Disk): boolean {
  const locked = tryLock(layout, disk);
  locked?.close();
  return locked === undefined;
}

/** Throws a SpoolError where it must be left alone. */
export function openDatabase(path: string, disk: Disk): Database {
  ensureFile(path, disk);
  for (const suffix of ["-wal", "-shm", "-journal"]) checkFile(path + suffix, disk);
  // Killed while it was made: only who may write can roll that back, and must before it reads.
  const readOnly = disk.files.look(`${path}-journal`) === undefined;
  const found = disk.databases.open(path, { readOnly });
  try {
    checkVersion(found, path);
  } finally {
    found.close();
  }
  const database = disk.databases.open(path);
  try {
    database.exec(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; " +
        `PRAGMA journal_size_limit=${LOG_KEPT}; PRAGMA wal_autocheckpoint=${LOG_PAGES}; ` +
        `PRAGMA cache_size=-${CACHE}`,
    );
    bringUpToDate(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Behind the database, whose folder is stable already: to sync it costs a start its time. */
export function ensureJournals({ folder, journals }: Layout, { files }: Disk): void {
  const missing = journals.filter((path) => files.look(path) === undefined);
  for (const path of journals) checkFile(path, { files });
  for (const path of missing) files.write(path, new Uint8Array(0));
  if (missing.length > 0) files.syncFolder(folder);
}

/** The engine would make it as the umask has it, and would follow a link. */
function ensureFile(path: string, { files }: Disk): void {
  const found = files.look(path);
  if (found === undefined) {
    const folder = folderOf(path);
    // Before: once the file is there, nobody knows that the folder itself was new.
    syncAbove(folder, files);
    try {
      files.write(path, new Uint8Array(0));
    } catch (error) {
      // Another that starts at this moment was quicker: the lock says which of them serves.
      if (files.look(path) === undefined) throw error;
    }
    files.syncFolder(folder);
  } else checkFile(path, { files });
}

/** What is there must be a file of ours, and no way to one that is elsewhere. */
export function checkFile(
  path: string,
  { files }: { readonly files: Pick<Disk["files"], "look"> },
): void {
  const found = files.look(path);
  if (found === undefined) return;
  if (found.kind !== "file" || found.links > 1) {
    const kind = found.kind === "file" ? "file with another name elsewhere" : found.kind;
    throw new SpoolError(`open ${path}: it is a ${kind}, which nobody but Dinopost should make`);
  }
}

/** A folder whose own name is lost takes along whatever was made stable in it. */
function syncAbove(folder: string, files: Disk["files"]): void {
  for (let above = folderOf(folder); above !== folder; above = folderOf(folder)) {
    try {
      files.syncFolder(above);
    } catch {
      // It may not be read: it was made by somebody else, and is as stable as they made it.
      return;
    }
    folder = above;
  }
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash > 0 ? path.slice(0, slash) : slash === 0 ? "/" : ".";
}
