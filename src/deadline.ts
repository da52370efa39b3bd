/**
 * A deadline that is moved often and met seldom: moving it is a number written, not a timer
 * made. The one timer looks, when it fires, whether the time has really come.
 */

import type { Clock } from "./ports.ts";

export class Deadline {
  readonly #clock: Clock;
  readonly #met: () => void;
  #at = Infinity;
  #timerAt = Infinity;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, met: () => void) {
    this.#clock = clock;
    this.#met = met;
  }

  /** In monotonic time; `Infinity` for none. */
  set(at: number): void {
    this.#at = at;
    if (at < this.#timerAt) this.#arm();
  }

  clear(): void {
    this.#at = Infinity;
    this.#timerAt = Infinity;
    this.#cancel?.();
  }

  #arm(): void {
    this.#cancel?.();
    this.#timerAt = this.#at;
    const delay = Math.max(0, this.#at - this.#clock.monotonic());
    this.#cancel = this.#clock.timer(delay, () => this.#look());
  }

  #look(): void {
    this.#timerAt = Infinity;
    if (this.#at === Infinity) return;
    if (this.#clock.monotonic() < this.#at) return this.#arm();
    this.#at = Infinity;
    this.#met();
  }
}
