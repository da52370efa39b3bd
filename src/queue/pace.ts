/**
 * How many transactions a destination may have at once: as many as allowed, until it refuses for
 * being busy; then half as many, and one more with each success. Pure.
 *
 * Promises: none is ever left without one; memory is bounded.
 */

import type { Outcome } from "../mail/outcome.ts";

/** Those that are slowed down at one time. */
const MOST = 1_000;

export class Pace {
  /** Only of those that may have less than allowed. */
  readonly #windows = new Map<string, number>();

  /** What came of a transaction while so many were under way. */
  note(domain: string, outcomes: readonly Outcome[], underway: number, allowed: number): void {
    const window = Math.min(this.#windows.get(domain) ?? allowed, allowed);
    if (outcomes.some(isBusy)) {
      this.#windows.delete(domain);
      // What was under way was too much, whatever was allowed.
      this.#windows.set(domain, Math.max(1, Math.floor(Math.min(window, underway) / 2)));
      if (this.#windows.size > MOST) this.#windows.delete(this.#windows.keys().next().value!);
    } else if (this.#windows.has(domain) && outcomes.some(({ kind }) => kind === "delivered")) {
      if (window + 1 >= allowed) this.#windows.delete(domain);
      else this.#windows.set(domain, window + 1);
    }
  }

  /** Those that may have less than allowed, and how much. */
  get slowed(): [domain: string, transactions: number][] {
    return [...this.#windows];
  }
}

/**
 * A server that answers, and has no session for us now. One that is not there at all has nothing
 * to be spared.
 */
function isBusy({ kind, scope, reply }: Outcome): boolean {
  return kind === "deferred" && scope === "session" && /^[45][0-9]{2}\b/.test(reply);
}
