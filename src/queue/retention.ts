/**
 * Removes what has left the queue and was kept long enough: a minute after the start, and then
 * every hour. What cannot be removed is told, and tried again the next time.
 */

import type { Clock, Log } from "../ports.ts";
import type { Store } from "../ports/store.ts";

const DAY = 24 * 3_600_000;
const FIRST = 60_000;
const EVERY = 3_600_000;

export class Retention {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #days: () => number;
  #cancel: () => void = () => {};
  #stopped = false;

  constructor(store: Store, { clock, log }: { clock: Clock; log: Log }, days: () => number) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#days = days;
  }

  start(): void {
    this.#sweepIn(FIRST);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #sweepIn(delay: number): void {
    this.#cancel = this.#clock.timer(delay, async () => {
      await this.#sweep();
      if (!this.#stopped) this.#sweepIn(EVERY);
    });
  }

  async #sweep(): Promise<void> {
    try {
      const { messages, problems } = await this.#store.sweep(this.#days() * DAY);
      if (messages > 0) this.#log("info", "old messages removed", { messages });
      for (const problem of problems) this.#log("error", "file not removed", { problem });
    } catch (error) {
      if (!this.#stopped) this.#log("error", "old messages not removed", { error: String(error) });
    }
  }
}
