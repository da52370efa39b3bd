/**
 * How many transactions a destination may have at once. Few at first; one more with each success,
 * up to what is allowed; half as many when there is no session to be had. Whoever was grown begins
 * anew when nothing is under way; whoever was slowed stays so: what comes back after a time is met
 * by one. Pure.
 *
 * Promises: none is ever left without one; memory is bounded.
 */

import type { Outcome } from "../mail/outcome.ts";

/** Whoever lets all of them wait leaves most of what there is to the others. */
const AT_FIRST = 5;
/** Those that are slowed down at one time. */
const MOST = 1_000;

export class Pace {
  /** Only of those that may have more than at first, and are busy, or less. */
  readonly #windows = new Map<string, number>();

  /** What came of a transaction while so many were under way. */
  note(domain: string, outcomes: readonly Outcome[], underway: number, allowed: number): void {
    const window = Math.min(this.#windows.get(domain) ?? AT_FIRST, allowed);
    if (outcomes.some(isWithoutSession)) {
      // What was under way was too much, whatever was allowed.
      this.#keep(domain, Math.max(1, Math.floor(Math.min(window, underway) / 2)));
    } else if (outcomes.some(({ kind }) => kind === "delivered")) {
      this.#keep(domain, Math.min(window + 1, allowed));
    }
  }

  /** Nothing is under way to it. */
  rest(domain: string): void {
    if (this.#windows.get(domain)! >= AT_FIRST) this.#windows.delete(domain);
  }

  /** For whom nothing else is said. */
  atFirst(allowed: number): number {
    return Math.min(AT_FIRST, allowed);
  }

  /** For whom something else is. */
  windows(allowed: number): [domain: string, transactions: number][] {
    return [...this.#windows].map(([domain, window]) => [domain, Math.min(window, allowed)]);
  }

  #keep(domain: string, window: number): void {
    this.#windows.delete(domain);
    this.#windows.set(domain, window);
    if (this.#windows.size > MOST) this.#windows.delete(this.#windows.keys().next().value!);
  }
}

/** Nobody there, too busy, or gone in the midst of it; not: a message that it will not have. */
function isWithoutSession({ kind, scope }: Outcome): boolean {
  return kind === "deferred" && scope === "session";
}
