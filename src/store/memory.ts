/**
 * A store in memory: what it keeps ends with the process. It says no when its room is
 * full, rather than forget what it has.
 */

import type { Envelope } from "../mail/envelope.ts";
import { type Store, StoreFullError, type StoreStats } from "../ports.ts";

const ROOM = 512 * 1024 * 1024;
/** What a message takes beside its content, about. */
const OVERHEAD = 2 * 1024;

export class MemoryStore implements Store {
  readonly #kept = new Map<string, Envelope>();
  readonly #state: "queued" | "captured";
  readonly #room: number;
  #used = 0;
  #recipients = 0;

  constructor(state: "queued" | "captured", room = ROOM) {
    this.#state = state;
    this.#room = room;
  }

  commit(envelope: Envelope): Promise<void> {
    const size = envelope.content.size + OVERHEAD;
    if (this.#used + size > this.#room) {
      return Promise.reject(
        new StoreFullError(
          `keep message: all of ${this.#room} octets in use, a restart frees them`,
        ),
      );
    }
    this.#used += size;
    this.#recipients += envelope.recipients.length;
    this.#kept.set(envelope.id, envelope);
    return Promise.resolve();
  }

  list(): Promise<readonly Envelope[]> {
    return Promise.resolve([...this.#kept.values()]);
  }

  stats(): Promise<StoreStats> {
    const none = { accepted: this.#recipients, queued: 0, captured: 0 };
    return Promise.resolve({ ...none, [this.#state]: this.#recipients });
  }
}
