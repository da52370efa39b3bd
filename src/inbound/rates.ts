/**
 * How often something may happen to each of many: so often in a period, at once or spread.
 *
 * Promises: memory is bounded, however many there are.
 */

import type { Client } from "../mail/envelope.ts";
import type { Clock } from "../ports.ts";
import type { Reply } from "../smtp/reply.ts";
import * as replies from "../smtp/replies.ts";

export interface Rate {
  readonly count: number;
  /** Milliseconds. */
  readonly period: number;
}

/** Those who have used none of their share lately need not be remembered. */
const MOST_REMEMBERED = 10_000;

export class Limiter {
  readonly rate: Rate;
  readonly #clock: Pick<Clock, "monotonic">;
  /** How often, less what has been regained until then. */
  readonly #used = new Map<string, { used: number; at: number }>();

  constructor(rate: Rate, clock: Pick<Clock, "monotonic">) {
    this.rate = rate;
    this.#clock = clock;
  }

  /** Whether it may happen once more. */
  allows(key: string): boolean {
    return this.#usedBy(key) <= this.rate.count - 1;
  }

  /** It happens, if it may. */
  take(key: string): boolean {
    const used = this.#usedBy(key);
    if (used > this.rate.count - 1) return false;
    this.#used.delete(key);
    this.#used.set(key, { used: used + 1, at: this.#clock.monotonic() });
    if (this.#used.size > MOST_REMEMBERED) this.#forget();
    return true;
  }

  #usedBy(key: string): number {
    const known = this.#used.get(key);
    if (known === undefined) return 0;
    const regained = (this.#clock.monotonic() - known.at) * this.rate.count / this.rate.period;
    return Math.max(0, known.used - regained);
  }

  /** Whoever was seen longest ago is first. */
  #forget(): void {
    const before = this.#clock.monotonic() - this.rate.period;
    for (const [key, { at }] of this.#used) {
      if (at > before && this.#used.size <= MOST_REMEMBERED) return;
      this.#used.delete(key);
    }
  }
}

/** How many messages clients may send: each address, and each user. */
export interface MessageRates {
  readonly rateMessages?: Rate;
  readonly rateUser?: Rate;
}

type Ticking = Pick<Clock, "monotonic">;

export class Rates {
  readonly #clock: Ticking;
  #ofAddresses: Limiter | undefined;
  #ofUsers: Limiter | undefined;

  constructor(rates: MessageRates, clock: Ticking) {
    this.#clock = clock;
    this.update(rates);
  }

  /** A rate that stays as it was goes on counting. */
  update({ rateMessages, rateUser }: MessageRates): void {
    this.#ofAddresses = limiterOf(rateMessages, this.#ofAddresses, this.#clock);
    this.#ofUsers = limiterOf(rateUser, this.#ofUsers, this.#clock);
  }

  /** Why a client may send no message now, if it may not. */
  refusal(client: Client): Reply | undefined {
    const over = this.#limitsOf(client).find(([limiter, key]) => !limiter.allows(key));
    return over && replies.rateExceeded(over[1], inWords(over[0].rate));
  }

  /** The client sends one, if it may. */
  take(client: Client): Reply | undefined {
    const refusal = this.refusal(client);
    if (refusal !== undefined) return refusal;
    for (const [limiter, key] of this.#limitsOf(client)) limiter.take(key);
    return undefined;
  }

  #limitsOf({ address, user }: Client): [Limiter, string][] {
    const limits: [Limiter, string][] = [];
    if (this.#ofAddresses !== undefined) limits.push([this.#ofAddresses, address]);
    if (this.#ofUsers !== undefined && user !== undefined) limits.push([this.#ofUsers, user]);
    return limits;
  }
}

function limiterOf(rate: Rate | undefined, before: Limiter | undefined, clock: Ticking) {
  if (rate === undefined) return undefined;
  const isSame = before?.rate.count === rate.count && before.rate.period === rate.period;
  return isSame ? before : new Limiter(rate, clock);
}

function inWords({ count, period }: Rate): string {
  const seconds = period / 1000;
  const [size, unit] = ([[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]] as const)
    .find(([size]) => seconds % size === 0)!;
  return `${count} in ${seconds / size}${unit}`;
}
