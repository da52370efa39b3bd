/** The writer, when its disk fails amid what it carries out one by one. */

import assert from "node:assert/strict";
import type { Statement } from "../../src/ports/database.ts";
import type { Entry } from "../../src/ports/store.ts";
import { pack } from "../../src/store/commit.ts";
import type { Operation } from "../../src/store/engine.ts";
import type { WriterAnswer } from "../../src/store/questions.ts";
import { Writer } from "../../src/store/writer.ts";
import { diskRunning } from "../fakes/failing.ts";
import { entryOf } from "../fakes/store.ts";

const isBegin = (sql: string) => sql.startsWith("BEGIN");
const isCommit = (sql: string) => sql === "COMMIT";

interface Failure {
  readonly of: (sql: string) => boolean;
  /** As many come before it. */
  readonly behind: number;
  readonly error: string;
  /** It was carried out for all that. */
  readonly isDone?: boolean;
}

/** A writer on a spool of its own, in whose database something fails, once. */
class FailingWriter {
  readonly #folder = Deno.makeTempDirSync();
  readonly #writer: Writer;
  #failure: Failure | undefined;
  #before = 0;

  constructor() {
    this.#writer = new Writer(diskRunning((sql, run) => this.#run(sql, run)));
    this.#writer.answer({ kind: "open", folder: `${this.#folder}/spool`, viewed: false, wall: 0 });
  }

  fail(failure: Failure): void {
    this.#failure = failure;
    this.#before = failure.behind;
  }

  #run<T>(sql: string, run: () => T): T {
    const failure = this.#failure;
    if (!failure?.of(sql) || this.#before-- > 0) return run();
    this.#failure = undefined;
    if (failure.isDone) run();
    throw new Error(failure.error);
  }

  write(...operations: Operation[]): WriterAnswer {
    const [octets] = entryOf().envelope.content.chunks;
    const times = { time: 0, wall: 0 };
    return this.#writer.answer({
      kind: "write",
      operations,
      octets,
      places: [],
      times,
      gently: false,
    });
  }

  /** The ids of what would be delivered. */
  claimed(): string[] {
    const answer = this.write(CLAIM);
    assert.equal(answer.kind, "written");
    const { results: [result] } = answer as WriterAnswer & { kind: "written" };
    assert.ok("value" in result);
    return (result.value as { claims: { id: string }[] }).claims.map(({ id }) => id);
  }

  [Symbol.dispose](): void {
    this.#writer.answer({ kind: "close" });
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

const CLAIM: Operation = {
  kind: "claim",
  request: { free: 100, perDestination: 100, busy: [], lease: 1000 },
};

const committing = (entry: Entry): Operation => ({
  kind: "commit",
  message: { ...pack(entry), limit: undefined, body: { at: 0 } },
});

/** What no table takes. */
const FAULTY = committing({ ...entryOf(), subject: {} as string });

Deno.test("D4 what was refused with others is not delivered, though it was carried out alone", () => {
  using failing = new FailingWriter();
  failing.write(committing(entryOf({ id: "before" })));
  // All of them, then each by itself, since one is at fault; the last finds the disk full.
  failing.fail({ of: isBegin, behind: 3, error: "database or disk is full" });
  const [first, last] = ["first", "last"].map((id) => committing(entryOf({ id })));
  const { kind } = failing.write(first, FAULTY, last);
  assert.deepEqual([kind, failing.claimed()], ["failed", ["before"]]);
});

Deno.test("of several the one that is at fault is told so, and the others are kept", () => {
  using failing = new FailingWriter();
  const answer = failing.write(FAULTY, committing(entryOf({ id: "kept" })));
  assert.equal(answer.kind, "written");
  const { results } = answer as WriterAnswer & { kind: "written" };
  assert.deepEqual(results.map((result) => "value" in result), [false, true]);
  assert.deepEqual(failing.claimed(), ["kept"]);
});

Deno.test("D3 no transaction can be begun: nothing is at fault, and it is opened anew", () => {
  using failing = new FailingWriter();
  failing.write(committing(entryOf({ id: "before" })));
  failing.fail({ of: isBegin, behind: 0, error: "database is not open" });
  const entries = ["one", "two"].map((id) => committing(entryOf({ id })));
  assert.equal(failing.write(...entries).kind, "failed");
  const answer = failing.write(...entries);
  assert.ok(
    answer.kind === "written" && answer.notices.some(({ about }) => about === "opened anew"),
  );
  assert.deepEqual(failing.claimed(), ["before", "one", "two"]);
});

for (const isDone of [true, false]) {
  const what = isDone ? "was" : "was not";
  Deno.test(`D3 what was handed out to nobody, and ${what} written down, is handed out again`, () => {
    using failing = new FailingWriter();
    failing.write(committing(entryOf({ id: "heard" })));
    assert.deepEqual(failing.claimed(), ["heard"]);
    failing.write(committing(entryOf({ id: "unheard" })));
    failing.fail({ of: isCommit, behind: 0, error: "disk I/O error", isDone });
    assert.equal(failing.write(CLAIM).kind, "failed");
    assert.deepEqual(failing.claimed(), ["unheard"]);
  });
}

Deno.test("D3 what was handed out before the disk failed stays with whoever has it", () => {
  using failing = new FailingWriter();
  failing.write(committing(entryOf({ id: "heard" })));
  assert.deepEqual(failing.claimed(), ["heard"]);
  for (const isOne of [isBegin, isCommit]) {
    failing.fail({ of: isOne, behind: 0, error: "disk I/O error" });
    assert.equal(failing.write(CLAIM).kind, "failed");
    assert.deepEqual(failing.claimed(), []);
  }
});

Deno.test("D4 no room to set damage aside: what is in the database goes on", () => {
  const folder = `${Deno.makeTempDirSync()}/spool`;
  let failing = false;
  const base = diskRunning((sql, run) => {
    if (failing && isCommit(sql)) throw new Error("disk I/O error");
    return run();
  });
  const open: typeof base.databases.open = (...args) => {
    const database = base.databases.open(...args);
    const unsound = {
      get: () => ({ integrity_check: "Tree 3 is no tree" }),
    } as unknown as Statement;
    return {
      exec: (sql) => database.exec(sql),
      close: () => database.close(),
      prepare: (sql) => /integrity_check/.test(sql) ? unsound : database.prepare(sql),
    };
  };
  const files = {
    ...base.files,
    rename() {
      throw new Error("database or disk is full");
    },
  };
  const writer = new Writer({ ...base, files, databases: { ...base.databases, open } });
  writer.answer({ kind: "open", folder, viewed: false, wall: 0 });
  const [octets] = entryOf().envelope.content.chunks;
  const write = (...operations: Operation[]) =>
    writer.answer({
      ...{ kind: "write", operations, octets, places: [], gently: false },
      times: { time: 0, wall: 0 },
    });
  failing = true;
  assert.equal(write(committing(entryOf({ id: "refused" }))).kind, "failed");
  failing = false;
  Deno.writeTextFileSync(`${folder}/damaged`, "");
  const answer = write(committing(entryOf({ id: "first" })));
  assert.ok(answer.kind === "failed" && answer.full);
  const next = write(committing(entryOf({ id: "second" })), CLAIM);
  assert.ok(next.kind === "written");
  assert.deepEqual(next.results.map((result) => "value" in result), [true, true]);
  writer.answer({ kind: "close" });
  Deno.removeSync(folder, { recursive: true });
});
