/** Text in columns, whatever it is written in. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { cut, padded, width } from "../../src/cli/columns.ts";

for (
  const [what, text, columns] of [
    ["nothing", "", 0],
    ["ASCII", "Hello, Bob~", 11],
    ["letters of other scripts", "Grüße Ελλάδα мир", 16],
    ["marks", "u\u0308e\u0301o\u20dd", 3],
    ["Chinese and Japanese", "日本、ひらカタ", 14],
    ["Hangul", "한국", 4],
    ["Hangul in its parts", "한국".normalize("NFD"), 4],
    ["fullwidth and halfwidth", "Ａ！￥ｱｲ", 8],
    ["rare ideographs", "𠀋\u{30000}", 4],
    ["emoji", "🦕⭐", 4],
    ["a flag", "🇯🇵", 2],
    ["signs that are narrow", "☂✓→…", 4],
  ] as const
) {
  Deno.test(`B13 ${what}: so many columns`, () => assert.equal(width(text), columns));
}

for (
  const [line, columns, shown] of [
    ["日本語", undefined, "日本語"],
    ["日本語", 6, "日本語"],
    ["日本語", 5, "日本…"],
    ["日本語", 4, "日…"],
    ["e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"],
    ["e\u0301e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301…"],
    ["🦕🦕", 3, "🦕…"],
    ["abc", 1, "…"],
  ] as const
) {
  Deno.test(`B13 ${JSON.stringify(line)} on ${columns ?? "no"} columns`, () => {
    assert.equal(cut(line, columns), shown);
  });
}

Deno.test("B13 what is cut or padded is as wide as it should be", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "日", "e\u0301", "🦕", "한") });
  fc.assert(fc.property(text, fc.integer({ min: 1, max: 20 }), (text, columns) => {
    const line = cut(text, columns);
    // Where a wide one is the next, one column stays free.
    const least = Math.min(width(text), columns - 1);
    assert.ok(width(line) <= columns && width(line) >= least, line);
    assert.equal(width(padded(line, columns)), columns);
  }));
});
