/**
 * A damaged database: what its pages still hold goes row by row into a new one, which then
 * takes its place.
 *
 * Promises: the damaged one is kept as it was, in the quarantine; a message whose octets are
 * not those that were stored is quarantined; what is lost is counted, and counts as
 * quarantined too, so that the sums hold. Should this fail, or its process end, the damaged
 * database is still in its place, or the new one is there whole.
 */

import type { Disk } from "../ports/files.ts";
import type { Layout } from "./layout.ts";
import { readLog } from "./log.ts";
import { Pages } from "./pages.ts";
import { Rescue } from "./rescue.ts";
import { checkFile, openDatabase, prepareFolder } from "./spool.ts";

export interface Salvaged {
  /** Messages that are in the new database. */
  readonly kept: number;
  /** Of them, those whose octets are damaged. */
  readonly damaged: number;
  /** Messages of which too little could be read; unknown where the sums are lost as well. */
  readonly lost: number | "unknown";
  /** Recipients of which nothing was left. */
  readonly lostRecipients: number | "unknown";
  /** Where the damaged database is. */
  readonly path: string;
}

export function salvage(layout: Layout, disk: Disk): Salvaged {
  const { files } = disk;
  // Nothing is moved through a link that somebody has planted since the start.
  prepareFolder(layout, disk);
  const made = `${layout.salvaged}-new`;
  removeDatabase(made, disk);
  const to = openDatabase(made, disk);
  let counts: Omit<Salvaged, "path">;
  try {
    counts = new Rescue(to, disk.checksum).run(new Pages(layout.database, files).rows());
  } finally {
    to.close();
  }
  if (files.look(`${made}-wal`) !== undefined) throw new Error(`salvage: ${made} is not whole`);
  files.rename(made, layout.salvaged);
  files.syncFolder(layout.folder);
  return { ...counts, path: finishSalvage(layout, disk)! };
}

/** What was salvaged is whole: it takes the place of the damaged one. The new place of that. */
export function finishSalvage(layout: Layout, { files }: Disk): string | undefined {
  const { database, salvaged, quarantine, folder } = layout;
  if (files.look(salvaged) === undefined) return undefined;
  checkFile(salvaged, { files });
  const taken = new Set(files.names(quarantine));
  let number = 1;
  while (taken.has(`queue-${number}.db`)) number++;
  const path = `${quarantine}/queue-${number}.db`;
  for (const suffix of ["-wal", ""]) {
    if (files.look(database + suffix) !== undefined) files.rename(database + suffix, path + suffix);
  }
  files.remove(`${database}-shm`);
  // The new one must never be found beside the log of the old one.
  files.syncFolder(quarantine);
  files.syncFolder(folder);
  files.rename(salvaged, database);
  files.syncFolder(folder);
  return path;
}

/**
 * Damage of which the engine would say nothing: it takes a log as far as it is right, and an
 * empty file for a database in which nothing was ever kept.
 */
export function isCut(layout: Layout, disk: Disk): boolean {
  const { files } = disk;
  const log = `${layout.database}-wal`;
  if (readLog(log, files).isDamaged) return true;
  const found = files.look(layout.database);
  if (found !== undefined && found.size > 0) return false;
  if ((files.look(log)?.size ?? 0) > 0) return true;
  return found !== undefined && hasHadMail(layout, disk);
}

/** There is nothing to salvage, and there was. */
export function isMissing(layout: Layout, disk: Disk): boolean {
  const { database } = layout;
  const isThere = (path: string) => disk.files.look(path) !== undefined;
  return !isThere(database) && !isThere(`${database}-wal`) && hasHadMail(layout, disk);
}

function hasHadMail({ bodies, folder }: Layout, { files }: Disk): boolean {
  const isDay = (name: string) => /^\d{4}-\d\d-\d\d$/.test(name);
  return files.names(bodies).length > 0 || files.names(folder).some(isDay);
}

function removeDatabase(path: string, { files }: Disk): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) files.remove(path + suffix);
}
