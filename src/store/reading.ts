/** Asks the thread that reads; it is started when there is first something to be read. */

import type { Thread } from "../ports/thread.ts";
import type { ReaderAnswers, ReaderQuestion } from "./reader.ts";

export type ReaderThread = Thread<ReaderQuestion, ReaderAnswers[keyof ReaderAnswers]>;

export class Reading {
  readonly #folder: string;
  readonly #start: () => ReaderThread;
  #reader: ReaderThread | undefined;

  constructor(folder: string, start: () => ReaderThread) {
    this.#folder = folder;
    this.#start = start;
  }

  ask<Question extends ReaderQuestion>(
    question: Question,
  ): Promise<ReaderAnswers[Question["kind"]]> {
    if (this.#reader === undefined) {
      this.#reader = this.#start();
      this.openAnew();
    }
    return this.#reader.ask(question) as Promise<ReaderAnswers[Question["kind"]]>;
  }

  /** Another database has taken the place of the one it has open. */
  openAnew(): void {
    // Whether it could shows with the next question.
    void this.#reader?.ask({ kind: "open", folder: this.#folder }).catch(() => {});
  }

  end(): void {
    this.#reader?.end();
  }
}
