/**
 * Hosts that let us wait in vain: for a while nobody else waits for them, so that a backlog of
 * thousands for a host that is gone costs one long wait, not thousands.
 *
 * Promises: memory is bounded; when the while is over, one tries again, and the others do not
 * wait for what comes of it.
 */

import type { Clock } from "../ports.ts";

/** What fails sooner costs nothing to try again. */
const LONG = 3_000;
const WHILE = 30_000;
const MOST = 10_000;

interface Silent {
  readonly reason: string;
  until: number;
}

export class Silence {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #silent = new Map<string, Silent>();

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** Why a host is not to be tried now. Whoever is told nothing tries, and says how it went. */
  of(host: string): string | undefined {
    const silent = this.#silent.get(host);
    if (silent === undefined) return undefined;
    if (this.#clock.monotonic() < silent.until) return silent.reason;
    silent.until = Infinity;
    return undefined;
  }

  /** How it went with a host: with whom there was a session, nothing stands against. */
  note(host: string, waited: number, failure: string | undefined): void {
    const known = this.#silent.delete(host);
    // Who knocked in vain, and was refused at once this time, is there again.
    if (failure === undefined || waited < LONG) return;
    this.#silent.set(host, { reason: failure, until: this.#clock.monotonic() + WHILE });
    if (!known && this.#silent.size > MOST) {
      this.#silent.delete(this.#silent.keys().next().value!);
    }
  }
}
