/**
 * Contents of messages that have just been committed: whoever delivers them at once need not
 * have them read.
 *
 * Promises: memory is bounded; each is given once, and goes when it is not asked for in time.
 */

import type { Clock } from "../ports.ts";
import type { Content } from "../smtp/content.ts";

const LARGEST = 64 * 1024;
const MOST_OCTETS = 4 * 1024 * 1024;
/** Those that nobody wants by then wait for another time. */
const LONGEST = 5_000;

export class Fresh {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #kept = new Map<string, { readonly content: Content; readonly since: number }>();
  #octets = 0;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** The oldest is wanted first: while there is no room, what comes is not kept. */
  keep(id: string, content: Content): void {
    const now = this.#clock.monotonic();
    for (const [old, { since }] of this.#kept) {
      if (now - since < LONGEST) break;
      this.take(old);
    }
    if (content.size > LARGEST || this.#octets + content.size > MOST_OCTETS) return;
    this.#kept.set(id, { content, since: now });
    this.#octets += content.size;
  }

  take(id: string): Content | undefined {
    const content = this.#kept.get(id)?.content;
    if (content === undefined) return undefined;
    this.#kept.delete(id);
    this.#octets -= content.size;
    return content;
  }
}
