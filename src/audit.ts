/**
 * The audit log: every line of every session, for whoever reads it at this moment.
 *
 * Promises: it is switched while sessions are under way; a reader costs mail no more than to hand
 * it each line, and one that comes or goes disturbs no other.
 */

import type { Clock } from "./ports.ts";

export interface AuditLine {
  /** In milliseconds since 1970. */
  readonly at: number;
  readonly session: number;
  /** `*`: not a line of the dialogue, but something that happened. */
  readonly side: "C" | "S" | "*";
  readonly text: string;
}

export interface AuditReader {
  /** Must not wait, and must not throw. */
  line(line: AuditLine): void;
  /** The audit log has been switched off. */
  ended?(): void;
}

export class AuditLog {
  /** What sessions are to show; `content`: the beginning of each message. */
  wants = { lines: false, content: false };
  readonly #clock: Pick<Clock, "now">;
  readonly #readers = new Set<AuditReader>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  get on(): boolean {
    return this.wants.lines;
  }

  turn(on: boolean, { content }: { content: boolean }): void {
    this.wants = { lines: on, content: on && content };
    if (!on) { for (const reader of [...this.#readers]) reader.ended?.(); }
  }

  /** Until the returned function is called. */
  read(reader: AuditReader): () => void {
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  }

  line(session: number, side: AuditLine["side"], text: string): void {
    const line = { at: this.#clock.now(), session, side, text };
    for (const reader of this.#readers) reader.line(line);
  }
}
