/**
 * The spool for a command: the database that a daemon may have open as well.
 *
 * Promises: no spool is made, none is brought up to the form of this version; what a daemon has
 * acknowledged is in the tables before anybody looks into them; the store's clock is only read.
 */

import { clock } from "../deno/clock.ts";
import { disk } from "../deno/files.ts";
import { log } from "../deno/log.ts";
import type { LoadedConfig } from "../config.ts";
import type { Database, DatabaseFailure } from "../ports/database.ts";
import { type ShownMessage, SpoolError } from "../ports/store.ts";
import { Backlog } from "../store/backlog.ts";
import { Engine, WriteError } from "../store/engine.ts";
import { Layout } from "../store/layout.ts";
import { type Looks, type Times, timeSince } from "../store/look.ts";
import { leaveMark } from "../store/mark.ts";
import type { Notice } from "../store/questions.ts";
import { lastIn } from "../store/replay.ts";
import { checkVersion, VERSION } from "../store/schema.ts";
import { openDatabase, prepareFolder, tryLock } from "../store/spool.ts";
import { tell } from "../store/telling.ts";
import { CommandError } from "./command.ts";
import { configure, warn } from "./configure.ts";
import * as status from "./status.ts";

/** How long a daemon may take to have in the tables what it has acknowledged. */
const PATIENCE = 10_000;
/** How often that is looked at. */
const LOOK = 10;

export interface Spool {
  readonly layout: Layout;
  readonly database: Database;
  readonly engine: Engine;
  readonly looks: Looks;
  readonly times: Times;
}

/** Throws a CommandError where the spool cannot be used. */
export async function withSpool(
  dev: boolean,
  use: (spool: Spool) => number | Promise<number>,
): Promise<number> {
  const loaded = configure({ dev, quiet: true });
  if (loaded === undefined) return status.CONFIG;
  const { queuePath, spoolFiles } = loaded.config;
  const layout = new Layout(queuePath);
  try {
    checkThere(layout, loaded);
    const database = openDatabase(layout.database, disk);
    try {
      const engine = new Engine(database, layout, disk, { viewed: spoolFiles, keepsTime: false });
      const wall = clock.now();
      const times = { time: timeSince(engine.looks.seen(), wall), wall };
      await catchUp(engine, layout, times);
      return await use({ layout, database, engine, looks: engine.looks, times });
    } finally {
      database.close();
    }
  } catch (error) {
    throw inWords(error, layout);
  }
}

/** What is in the journal goes into the tables: by the daemon, or by us where none serves. */
async function catchUp(engine: Engine, layout: Layout, times: Times): Promise<void> {
  const last = lastIn(layout, disk);
  const hasAll = () => engine.looks.numbers().journaled >= last;
  for (const start = clock.monotonic(); !hasAll();) {
    const lock = tryLock(layout, disk);
    if (lock !== undefined) {
      try {
        return takeLeft(engine, layout, times);
      } finally {
        lock.close();
      }
    }
    if (clock.monotonic() - start > PATIENCE) {
      throw new CommandError("the daemon is slow to take what has come: try again");
    }
    await new Promise<void>((resolve) => clock.timer(LOOK, resolve));
  }
}

function takeLeft(engine: Engine, layout: Layout, times: Times): void {
  const backlog = new Backlog(layout, disk);
  // No daemon will come upon what is set aside here: it is told now.
  const tellAll = (notices: readonly Notice[]) => notices.forEach((notice) => tell(notice, log));
  tellAll(backlog.takeUp(engine.looks.numbers().journaled));
  while (!backlog.isEmpty) {
    const { results } = engine.write(backlog.operations(), new Uint8Array(0), times);
    const { taken, notices } = backlog.done(results);
    tellAll(notices);
    if (taken === undefined) throw new Error("the journal cannot be read");
  }
  backlog.close();
}

/** Throws a CommandError where there is none of this id. */
export function messageOf({ looks, times }: Spool, id: string): ShownMessage {
  const message = looks.show(id, times);
  if (message === undefined) throw new CommandError(`no message ${JSON.stringify(id)}`);
  return message;
}

function checkThere(layout: Layout, loaded: LoadedConfig): void {
  const { folder, database } = layout;
  const found = look(folder, layout);
  const hasDatabase = found?.kind === "folder" && look(database, layout) !== undefined;
  if (found === undefined || (found.kind === "folder" && !hasDatabase)) {
    // A setting that is misspelt may be why.
    warn(loaded);
    const what = "set SMTP_QUEUE_PATH, or start the daemon once";
    throw new CommandError(`no spool at ${folder}: ${what}`, status.CONFIG);
  }
  const { user } = disk.files;
  if (user !== undefined && found.owner !== user) {
    throw new SpoolError(
      `spool ${folder}: it belongs to user ${found.owner}, this process is user ${user}: ` +
        `run this as its owner, as with sudo -u '#${found.owner}'`,
    );
  }
  prepareFolder(layout, disk);
  if (look(database, layout)?.kind === "file") checkForm(layout);
}

/** To change the form of a database is for a daemon, which knows that no other has it. */
function checkForm({ folder, database }: Layout): void {
  const found = disk.databases.open(database, { readOnly: true });
  try {
    checkVersion(found, database);
    const { user_version } = found.prepare("PRAGMA user_version").get()!;
    if (Number(user_version) >= VERSION) return;
    throw new SpoolError(`spool ${folder}: not yet as this version has it: start the daemon once`);
  } finally {
    found.close();
  }
}

function look(path: string, { folder }: Layout) {
  try {
    return disk.files.look(path);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SpoolError(`spool ${folder}: cannot be read: ${why}`);
  }
}

const REMEDIES: Readonly<Record<Exclude<DatabaseFailure, "other" | "disk">, string>> = {
  locked: "others had it for too long: try again",
  corrupt:
    "damaged: the daemon looks for it within a second, or when it is started, sets it aside " +
    "and keeps what can be read",
  full: "the disk is full: nothing was changed",
};

function inWords(error: unknown, layout: Layout): unknown {
  const { folder, database } = layout;
  if (error instanceof SpoolError) return new CommandError(error.message, status.CONFIG);
  const failure = error instanceof WriteError ? error.failure : disk.databases.failure(error);
  if (failure === "corrupt") leaveMark(layout, disk);
  if (failure === "disk") {
    const why = error instanceof Error ? error.message : String(error);
    // The engine names a file that it cannot open, but none that it cannot read or write.
    const file = why.includes(folder) ? "" : `${database}: `;
    const remedy = "see to the disk and its permissions";
    return new CommandError(`spool ${folder}: ${file}${why}: ${remedy}`);
  }
  return failure === "other" || error instanceof CommandError
    ? error
    : new CommandError(`spool ${folder}: ${REMEDIES[failure]}`);
}
