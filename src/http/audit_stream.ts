/**
 * The audit log as a body that goes on, for one reader.
 *
 * Promises: no reader slows mail down: one that does not keep up loses lines, and is told how many.
 */

import type { AuditLine, AuditLog } from "../audit.ts";
import { auditText } from "../logging/lines.ts";
import type { Meter } from "../meter.ts";
import type { Clock } from "../ports.ts";

/** Characters that may wait for a reader. */
const ROOM = 256 * 1024;
/** Lines that come within so many milliseconds go in one piece. */
const GATHERED = 25;
/** So often a reader that hears of nothing else is shown that the connection lives. */
const SILENCE = 30_000;

const encoder = new TextEncoder();

export interface AuditStreamParts {
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly meter: Meter;
  /** The reader has gone, or there is nothing more to read. */
  closed(): void;
}

export function auditStream(parts: AuditStreamParts): ReadableStream<Uint8Array> {
  const follower = new Follower(parts);
  return new ReadableStream({
    async pull(controller) {
      const text = await follower.next();
      if (text === undefined) controller.close();
      else controller.enqueue(encoder.encode(text));
    },
    cancel: () => follower.close(),
    // No more than what is being sent is taken from it: the rest may grow too old.
  }, { highWaterMark: 0 });
}

class Follower {
  readonly #parts: AuditStreamParts;
  readonly #leave: () => void;
  #waiting = "OK\n";
  #lost = 0;
  #over = false;
  #closed = false;
  #awake: (() => void) | undefined;

  constructor(parts: AuditStreamParts) {
    this.#parts = parts;
    this.#leave = parts.audit.read({
      line: (line) => this.#take(line),
      ended: () => this.#end("(audit log off)\n"),
    });
  }

  /** `undefined`: there will be nothing more. */
  async next(): Promise<string | undefined> {
    if (this.#waiting === "" && !this.#over) {
      await this.#wait(SILENCE, { woken: true });
      if (this.#waiting === "" && !this.#over) return "\n";
      await this.#wait(GATHERED, { woken: false });
    }
    if (this.#lost > 0) this.#waiting += `(${this.#lost} lines lost)\n`;
    this.#parts.meter.lostAuditLines.value += this.#lost;
    this.#lost = 0;
    const text = this.#waiting;
    this.#waiting = "";
    if (text !== "") return text;
    this.close();
    return undefined;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leave();
    this.#end("");
    this.#parts.closed();
  }

  #take(line: AuditLine): void {
    if (this.#waiting.length > ROOM) {
      this.#lost++;
      return;
    }
    this.#waiting += auditText(line, { short: false }) + "\n";
    this.#awake?.();
  }

  #end(last: string): void {
    this.#over = true;
    this.#waiting += last;
    this.#awake?.();
  }

  #wait(time: number, { woken }: { woken: boolean }): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#parts.clock.timer(time, resolve);
    if (woken) {
      this.#awake = () => {
        this.#awake = undefined;
        cancel();
        resolve();
      };
    }
    return promise;
  }
}
