/**
 * A deadline that is moved often and met seldom: moving it is a number written, not a timer
 * made. All of one clock share a timer, which looks, when it fires, whose time has really come.
 */

import type { Clock } from "./ports.ts";

export class Deadline {
  /** In monotonic time; `Infinity`: none. */
  at = Infinity;
  readonly met: () => void;
  readonly #watch: Watch;
  #isWatched = false;

  constructor(clock: Clock, met: () => void) {
    this.met = met;
    let watch = watches.get(clock);
    if (watch === undefined) watches.set(clock, watch = new Watch(clock));
    this.#watch = watch;
  }

  /** In monotonic time; `Infinity` for none. */
  set(at: number): void {
    this.at = at;
    if (at === Infinity) return;
    this.#watch.wake(at);
    if (this.#isWatched) return;
    this.#isWatched = true;
    this.#watch.add(this);
  }

  clear(): void {
    this.at = Infinity;
    if (this.#isWatched) this.#watch.remove(this);
    this.#isWatched = false;
  }
}

class Watch {
  readonly #clock: Clock;
  readonly #deadlines = new Set<Deadline>();
  #timerAt = Infinity;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(deadline: Deadline): void {
    this.#deadlines.add(deadline);
  }

  /** A timer that nobody waits for would keep a process from its end. */
  remove(deadline: Deadline): void {
    this.#deadlines.delete(deadline);
    if (this.#deadlines.size > 0) return;
    this.#cancel?.();
    this.#timerAt = Infinity;
  }

  /** No later than this. */
  wake(at: number): void {
    if (at >= this.#timerAt) return;
    this.#cancel?.();
    this.#timerAt = at;
    const delay = Math.max(0, at - this.#clock.monotonic());
    this.#cancel = this.#clock.timer(delay, () => this.#look());
  }

  #look(): void {
    this.#timerAt = Infinity;
    const now = this.#clock.monotonic();
    const due: Deadline[] = [];
    let next = Infinity;
    for (const deadline of this.#deadlines) {
      if (deadline.at <= now) due.push(deadline);
      else next = Math.min(next, deadline.at);
    }
    if (next < Infinity) this.wake(next);
    for (const deadline of due) {
      // One may have moved another.
      if (deadline.at > now) continue;
      deadline.at = Infinity;
      deadline.met();
    }
  }
}

const watches = new WeakMap<Clock, Watch>();
