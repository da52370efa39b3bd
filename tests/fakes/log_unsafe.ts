/** Characters that must not be in any line of a log. */

import assert from "node:assert/strict";

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => String.fromCharCode(from + i));

/** What moves a cursor, ends a line, or turns the direction of writing (Unicode's bidi controls). */
export const UNSAFE: readonly string[] = [
  ...range(0x00, 0x1f),
  ...range(0x7f, 0x9f),
  "\u061c",
  "\u200e",
  "\u200f",
  "\u2028",
  "\u2029",
  ...range(0x202a, 0x202e),
  ...range(0x2066, 0x2069),
  "\ufeff",
];

const isUnsafe = new Set(UNSAFE);

/** As JSON has it. */
export const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

export const withEscapes = (text: string): string =>
  text.replace(/./gsu, (each) => isUnsafe.has(each) ? escaped(each) : each);

/** Of one line, without its end. */
export function assertTame(line: string): void {
  const found = [...line].filter((character) => isUnsafe.has(character)).map(escaped);
  assert.deepEqual(found, [], JSON.stringify(line));
}
