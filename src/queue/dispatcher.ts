/**
 * Takes what is due out of the store, has it delivered, and writes down what came of it.
 *
 * Promises: new mail is looked for at once, everything else at least every minute; no more is
 * under way than was allowed; what was delivered is written down before its place is given
 * to another, however long the store takes. A fault of a delivery costs that message time.
 */

import type { Outcome } from "../mail/outcome.ts";
import type { Meter } from "../meter.ts";
import type { Clock, Log, Random } from "../ports.ts";
import type { Delivery } from "../ports/delivery.ts";
import { ALL_OTHERS, type Claim, DamagedError, type Entry, type Store } from "../ports/store.ts";
import type { Content } from "../smtp/content.ts";
import { Pace } from "./pace.ts";
import { tell } from "./telling.ts";
import { type Decided, type Moment, type Patience, settle, settleFault } from "./settle.ts";

export interface Limits extends Patience {
  /** Transactions at once, in all. */
  readonly connections: number;
  readonly perDestination: number;
  /** Domains that are destinations of their own, where a relay takes the mail of all others. */
  readonly apart?: readonly string[];
}

/** Makes the messages that tell senders what became of theirs. */
export type Notices = (
  claim: Claim,
  decided: Decided,
  content: () => Promise<Content>,
) => Promise<readonly Entry[]>;

export interface DispatcherParts {
  readonly store: Store;
  readonly delivery: Delivery;
  readonly notices: Notices;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
  limits(): Limits;
}

/** A timer of weeks would fire at once, and a clock may be wrong: look again in any case. */
const LONGEST_SLEEP = 60_000;
/** No delivery takes longer: it is told to end before its lease does. */
const LEASE = 60 * 60_000;
const DEADLINE = 55 * 60_000;
const AFTER_FAILURE = 1_000;

