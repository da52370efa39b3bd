/**
 * Gathers what is to be written while the writer is at work, and hands it over in one piece:
 * one transaction, and one sync of the disk, for all that waits.
 */

import type { Content } from "../smtp/content.ts";
import type { Thread } from "../ports/thread.ts";
import { QueueLimitError, StoreError, StoreFullError } from "../ports/store.ts";
import type { Operation, Result } from "./engine.ts";
import type { Times } from "./look.ts";
import type { Notice, WriterAnswer, WriterQuestion } from "./writer.ts";

/** As much goes into one transaction: more would make the first wait for the last. */
const MOST_OPERATIONS = 512;
const MOST_OCTETS = 8 * 1024 * 1024;

/** Turns of the microtask queue from an answer to the next question of the same caller. */
const TURNS = 8;

interface Waiting {
  /** Told where its octets begin among those of all. */
  readonly make: (at: number) => Operation;
  /** Of messages whose octets go into their rows, one behind the other. */
  readonly contents: readonly Content[];
  readonly size: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Batches {
  readonly #writer: Thread<WriterQuestion, WriterAnswer>;
  readonly #times: () => Times;
  readonly #notice: (notice: Notice) => void;
  #waiting: Waiting[] = [];
  #running = false;
  #idleSince: number;

  constructor(
    writer: Thread<WriterQuestion, WriterAnswer>,
    times: () => Times,
    notice: (notice: Notice) => void,
  ) {
    this.#writer = writer;
    this.#times = times;
    this.#notice = notice;
    this.#idleSince = times().time;
  }

  /** How long nothing has been written, in milliseconds. */
  idleFor(): number {
    return this.#running ? 0 : this.#times().time - this.#idleSince;
  }

  put(make: (at: number) => Operation, contents: readonly Content[] = []): Promise<unknown> {
    const size = contents.reduce((sum, { size }) => sum + size, 0);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ make, contents, size, resolve, reject });
      if (this.#running) return;
      this.#running = true;
      queueMicrotask(() => this.#run());
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#write(this.#takeSome());
      // Those who were just told may have more: it goes with what has waited meanwhile.
      for (let turn = 0; turn < TURNS; turn++) await undefined;
    }
    this.#running = false;
    this.#idleSince = this.#times().time;
  }

  #takeSome(): Waiting[] {
    let octets = 0;
    let count = 0;
    for (const { size } of this.#waiting) {
      octets += size;
      if (count > 0 && (octets > MOST_OCTETS || count >= MOST_OPERATIONS)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    try {
      const question = this.#pack(batch);
      const answer = await this.#writer.ask(question, [question.octets.buffer as ArrayBuffer]);
      if (answer.kind === "failed") { for (const notice of answer.notices) this.#notice(notice); }
      if (answer.kind === "written") {
        for (const [i, { resolve, reject }] of batch.entries()) {
          settle(answer.results[i], resolve, reject);
        }
        for (const notice of answer.notices) this.#notice(notice);
        return;
      }
      const why = answer.kind === "failed" ? answer.why : `unexpected answer ${answer.kind}`;
      const full = answer.kind === "failed" && answer.full;
      const error = full ? new StoreFullError(why) : new StoreError(why);
      for (const { reject } of batch) reject(error);
    } catch (error) {
      for (const { reject } of batch) reject(new StoreError(String(error)));
    }
  }

  #pack(batch: readonly Waiting[]): WriterQuestion & { kind: "write" } {
    const octets = new Uint8Array(batch.reduce((sum, { size }) => sum + size, 0));
    let at = 0;
    const operations = batch.map(({ make, contents }) => {
      const operation = make(at);
      for (const { chunks } of contents) {
        for (const chunk of chunks) {
          octets.set(chunk, at);
          at += chunk.length;
        }
      }
      return operation;
    });
    return { kind: "write", operations, octets, times: this.#times() };
  }
}

function settle(
  result: Result,
  resolve: (value: unknown) => void,
  reject: (error: Error) => void,
): void {
  if ("value" in result) resolve(result.value);
  else if (result.refused === "limit") reject(new QueueLimitError(result.why));
  else reject(new StoreError(result.why));
}
