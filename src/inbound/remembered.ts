/**
 * What was so a moment ago: keys that are kept for a while after they were last added. That
 * they are asked for keeps them no longer.
 *
 * Promises: memory is bounded; what was added longest ago is forgotten first.
 */

import type { Clock } from "../ports.ts";

export class Remembered {
  readonly #period: number;
  readonly #most: number;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #until = new Map<string, number>();

  constructor(
    { period, most }: { period: number; most: number },
    clock: Pick<Clock, "monotonic">,
  ) {
    this.#period = period;
    this.#most = most;
    this.#clock = clock;
  }

  has(key: string): boolean {
    const until = this.#until.get(key);
    return until !== undefined && until >= this.#clock.monotonic();
  }

  add(key: string): void {
    this.#until.delete(key);
    this.#until.set(key, this.#clock.monotonic() + this.#period);
    if (this.#until.size > this.#most) this.#until.delete(this.#until.keys().next().value!);
  }
}
