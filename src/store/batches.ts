/**
 * Gathers what is to be written while the writer is at work, and hands it over in one piece:
 * one transaction, and one sync of the disk, for all that waits.
 *
 * What the journal has kept goes along, before all else; when nothing else is to be written it
 * goes soon, but not at once: the more it is, the less a message of it costs.
 */

import type { Content } from "../smtp/content.ts";
import type { Clock } from "../ports.ts";
import type { Thread } from "../ports/thread.ts";
import { QueueLimitError, StoreError, StoreFullError } from "../ports/store.ts";
import type { Operation, Result } from "./engine.ts";
import type { Times } from "./look.ts";
import type { Notice, Taken, WriterAnswer, WriterQuestion } from "./questions.ts";

/** As much goes into one transaction: more would make the first wait for the last. */
const MOST_OPERATIONS = 512;
const MOST_OCTETS = 8 * 1024 * 1024;

/** From one transaction to the next, in milliseconds, where only the journal has something. */
const PACE = 10;
const AFTER_FAILURE = 1_000;

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

export interface BatchesHost {
  readonly writer: Thread<WriterQuestion, WriterAnswer>;
  readonly clock: Pick<Clock, "timer">;
  times(): Times;
  notice(notice: Notice): void;
  taken(taken: Taken): void;
  /** What the journal has cannot be taken now. */
  notTaken(error: StoreError): void;
}

export class Batches {
  readonly #host: BatchesHost;
  #waiting: Waiting[] = [];
  /** Of the journal, still to be handed over. */
  #kept: Uint8Array<ArrayBuffer>[] = [];
  /** The tables do not have all that was kept. */
  #isBehind = false;
  #failed = false;
  #running = false;
  #idleSince: number;
  #begunAt = -Infinity;
  #cancel: (() => void) | undefined;

  constructor(host: BatchesHost) {
    this.#host = host;
    this.#idleSince = host.times().time;
  }

  /** Whether the last that was written could not be. */
  get failed(): boolean {
    return this.#failed;
  }

  /** How long nothing has been written, in milliseconds. */
  idleFor(): number {
    return this.#running || this.#isBehind ? 0 : this.#host.times().time - this.#idleSince;
  }

  put(make: (at: number) => Operation, contents: readonly Content[] = []): Promise<unknown> {
    const size = contents.reduce((sum, { size }) => sum + size, 0);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ make, contents, size, resolve, reject });
      this.#start();
    });
  }

  /** A batch that the journal has kept. Its octets are given away. */
  add(kept: Uint8Array<ArrayBuffer>): void {
    this.#kept.push(kept);
    this.#isBehind = true;
    if (!this.#running) this.#startLater(this.#begunAt + PACE - this.#host.times().time);
  }

  /** Resolves when the tables have all that the journal had kept. */
  async caughtUp(): Promise<void> {
    if (this.#isBehind) await this.put(() => ({ kind: "probe" }));
  }

  close(): void {
    this.#cancel?.();
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#cancel?.();
    this.#cancel = undefined;
    queueMicrotask(() => this.#run());
  }

  #startLater(delay: number): void {
    if (delay <= 0) return this.#start();
    this.#cancel ??= this.#host.clock.timer(delay, () => this.#start());
  }

  async #run(): Promise<void> {
    do {
      this.#begunAt = this.#host.times().time;
      await this.#write(this.#takeSome(), this.#kept.splice(0));
      // Those who were just told may have more: it goes with what has waited meanwhile.
      for (let turn = 0; turn < TURNS; turn++) await undefined;
    } while (this.#waiting.length > 0);
    this.#running = false;
    const { time } = this.#host.times();
    this.#idleSince = time;
    if (this.#failed) this.#startLater(AFTER_FAILURE);
    else if (this.#kept.length > 0) this.#startLater(this.#begunAt + PACE - time);
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

  async #write(batch: readonly Waiting[], kept: Uint8Array<ArrayBuffer>[]): Promise<void> {
    try {
      const question = this.#pack(batch, kept);
      const given = [question.octets, ...kept].map(({ buffer }) => buffer as ArrayBuffer);
      const answer = await this.#host.writer.ask(question, given);
      if (answer.kind === "failed" || answer.kind === "written") {
        for (const notice of answer.notices) this.#host.notice(notice);
      }
      if (answer.kind !== "written") throw failureOf(answer);
      this.#failed = false;
      this.#isBehind = this.#kept.length > 0;
      if (answer.taken !== undefined) this.#host.taken(answer.taken);
      for (const [i, { resolve, reject }] of batch.entries()) {
        settle(answer.results[i], resolve, reject);
      }
    } catch (error) {
      this.#failed = true;
      const failure = error instanceof StoreError ? error : new StoreError(String(error));
      for (const { reject } of batch) reject(failure);
      this.#host.notTaken(failure);
    }
  }

  #pack(
    batch: readonly Waiting[],
    batches: readonly Uint8Array[],
  ): WriterQuestion & { kind: "write" } {
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
    return { kind: "write", operations, octets, batches, times: this.#host.times() };
  }
}

function failureOf(answer: WriterAnswer): StoreError {
  if (answer.kind !== "failed") return new StoreError(`unexpected answer ${answer.kind}`);
  return answer.full ? new StoreFullError(answer.why) : new StoreError(answer.why);
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
