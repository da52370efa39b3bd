/**
 * Has the names in the spool written behind the store: at once when little is going on,
 * slowly while mail pours in, and more and more of the time the further they lag.
 *
 * Promises: names cost the mail that comes in little, and lag no more than a bound; bodies are
 * let go only when their names have had time to reach the disk by themselves, so that a
 * power failure costs no more than writing some of them again.
 */

import type { Clock, Log } from "../ports.ts";
import type { Named } from "./names.ts";

/** Messages that are named in one go; where there are many, what goes with each go counts. */
const CHUNK = 32;
const LARGE_CHUNK = 128;
/** Nothing was written for so long: there is time for names. */
const IDLE = 20;
/** While mail comes in, names get this part of the time, as one to so many. */
const BUSY_PAUSE = 30;
/** So far behind they are after a burst; behind that it is a long one. */
const FEW = 20_000;
/** Then they get this part of the time, and more and more, up to all of it. */
const LONG_PAUSE = 2;
const MANY = 90_000;
/** Beyond this accepting slows down. */
const MOST = 100_000;
const LONGEST = 10 * 60_000;
/** What was written so long ago has been brought to the disk by the system. */
const STABLE = 60_000;
const AFTER_PROBLEM = 1_000;

/** How long to pause after work that took so long, all in milliseconds. */
export function pause(took: number, lag: number, idleFor: number): number {
  if (idleFor >= IDLE) return 0;
  if (lag <= FEW) return took * BUSY_PAUSE;
  // While some of the processors has nothing to do, names cost little: it is well to begin early.
  const eager = Math.min((lag - FEW) / (MANY - FEW), 1);
  return took * LONG_PAUSE * (1 - eager);
}

export interface ViewHost {
  readonly clock: Clock;
  readonly log: Log;
  /** The store's own time. */
  time(): number;
  idleFor(): number;
  /** Gently: mail comes in meanwhile, and is not to wait for it. */
  write(after: number, most: number, gently: boolean): Promise<Named>;
  /** The bodies of messages up to this one are no longer wanted for their names. */
  release(until: number): Promise<unknown>;
  damaged(message: number): void;
}

export class View {
  readonly #host: ViewHost;
  #last: number;
  #until: number;
  /** When the last named message came: how far the names are. */
  #reached: number;
  #running = false;
  #closed = false;
  #problem: string | undefined;
  #releasing = false;
  #written: { readonly at: number; readonly until: number }[] = [];
  #cancel: (() => void) | undefined;
  #awake: (() => void) | undefined;
  #progress = Promise.withResolvers<void>();

  constructor(host: ViewHost, { last, named }: { last: number; named: number }) {
    this.#host = host;
    this.#last = last;
    this.#until = named;
    this.#reached = host.time();
    this.#start();
  }

  /** Messages whose names are still to be written. */
  get lag(): number {
    return this.#last - this.#until;
  }

  /** A message has come. */
  added(number: number): void {
    if (this.lag <= 0) this.#reached = this.#host.time();
    this.#last = Math.max(this.#last, number);
    this.#start();
  }

  /** What to wait for where the names lag too far; it is never long. */
  keepUp(): Promise<void> | undefined {
    if (this.lag === 0) return undefined;
    const isLate = this.lag >= MOST || this.#host.time() - this.#reached >= LONGEST;
    return isLate ? this.#someProgress() : undefined;
  }

  async #someProgress(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#host.clock.timer(AFTER_PROBLEM, resolve);
    await Promise.race([promise, this.#progress.promise]);
    cancel();
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#awake?.();
  }

  #start(): void {
    if (this.#running || this.#closed || this.lag <= 0) return;
    this.#running = true;
    void this.#run().finally(() => {
      this.#running = false;
      this.#releaseLater();
      this.#start();
    });
  }

  async #run(): Promise<void> {
    await this.#sleep(IDLE);
    while (this.lag > 0 && !this.#closed) {
      const { clock } = this.#host;
      const start = clock.monotonic();
      const wait = await this.#writeSome()
        ? pause(clock.monotonic() - start, this.lag, this.#host.idleFor())
        : AFTER_PROBLEM;
      if (wait > 0) await this.#sleep(wait);
    }
  }

  async #writeSome(): Promise<boolean> {
    try {
      const most = this.lag > FEW ? LARGE_CHUNK : CHUNK;
      const named = await this.#host.write(this.#until, most, this.#host.idleFor() < IDLE);
      const { until, reached, messages, damaged, replaced, problem } = named;
      for (const message of damaged) this.#host.damaged(message);
      for (const path of replaced) this.#host.log("warning", "set aside: not ours", { path });
      if (messages > 0) {
        this.#reached = reached;
        this.#moveTo(until);
      } else if (problem === undefined) this.#moveTo(this.#last);
      this.#tell(problem);
      return problem === undefined;
    } catch (error) {
      if (!this.#closed) this.#tell(error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  #moveTo(until: number): void {
    this.#until = until;
    this.#written.push({ at: this.#host.time(), until });
    this.#progress.resolve();
    this.#progress = Promise.withResolvers<void>();
    // During a long burst too bodies are let go, and not all of them at its end.
    if (this.#host.time() - this.#written[0].at > 2 * STABLE) this.#releaseLater();
  }

  /** Each trouble once, and its end. */
  #tell(problem: string | undefined): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    if (problem === undefined) this.#host.log("info", "names in the spool are written again");
    else this.#host.log("error", "names in the spool cannot be written", { problem });
  }

  #releaseLater(): void {
    if (this.#releasing || this.#closed || this.#written.length === 0) return;
    this.#releasing = true;
    const left = this.#written.at(-1)!;
    // The many chunks of a burst need not be remembered one by one.
    this.#written = [this.#written[0], left];
    this.#cancel = this.#host.clock.timer(STABLE + 1, () => void this.#release());
  }

  async #release(): Promise<void> {
    const stable = this.#host.time() - STABLE;
    const done = this.#written.filter(({ at }) => at <= stable);
    this.#written = this.#written.filter(({ at }) => at > stable);
    if (done.length > 0) {
      // Should this fail, their names are written once more when the daemon starts again.
      await this.#host.release(done.at(-1)!.until).catch(() => {});
    }
    this.#releasing = false;
    this.#releaseLater();
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#host.clock.timer(milliseconds, () => {
        this.#awake = undefined;
        resolve();
      });
      this.#awake = () => {
        cancel();
        resolve();
      };
    });
  }
}
