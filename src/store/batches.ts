/**
 * Gathers what is to be written while the writer is at work, and hands it over in one piece:
 * one transaction, and one sync of the disk, for all that waits.
 *
 * Some of what the journal has kept goes along, before all else; when nothing else is to be
 * written it goes soon, but not at once: the more it is, the less a message of it costs.
 */

import type { Content } from "../smtp/content.ts";
import type { Clock } from "../ports.ts";
import type { Thread } from "../ports/thread.ts";
import { QueueLimitError, StoreError, StoreFullError } from "../ports/store.ts";
import type { Operation, Result } from "./engine.ts";
import { type NewPlace, ROOM } from "./journal.ts";
import type { Times } from "./look.ts";
import type { Notice, Taken, WriterAnswer, WriterQuestion } from "./questions.ts";

/** As much goes into one transaction: more would make the first wait for the last. */
const MOST_OPERATIONS = 512;
const MOST_OCTETS = 8 * 1024 * 1024;

/** While the journal is written, taking from it gets this part of the time, as one to so many. */
const BUSY_PAUSE = 16;
/** But where somebody waits for it, it lies no longer than this. */
const LONGEST_PAUSE = 250;
/**
 * More than is taken at once, and mail still comes in: where nobody waits for it, it lies until
 * there is a pause, or its time has come.
 */
const BURST = 2 * 1024 * 1024;
/** From so much of its room on, or such an age, it gets more of the time, up to all of it. */
const MUCH = { room: 1 / 4, age: 3_000 };
const TOO_MUCH = { room: 1 / 2, age: 5_000 };
/** The journal was given nothing for so long: there is time to take from it. */
const IDLE = 20;
const AFTER_FAILURE = 1_000;

const UNREADABLE = new StoreError("journal: it cannot be read");

/** Turns of the microtask queue from an answer to the next question of the same caller. */
const TURNS = 8;

/** What the journal has and the tables do not. */
export interface Behind {
  readonly octets: number;
  readonly messages: number;
  /** Of the tables, that they will be. */
  readonly rows: number;
  /** Of the oldest. */
  readonly age: number;
}

/** What the last transaction took, and how long ago it ended, in milliseconds. */
export interface Last {
  readonly took: number;
  readonly since: number;
}

/**
 * How much longer to leave the journal alone, in milliseconds. `awaited`: somebody delivers
 * what the tables have.
 */
export function pause(
  { took, since }: Last,
  { octets, rows, age }: Behind,
  awaited: boolean,
): number {
  const room = Math.max(octets / ROOM.octets, rows / ROOM.rows);
  const eager = Math.max(
    (room - MUCH.room) / (TOO_MUCH.room - MUCH.room),
    (age - MUCH.age) / (TOO_MUCH.age - MUCH.age),
  );
  const rest = took * BUSY_PAUSE * (1 - Math.min(Math.max(eager, 0), 1));
  if (awaited) return Math.min(rest, LONGEST_PAUSE) - since;
  const isBurst = eager <= 0 && octets > BURST;
  return isBurst ? Math.max(rest - since, MUCH.age - age) : rest - since;
}

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
  readonly clock: Pick<Clock, "timer" | "monotonic">;
  times(): Times;
  /** Whether somebody waits for what the tables take. */
  isAwaited(): boolean;
  notice(notice: Notice): void;
  taken(taken: Taken): void;
  /** What the journal has cannot be taken now. */
  notTaken(error: StoreError): void;
}

export class Batches {
  readonly #host: BatchesHost;
  #waiting: Waiting[] = [];
  /** In the journal, and not in the tables; those at the end the writer does not know yet. */
  #kept: NewPlace[] = [];
  #told = 0;
  readonly #size = { octets: 0, messages: 0, rows: 0 };
  #lastKept = { sequence: 0, at: -Infinity };
  #failed = false;
  #running = false;
  #closed = false;
  #idleSince: number;
  #begunAt = 0;
  #endedAt = 0;
  #cancel: (() => void) | undefined;

  constructor(host: BatchesHost) {
    this.#host = host;
    this.#idleSince = host.clock.monotonic();
  }

  /** Whether the last that was written could not be. */
  get failed(): boolean {
    return this.#failed;
  }

  /** How long the journal has been given nothing, in milliseconds. */
  quietFor(): number {
    return this.#host.clock.monotonic() - this.#lastKept.at;
  }

