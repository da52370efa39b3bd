/** A clock that stands still until it is turned. */

import type { Clock } from "../../src/ports.ts";

export class TurnedClock implements Clock {
  #elapsed = 0;
  readonly #timers = new Map<symbol, { at: number; call: () => void }>();

  now(): number {
    return Date.UTC(2026, 0, 1) + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  timer(delay: number, call: () => void): () => void {
    const id = Symbol();
    this.#timers.set(id, { at: this.#elapsed + delay, call });
    return () => this.#timers.delete(id);
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Lets time pass; timers fire in their order. */
  turn(milliseconds: number): void {
    const end = this.#elapsed + milliseconds;
    for (;;) {
      const [next] = [...this.#timers].filter(([, { at }]) => at <= end)
        .sort(([, a], [, b]) => a.at - b.at);
      if (next === undefined) break;
      const [id, { at, call }] = next;
      this.#timers.delete(id);
      this.#elapsed = Math.max(this.#elapsed, at);
      call();
    }
    this.#elapsed = end;
  }
}
