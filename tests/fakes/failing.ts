/** A store in this thread, whose disk fails when it is told to. */

import assert from "node:assert/strict";
import { disk } from "../../src/deno/files.ts";
import type { Disk, Files, OpenFile } from "../../src/ports/files.ts";
import { Reader } from "../../src/store/reader.ts";
import type { StoreParts } from "../../src/store/sqlite.ts";
import { Writer } from "../../src/store/writer.ts";
import { TurnedClock } from "./clock.ts";
import { copyOf, idsOf, slow } from "./killed.ts";
import { TestStore } from "./store.ts";

/** More than any test asks of one thread. */
const MOST_ASKED = 200;

export class Failing implements AsyncDisposable {
  /** What the journal's next sync says; and each attempt to open a file of it, or to empty one. */
  sync: string | undefined;
  open: string | undefined;
  empty: string | undefined;
  /** The next transaction fails; whether what was to be kept is there for all that. */
  transaction: "it is there" | "it is not there" | undefined;
  /** Called after each transaction. */
  written: () => void = () => {};
  readonly clock = new TurnedClock();
  #test: TestStore | undefined;

  static async open(): Promise<Failing> {
    const failing = new Failing();
    failing.#test = await TestStore.open(failing.#parts());
    await failing.rest();
    return failing;
  }

  get test(): TestStore {
    return this.#test!;
  }

  get store() {
    return this.test.store;
  }

  /** From here on the tables take only what is asked for, until the clock is turned. */
  async rest(): Promise<void> {
    await this.store.probe();
  }

  has(event: string): boolean {
    return this.test.logged.some((told) => told.event === event);
  }

  /** What the next daemon has, were this one killed now. */
  static idsAfterKill({ test }: Failing): Promise<string[]> {
    return Failing.idsIn(copyOf(test));
  }

  /** What a daemon has that begins here. */
  static async idsIn(folder: string): Promise<string[]> {
    await using next = await TestStore.open({ ...new Failing().#parts(), folder });
    const ids = await idsOf(next.store);
    assert.equal((await next.store.stats()).accepted, ids.length);
    return ids;
  }

  /** Nobody asks for ever. */
  #parts(): Partial<StoreParts> {
    const thread = <Q, A>(of: { answer(question: Q): A }) => {
      let asked = 0;
      return {
        async ask(question: Q): Promise<A> {
          await undefined;
          if (++asked > MOST_ASKED) throw new Error("it is asked for ever");
          return of.answer(question);
        },
        end() {},
      };
    };
    return {
      clock: this.clock,
      files: { ...disk.files, open: (...args) => this.#open(...args) },
      startWriter: () => slow(thread(this.#writer()), this.clock),
      startReader: () => thread(new Reader(disk)),
    };
  }

  #writer(): Pick<Writer, "answer"> {
    const writer = new Writer(this.#disk());
    return {
      answer: (question) => {
        const answer = writer.answer(question);
        if (question.kind === "write") this.written();
        return answer;
      },
    };
  }

  #disk(): Disk {
    return diskRunning((sql, run) => sql === "COMMIT" ? this.#commit(run) : run());
  }

  #commit<T>(run: () => T): T {
    const { transaction } = this;
    this.transaction = undefined;
    if (transaction === undefined) return run();
    if (transaction === "it is there") run();
    throw new Error("disk I/O error");
  }

  #open(...args: Parameters<Files["open"]>): OpenFile {
    failWith(this.open);
    const file = disk.files.open(...args);
    const sync = async () => {
      const why = this.sync;
      this.sync = undefined;
      await file.sync();
      failWith(why);
    };
    const empty = () => {
      failWith(this.empty);
      file.empty();
    };
    return {
      write: (octets) => file.write(octets),
      reserve: (length) => file.reserve(length),
      sync,
      rewind: () => file.rewind(),
      empty,
      part: (at, memory) => file.part(at, memory),
      close: () => file.close(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.open =
      this.empty =
      this.sync =
      this.transaction =
        undefined;
    await this.#test?.[Symbol.asyncDispose]();
  }
}

/** A disk whose transactions are begun and committed in this way. */
export function diskRunning(way: <T>(sql: string, run: () => T) => T): Disk {
  const open: Disk["databases"]["open"] = (...args) => {
    const database = disk.databases.open(...args);
    return {
      exec: (sql) => database.exec(sql),
      close: () => database.close(),
      prepare: (sql) => {
        const statement = database.prepare(sql);
        if (!/^BEGIN|^COMMIT$/.test(sql)) return statement;
        return { ...statement, run: () => way(sql, () => statement.run()) };
      },
    };
  };
  return { ...disk, databases: { ...disk.databases, open } };
}

function failWith(why: string | undefined): void {
  if (why !== undefined) throw new Error(why);
}
