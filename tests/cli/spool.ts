/** Commands on a spool that a test has filled. */

import { DatabaseSync } from "node:sqlite";
import { dinopost, runToEnd } from "../fakes/daemon.ts";
import { TestStore } from "../fakes/store.ts";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class TestSpool implements AsyncDisposable {
  readonly settings: Readonly<Record<string, string>>;

  private constructor(readonly test: TestStore) {
    this.settings = { SMTP_QUEUE_PATH: test.folder, SMTP_SPOOL_FILES: "false" };
  }

  /** Open as by a daemon, until `close`. */
  static async open(): Promise<TestSpool> {
    return new TestSpool(await TestStore.open());
  }

  get store() {
    return this.test.store;
  }

  get folder() {
    return this.test.folder;
  }

  /** As where no daemon runs. */
  close(): Promise<void> {
    return this.test.close();
  }

  run(...args: string[]): Promise<Ran> {
    return runToEnd(dinopost(...args), this.settings);
  }

  /** In a shell, in which `$dinopost` is the program. */
  shell(script: string): Promise<Ran> {
    const settings = { ...this.settings, dinopost: dinopost().join(" ") };
    return runToEnd(["bash", "-c", script], settings);
  }

  /** The objects that a command printed, one a line. */
  async json<T>(...args: string[]): Promise<T[]> {
    const { code, stdout, stderr } = await this.run(...args, "--json");
    if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${stderr}`);
    return stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  }

  /** What nobody would do to a spool. */
  sql<T>(statement: string): T[] {
    const database = new DatabaseSync(`${this.folder}/queue.db`);
    try {
      return database.prepare(statement).all() as T[];
    } finally {
      database.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.test[Symbol.asyncDispose]();
  }
}
