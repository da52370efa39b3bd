/** A spool as a daemon leaves it that is killed, and what is in it. */

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { Entry, Store } from "../../src/ports/store.ts";
import type { Thread } from "../../src/ports/thread.ts";
import type { WriterAnswer, WriterQuestion } from "../../src/store/questions.ts";
import { startThread } from "../../src/deno/thread.ts";
import { TurnedClock } from "./clock.ts";
import { TestStore } from "./store.ts";

const JOURNALS = ["journal-1", "journal-2"];

/**
 * Each transaction takes a while, by this clock. Where one has just ended the tables are left alone
 * then: they take from the journal what is asked for, and the rest when the clock is turned.
 */
export function slow(
  thread: Thread<WriterQuestion, WriterAnswer>,
  clock: TurnedClock,
): Thread<WriterQuestion, WriterAnswer> {
  return {
    ask(question, given) {
      if (question.kind === "write") clock.turn(10);
      return thread.ask(question, given);
    },
    end: () => thread.end(),
  };
}

/** The tables take nothing that nobody asks for, until its clock is turned. */
export async function lagging(clock = new TurnedClock()): Promise<TestStore> {
  const startWriter = () => slow(startThread("writer"), clock);
  const test = await TestStore.open({ clock, startWriter });
  await test.store.probe();
  return test;
}

interface Spool {
  readonly folder: string;
}

/** As it is at this moment, in a folder of its own. */
export function copyOf({ folder }: Spool): string {
  const copy = `${Deno.makeTempDirSync()}/spool`;
  assert.ok(new Deno.Command("cp", { args: ["-r", folder, copy] }).outputSync().success);
  return copy;
}

/** Ids in the tables alone. */
export async function inTables(spool: Spool): Promise<string[]> {
  const folder = copyOf(spool);
  const database = new DatabaseSync(`${folder}/queue.db`);
  const rows = database.prepare("SELECT id FROM message ORDER BY id").all();
  database.close();
  await Deno.remove(folder.slice(0, folder.lastIndexOf("/")), { recursive: true });
  return rows.map(({ id }) => String(id));
}

/** How large the files of the journal are. */
export const sizes = ({ folder }: Spool): number[] =>
  JOURNALS.map((name) => Deno.statSync(`${folder}/${name}`).size);

/** In their order, whatever that of the messages. */
export const idsOf = async (store: Store): Promise<string[]> =>
  (await store.list({ limit: 10_000 })).map(({ id }) => id).toSorted();

export const idsIn = (entries: readonly Entry[]): string[] =>
  entries.map(({ envelope }) => envelope.id).toSorted();

export const commitAll = (store: Store, entries: readonly Entry[]): Promise<void[]> =>
  Promise.all(entries.map((entry) => store.commit(entry)));