  /** How long nothing has been written, in milliseconds. */
  idleFor(): number {
    return this.#running || this.#isBehind ? 0 : this.#host.clock.monotonic() - this.#idleSince;
  }

  put(make: (at: number) => Operation, contents: readonly Content[] = []): Promise<unknown> {
    const size = contents.reduce((sum, { size }) => sum + size, 0);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ make, contents, size, resolve, reject });
      this.#start();
    });
  }

  get #isBehind(): boolean {
    return this.#kept.length > 0;
  }

  behind(): Behind {
    const { time } = this.#host.times();
    const age = this.#isBehind ? time - this.#kept[0].time : 0;
    return { ...this.#size, age };
  }

  /** A batch that the journal has kept. */
  add(place: NewPlace): void {
    this.#kept.push(place);
    this.#count(place, 1);
    this.#lastKept = { sequence: place.sequence, at: this.#host.clock.monotonic() };
    if (!this.#running) this.#startLater();
  }

  #count({ length, messages, rows }: NewPlace, sign: 1 | -1): void {
    this.#size.octets += sign * length;
    this.#size.messages += sign * messages;
    this.#size.rows += sign * rows;
  }

  /** Resolves when the tables have all that the journal has now. */
  async caughtUp(): Promise<void> {
    const { sequence } = this.#lastKept;
    while (this.#isBehind && this.#kept[0].sequence <= sequence) {
      await this.put(() => ({ kind: "probe" }));
      if (this.#failed) throw UNREADABLE;
    }
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#cancel?.();
    this.#cancel = undefined;
    queueMicrotask(() => this.#run());
  }

  /** To take from the journal alone there is time, but not for ever. */
  #startLater(): void {
    if (this.#closed) return;
    const time = this.#host.clock.monotonic();
    const since = time - this.#endedAt;
    const last = { took: this.#endedAt - this.#begunAt, since };
    const rest = pause(last, this.behind(), this.#host.isAwaited());
    const quiet = this.#lastKept.at + IDLE - time;
    const wait = this.#failed ? AFTER_FAILURE - since : Math.min(rest, quiet);
    if (wait <= 0) return this.#start();
    this.#cancel ??= this.#host.clock.timer(wait, () => {
      this.#cancel = undefined;
      // More may have come meanwhile.
      this.#startLater();
    });
  }

  async #run(): Promise<void> {
    do {
      this.#begunAt = this.#host.clock.monotonic();
      const kept = this.#kept.slice(this.#told);
      this.#told = this.#kept.length;
      await this.#write(this.#takeSome(), kept);
      // Those who were just told may have more: it goes with what has waited meanwhile.
      for (let turn = 0; turn < TURNS; turn++) await undefined;
    } while (this.#waiting.length > 0);
    this.#running = false;
    this.#endedAt = this.#idleSince = this.#host.clock.monotonic();
    if (this.#isBehind || this.#failed) this.#startLater();
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

  async #write(batch: readonly Waiting[], places: readonly NewPlace[]): Promise<void> {
    try {
      const isWanted = batch.length > 0 || this.#host.isAwaited();
      const gently = !isWanted && this.quietFor() < IDLE;
      const question = { ...this.#pack(batch), places, gently };
      const answer = await this.#host.writer.ask(question, [question.octets.buffer as ArrayBuffer]);
      if (answer.kind === "failed" || answer.kind === "written") {
        for (const notice of answer.notices) this.#host.notice(notice);
      }
      if (answer.kind !== "written") throw failureOf(answer);
      // The journal may be what cannot be read.
      this.#failed = answer.taken === undefined && this.#told > 0;
      if (answer.taken !== undefined) this.#took(answer.taken);
      else if (this.#failed) this.#host.notTaken(UNREADABLE);
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

  #took(taken: Taken): void {
    const left = this.#kept.findIndex(({ sequence }) => sequence > taken.sequence);
    const done = this.#kept.splice(0, left < 0 ? this.#kept.length : left);
    this.#told -= done.length;
    for (const place of done) this.#count(place, -1);
    this.#host.taken(taken);
  }

  #pack(batch: readonly Waiting[]): Omit<WriterQuestion & { kind: "write" }, "places" | "gently"> {
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
    return { kind: "write", operations, octets, times: this.#host.times() };
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
