/** Secrets that are looked for in whatever is said, in whatever form. */

import assert from "node:assert/strict";
import { base64 } from "./sasl.ts";

/** As it is, for links, and as it is somewhere in base64: that depends on what stands before it. */
function formsOf(canary: string): string[] {
  const inner = (before: number) =>
    base64("\0".repeat(before) + canary).slice(before === 0 ? 0 : 4);
  const coded = [0, 1, 2].map((before) => inner(before).replace(/=+$/, "").slice(0, -2));
  return [canary, encodeURIComponent(canary), ...coded];
}

export class Canaries {
  readonly #forms: readonly string[];

  constructor(canaries: readonly string[]) {
    this.#forms = canaries.flatMap(formsOf).map((form) => form.toLowerCase());
  }

  assertSilent(text: string, where: string): void {
    const found = this.#forms.find((form) => text.toLowerCase().includes(form));
    const line = text.split("\n").find((line) => line.toLowerCase().includes(found ?? "\0"));
    assert.equal(found, undefined, `${where}: ${line}`);
  }
}

/** Each line of a key: whatever is shown of it, one of them is. */
export function linesOfKey(pem: string): string[] {
  return pem.split(/\r?\n/).filter((line) => line.length >= 20 && !line.startsWith("-----"));
}
