/**
 * How long a client is waited for when something is to be read of it. Every command has its time from when the one before it was
 * dealt with, and every message from when its content may begin; octets that trickle in move
 * neither.
 */

import type { Session } from "../smtp/session.ts";
import type { Host } from "./host.ts";

export class Patience {
  #seen = -1;
  #commandSince = 0;
  #seenContents = 0;
  #contentSince: number | undefined;

  /** When it ends, for what is to be read now; in monotonic time, as `now`. */
  until(
    { state, completed, contents }: Session,
    { commandTimeout, dataTimeout }: Host["times"],
    now: number,
  ): number {
    if (completed !== this.#seen) {
      this.#seen = completed;
      this.#commandSince = now;
    }
    const inContent = state.at === "content" || state.at === "chunk" ||
      (state.at === "mail" && state.mail.received !== undefined);
    if (contents !== this.#seenContents) {
      this.#seenContents = contents;
      this.#contentSince = now;
    }
    if (!inContent) this.#contentSince = undefined;
    const content = (this.#contentSince ?? Infinity) + dataTimeout;
    if (state.at === "content") return content;
    return Math.min(this.#commandSince + commandTimeout, content);
  }
}
