/** The writer, when its disk fails amid what it carries out one by one. */

import assert from "node:assert/strict";
import { disk } from "../../src/deno/files.ts";
import type { Entry } from "../../src/ports/store.ts";
import { pack } from "../../src/store/commit.ts";
import type { Operation } from "../../src/store/engine.ts";
import type { WriterAnswer } from "../../src/store/questions.ts";
import { Writer } from "../../src/store/writer.ts";
import { entryOf } from "../fakes/store.ts";

/** A writer on a spool of its own, of whose database a transaction cannot be begun. */
class Begun {
  readonly folder = Deno.makeTempDirSync();
  /** Of the transactions to come; none: all can be begun. */
  failing: number | undefined;
  readonly #writer: Writer;

  constructor() {
    const open: typeof disk.databases.open = (...args) => {
      const database = disk.databases.open(...args);
      return {
        exec: (sql) => database.exec(sql),
        close: () => database.close(),
        prepare: (sql) => {
          const statement = database.prepare(sql);
          if (!sql.startsWith("BEGIN")) return statement;
          return { ...statement, run: () => this.#begin(() => statement.run()) };
        },
      };
    };
    this.#writer = new Writer({ ...disk, databases: { ...disk.databases, open } });
    this.#writer.answer({ kind: "open", folder: `${this.folder}/spool`, viewed: false, wall: 0 });
  }

  #begin<T>(run: () => T): T {
    if (this.failing !== undefined && this.failing-- === 1) {
      this.failing = undefined;
      throw new Error("database or disk is full");
    }
    return run();
  }

  write(...operations: Operation[]): WriterAnswer {
    const [octets] = entryOf().envelope.content.chunks;
    const times = { time: 0, wall: 0 };
    return this.#writer.answer({ kind: "write", operations, octets, places: [], times });
  }

  /** The ids of what would be delivered. */
  claimed(): string[] {
    const request = { free: 100, perDestination: 100, busy: [], lease: 1000 };
    const answer = this.write({ kind: "claim", request });
    assert.equal(answer.kind, "written");
    const { results: [result] } = answer as WriterAnswer & { kind: "written" };
    assert.ok("value" in result);
    return (result.value as { claims: { id: string }[] }).claims.map(({ id }) => id);
  }

  [Symbol.dispose](): void {
    this.#writer.answer({ kind: "close" });
    Deno.removeSync(this.folder, { recursive: true });
  }
}

const committing = (entry: Entry): Operation => ({
  kind: "commit",
  message: { ...pack(entry), limit: undefined, body: { at: 0 } },
});

/** What no table takes. */
const FAULTY = committing({ ...entryOf(), subject: {} as string });

Deno.test("D4 what was refused with others is not delivered, though it was carried out alone", () => {
  using begun = new Begun();
  begun.write(committing(entryOf({ id: "before" })));
  // All of them, then each by itself, since one is at fault; the last finds the disk full.
  begun.failing = 4;
  const [first, last] = ["first", "last"].map((id) => committing(entryOf({ id })));
  const { kind } = begun.write(first, FAULTY, last);
  assert.deepEqual([kind, begun.claimed()], ["failed", ["before"]]);
});

Deno.test("of several the one that is at fault is told so, and the others are kept", () => {
  using begun = new Begun();
  const answer = begun.write(FAULTY, committing(entryOf({ id: "kept" })));
  assert.equal(answer.kind, "written");
  const { results } = answer as WriterAnswer & { kind: "written" };
  assert.deepEqual(results.map((result) => "value" in result), [false, true]);
  assert.deepEqual(begun.claimed(), ["kept"]);
});
