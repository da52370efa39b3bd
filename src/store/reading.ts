/**
 * Asks the thread that reads; it is started when there is first something to be read, and
 * another one where that has broken. Damage that it meets is salvaged, and the question asked once
 * more.
 */

import type { Log } from "../ports.ts";
import type { Files } from "../ports/files.ts";
import { StoreError } from "../ports/store.ts";
import { type Thread, ThreadEndedError } from "../ports/thread.ts";
import { Layout } from "./layout.ts";
import { takeMark } from "./mark.ts";
import type { Corrupt, ReaderAnswers, ReaderQuestion } from "./reader.ts";

type Answer = ReaderAnswers[keyof ReaderAnswers];

export type ReaderThread = Thread<ReaderQuestion, Answer | Corrupt>;

/** About messages that the tables have told of. */
const AT_ONCE: ReadonlySet<ReaderQuestion["kind"]> = new Set(["content", "name"]);

export class Reading {
  readonly #layout: Layout;
  readonly #start: () => ReaderThread;
  readonly #caughtUp: () => Promise<void>;
  readonly #salvage: () => Promise<void>;
  readonly #files: Files;
  readonly #log: Log;
  #reader: ReaderThread | undefined;
  /** How often another database has taken the place of the one before. */
  #changes = 0;
  #salvaging: Promise<void> | undefined;
  #ended = false;
  /** What was wrong when it was looked for damage last. */
  #told = "";

  constructor(parts: {
    readonly folder: string;
    readonly files: Files;
    readonly log: Log;
    startReader(): ReaderThread;
    /** Resolves when the tables have what was kept by now. */
    caughtUp(): Promise<void>;
    salvage(): Promise<void>;
  }) {
    this.#layout = new Layout(parts.folder);
    this.#files = parts.files;
    this.#log = parts.log;
    this.#start = parts.startReader;
    this.#caughtUp = parts.caughtUp;
    this.#salvage = parts.salvage;
  }

  async ask<Question extends ReaderQuestion>(
    question: Question,
  ): Promise<ReaderAnswers[Question["kind"]]> {
    if (!AT_ONCE.has(question.kind)) {
      // What is damaged is salvaged by the first that fails of it. Where the tables cannot take
      // what was kept, what they have is shown all the same.
      await this.#caughtUp().catch(() => this.#caughtUp()).catch(() => {});
    }
    const changes = this.#changes;
    let answer = await this.#askOnce(question);
    if (isCorrupt(answer)) {
      // Nothing is wrong with a database that has taken its place meanwhile.
      if (changes === this.#changes) await this.#salvageOnce();
      answer = await this.#askOnce(question);
    }
    if (isCorrupt(answer)) throw new StoreError(`read: ${answer.corrupt}`);
    return answer as ReaderAnswers[Question["kind"]];
  }

  /** From time to time: a command may have met damage. */
  async tend(): Promise<void> {
    try {
      const isMarked = takeMark(this.#layout, { files: this.#files });
      if (isMarked) await this.ask({ kind: "check" });
      this.#told = "";
    } catch (error) {
      const why = String(error);
      if (!this.#ended && why !== this.#told) this.#log("error", "damage not set aside", { why });
      this.#told = why;
    }
  }

  #salvageOnce(): Promise<void> {
    return this.#salvaging ??= this.#salvage().finally(() => this.#salvaging = undefined);
  }

  async #askOnce(question: ReaderQuestion): Promise<Answer | Corrupt> {
    const reader = this.#reader ?? this.#begin();
    try {
      return await reader.ask(question);
    } catch (error) {
      const hasBroken = error instanceof ThreadEndedError && !this.#ended;
      if (hasBroken && this.#reader === reader) this.#reader = undefined;
      throw error;
    }
  }

  #begin(): ReaderThread {
    this.#reader = this.#start();
    this.#open();
    return this.#reader;
  }

  /** Another database has taken the place of the one it has open. */
  openAnew(): void {
    this.#changes++;
    this.#open();
  }

  #open(): void {
    // Whether it could shows with the next question.
    void this.#reader?.ask({ kind: "open", folder: this.#layout.folder }).catch(() => {});
  }

  end(): void {
    this.#ended = true;
    this.#reader?.end();
  }
}

function isCorrupt(answer: Answer | Corrupt): answer is Corrupt {
  return typeof answer === "object" && "corrupt" in answer;
}
