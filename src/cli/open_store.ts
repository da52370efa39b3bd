/** The store of the daemon, with its threads on this machine. */

import type { Config } from "../config.ts";
import { disk } from "../deno/files.ts";
import { reserve, startThread } from "../deno/thread.ts";
import { world } from "../deno/world.ts";
import { SqliteStore } from "../store/sqlite.ts";

/** Rejects with a SpoolError where the spool cannot be used. */
export async function openStore({ queuePath, spoolFiles }: Config): Promise<SqliteStore> {
  let release = () => {};
  const store = await SqliteStore.open({
    ...world,
    folder: queuePath,
    viewed: spoolFiles,
    files: disk.files,
    checksum: disk.checksum,
    startWriter: () => startThread("writer"),
    startReader: () => startThread("reader", release),
  });
  release = reserve(queuePath);
  return store;
}
