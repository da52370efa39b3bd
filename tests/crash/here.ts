/** A store without threads of its own, which take long to start: for looking at a spool. */

import { clock } from "../../src/deno/clock.ts";
import { disk } from "../../src/deno/files.ts";
import { random } from "../../src/deno/random.ts";
import { Meter } from "../../src/meter.ts";
import type { Database } from "../../src/ports/database.ts";
import type { Disk } from "../../src/ports/files.ts";
import { Reader } from "../../src/store/reader.ts";
import { SqliteStore, type StoreParts } from "../../src/store/sqlite.ts";
import type { WriterQuestion } from "../../src/store/questions.ts";
import { Writer } from "../../src/store/writer.ts";

export interface Hearing {
  /** What its writer has done. */
  done?(question: WriterQuestion): void;
}

export class StoreHere implements AsyncDisposable {
  /** Warnings and worse. */
  readonly logged: string[] = [];
  #store: SqliteStore | undefined;
  readonly #databases: Database[] = [];

  static async open(
    folder: string,
    parts: Partial<StoreParts> = {},
    { done }: Hearing = {},
  ): Promise<StoreHere> {
    const here = new StoreHere();
    here.#store = await SqliteStore.open({
      folder,
      viewed: false,
      clock,
      log: (level, event, fields = {}) => {
        if (level === "warning" || level === "error") {
          here.logged.push(`${event} ${JSON.stringify(fields)}`);
        }
      },
      meter: new Meter(),
      random,
      files: disk.files,
      checksum: disk.checksum,
      startWriter: () => answering(new Writer(here.#disk()), done),
      startReader: () => answering(new Reader(here.#disk())),
      ...parts,
    });
    return here;
  }

  get store(): SqliteStore {
    return this.#store!;
  }

  /** That of the machine; what is opened on it can be closed in the end. */
  #disk(): Disk {
    const open: Disk["databases"]["open"] = (...args) => {
      const database = disk.databases.open(...args);
      this.#databases.push(database);
      return database;
    };
    return { ...disk, databases: { ...disk.databases, open } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store?.close();
    for (const database of this.#databases) {
      try {
        database.close();
      } catch {
        // The store has closed it.
      }
    }
  }
}

function answering<Q, A>(of: { answer(question: Q): A }, done?: (question: Q) => void) {
  return {
    async ask(question: Q): Promise<A> {
      // Not in the same turn: whoever asks a thread does not wait for it either.
      await undefined;
      const answer = of.answer(question);
      done?.(question);
      return answer;
    },
    end() {},
  };
}