export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #stop = new AbortController();
  readonly #underway = new Set<Promise<void>>();
  readonly #busy = new Map<string, number>();
  readonly #pace = new Pace();
  #looking = false;
  #lookAgain = false;
  #stopped = false;
  /** When something was begun or ended last. */
  #movedAt: number;
  #cancelSleep: () => void = () => {};

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#movedAt = parts.clock.monotonic();
  }

  get underway(): number {
    return this.#underway.size;
  }

  /** How long nothing was begun and nothing ended, in milliseconds. */
  get stillFor(): number {
    return this.#parts.clock.monotonic() - this.#movedAt;
  }

  start(): void {
    this.#parts.store.onNews(() => this.#look());
    this.#look();
  }

  /** What is under way may come to its end within the time. */
  async stop(within: number): Promise<void> {
    this.#stopped = true;
    this.#cancelSleep();
    const cancel = this.#parts.clock.timer(within, () => this.#stop.abort());
    await Promise.all(this.#underway);
    cancel();
  }

  #look(): void {
    if (this.#stopped) return;
    this.#lookAgain = true;
    if (this.#looking) return;
    this.#looking = true;
    this.#cancelSleep();
    void this.#lookOn();
  }

  /** Whoever calls `look` meanwhile has it looked once more. */
  async #lookOn(): Promise<void> {
    let sleep = LONGEST_SLEEP;
    while (this.#lookAgain && !this.#stopped) {
      this.#lookAgain = false;
      sleep = await this.#claimSome();
    }
    this.#looking = false;
    if (!this.#stopped) this.#cancelSleep = this.#parts.clock.timer(sleep, () => this.#look());
  }

  /** How long there will be nothing more to be claimed. */
  async #claimSome(): Promise<number> {
    const { store, log } = this.#parts;
    const { connections, perDestination, apart } = this.#parts.limits();
    const free = connections - this.#underway.size;
    // Whoever gets done looks again.
    if (free <= 0) return LONGEST_SLEEP;
    try {
      const busy = [...this.#busy];
      const { claims, next } = await store.claim({
        free,
        apart,
        perDestination: this.#pace.atFirst(perDestination),
        windows: this.#pace.windows(perDestination),
        busy,
        lease: LEASE,
      });
      // Nobody would wait for them any more: their leases end with the next start.
      if (this.#stopped) return LONGEST_SLEEP;
      for (const claim of claims) this.#begin(claim);
      return Math.min(Math.max((next ?? Infinity) - store.time(), 0), LONGEST_SLEEP);
    } catch (error) {
      if (!this.#stopped) log("error", "queue cannot be read", { error: String(error) });
      return AFTER_FAILURE;
    }
  }

  #begin(claim: Claim): void {
    const { apart } = this.#parts.limits();
    const { id, domain, recipients } = claim;
    this.#movedAt = this.#parts.clock.monotonic();
    this.#parts.log("debug", "attempt begins", { id, domain, recipients: recipients.length });
    const way = apart === undefined || apart.includes(claim.domain) ? claim.domain : ALL_OTHERS;
    this.#busy.set(way, (this.#busy.get(way) ?? 0) + 1);
    const work = this.#handle(claim, way).finally(() => {
      const left = this.#busy.get(way)! - 1;
      if (left === 0) {
        this.#busy.delete(way);
        this.#pace.rest(way);
      } else this.#busy.set(way, left);
      this.#underway.delete(work);
      this.#movedAt = this.#parts.clock.monotonic();
      this.#look();
    });
    this.#underway.add(work);
  }

  async #handle(claim: Claim, way: string): Promise<void> {
    const { clock, log, meter } = this.#parts;
    let decided: Decided;
    try {
      const start = clock.monotonic();
      const outcomes = await this.#deliver(claim);
      const took = clock.monotonic() - start;
      const moment = this.#moment();
      decided = settle(claim, outcomes, this.#parts.limits(), moment);
      const tried = outcomes.filter((outcome) => outcome !== undefined);
      tell(claim, decided, { moment, took, log, meter });
      const { perDestination } = this.#parts.limits();
      this.#pace.note(way, tried, this.#busy.get(way)!, perDestination);
    } catch (error) {
      // The store has set it aside already, and said so.
      if (error instanceof DamagedError) return;
      const detail = error instanceof Error ? error.stack ?? error.message : String(error);
      log("error", "message cannot be handled", { id: claim.id, error: detail });
      decided = settleFault(claim, String(error), this.#moment());
      const held = decided.recipients.filter(({ state }) => state === "held").length;
      if (held > 0) log("error", "message held, it breaks what handles it", { id: claim.id, held });
    }
    await this.#writeDown(claim, decided);
  }

  async #deliver(claim: Claim): Promise<readonly (Outcome | undefined)[]> {
    const { store, delivery, clock } = this.#parts;
    const deadline = new AbortController();
    const cancel = clock.timer(DEADLINE, () => deadline.abort());
    try {
      const signal = AbortSignal.any([this.#stop.signal, deadline.signal]);
      const content = () => store.content(claim.message, claim.id);
      const outcomes = await delivery.deliver(claim, content, signal);
      if (outcomes.length === claim.recipients.length) return outcomes;
      throw new Error(`deliver: ${outcomes.length} outcomes for ${claim.recipients.length}`);
    } finally {
      cancel();
    }
  }

  /** Until the store has it: what was delivered must not be delivered again. */
  async #writeDown(claim: Claim, decided: Decided): Promise<void> {
    const { store, log, clock } = this.#parts;
    const { message, lease } = claim;
    const { recipients, generated } = await this.#withNotices(claim, decided);
    for (let tries = 1;; tries++) {
      try {
        return await store.settle({ message, lease, recipients, generated });
      } catch (error) {
        if (tries === 1) {
          log("error", "outcome not written down", { id: claim.id, error: String(error) });
        }
        if (this.#stop.signal.aborted) return;
        await new Promise<void>((resolve) => clock.timer(AFTER_FAILURE, resolve));
      }
    }
  }

  /** A notice that cannot be made is no reason to try again what is decided. */
  async #withNotices(claim: Claim, decided: Decided) {
    const { recipients, failures, delays, relayed } = decided;
    if (failures.length + delays.length + relayed.length === 0) {
      return { recipients, generated: [] };
    }
    const { notices, store, log } = this.#parts;
    try {
      const content = () => store.content(claim.message, claim.id);
      return { recipients, generated: await notices(claim, decided, content) };
    } catch (error) {
      log("error", "sender cannot be told", { id: claim.id, error: String(error) });
      const untold = recipients.map((recipient) => ({ ...recipient, bounced: false }));
      return { recipients: untold, generated: [] };
    }
  }

  #moment(): Moment {
    const { store, clock, random } = this.#parts;
    const chance = new Uint8Array(2);
    random.fill(chance);
    return { time: store.time(), now: clock.now(), chance: (chance[0] * 256 + chance[1]) / 65535 };
  }
}
