/** What is in the store as JSON: a line each, its fields named as in `ports/store.ts`. */

import { instant, plain } from "./words.ts";

/** Milliseconds since 1970 in the store, ISO 8601 for those who read it. */
const TIMES: ReadonlySet<string> = new Set(["receivedAt", "nextAttempt", "at"]);

export function jsonLine(value: unknown): string {
  const text = JSON.stringify(
    value,
    (name, value) => TIMES.has(name) && typeof value === "number" ? instant(value) : value,
  );
  return plain(text) + "\n";
}
