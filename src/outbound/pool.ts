/**
 * Connections that may be used again: by host, address, port and policy.
 *
 * Promises: none hands over more than a hundred messages or lives longer than five minutes; none
 * is kept idle for long, and only so many at once.
 */

import type { Clock } from "../ports.ts";
import type { OutboundConnection } from "./connection.ts";
import { keyOf, type Target } from "./target.ts";

const MOST_USES = 100;
const LONGEST_LIFE = 5 * 60_000;
/** Many servers part after a short while of silence. */
const LONGEST_IDLE = 4_000;
const MOST_IDLE = 100;

interface Idle {
  readonly connection: OutboundConnection;
  readonly cancel: () => void;
}

export class Pool {
  readonly #clock: Clock;
  readonly #idle = new Map<string, Idle[]>();
  readonly #since = new WeakMap<OutboundConnection, number>();
  #count = 0;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** One that is idle, if there is one. */
  take(target: Target): OutboundConnection | undefined {
    const key = keyOf(target);
    const idle = this.#idle.get(key)?.pop();
    if (idle === undefined) return undefined;
    if (this.#idle.get(key)!.length === 0) this.#idle.delete(key);
    this.#count--;
    idle.cancel();
    return idle.connection;
  }

  /** Keeps it for the next, or parts. */
  give(connection: OutboundConnection): void {
    const now = this.#clock.monotonic();
    const since = this.#since.get(connection) ?? now;
    this.#since.set(connection, since);
    const isUsedUp = connection.uses >= MOST_USES || now - since >= LONGEST_LIFE;
    if (connection.isClosed) return;
    if (isUsedUp || this.#closed || this.#count >= MOST_IDLE) {
      void connection.quit();
      return;
    }
    const key = keyOf(connection.target);
    const list = this.#idle.get(key) ?? [];
    const idle: Idle = {
      connection,
      cancel: this.#clock.timer(LONGEST_IDLE, () => this.#part(key, idle)),
    };
    this.#idle.set(key, [...list, idle]);
    this.#count++;
  }

  /** Parts from all. */
  close(): void {
    this.#closed = true;
    for (const [key, list] of [...this.#idle]) {
      for (const idle of [...list]) this.#part(key, idle);
    }
  }

  #part(key: string, idle: Idle): void {
    const left = this.#idle.get(key)?.filter((each) => each !== idle) ?? [];
    if (left.length > 0) this.#idle.set(key, left);
    else this.#idle.delete(key);
    this.#count--;
    idle.cancel();
    void idle.connection.quit();
  }
}
