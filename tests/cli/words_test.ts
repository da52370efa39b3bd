/** What comes from outside, as it is shown to people. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { plain } from "../../src/cli/words.ts";

for (
  const [what, text, shown] of [
    ["text of any script", "Grüße, 日本 한국 שלום 🦕", "Grüße, 日本 한국 שלום 🦕"],
    [
      "control characters",
      "\0\x1b[2J\x7f\u009b\r\n",
      "\\u0000\\u001b[2J\\u007f\\u009b\\u000d\\u000a",
    ],
    ["turns of direction", "a\u202eb\u2066c\u061cd", "a\\u202eb\\u2066c\\u061cd"],
    ["line ends of Unicode", "a\u2028b\u2029", "a\\u2028b\\u2029"],
    ["spaces without width", "bob\u200b@\u2060x\ufeff", "bob\\u200b@\\u2060x\\ufeff"],
    ["soft hyphens", "ex\u00adample", "ex\\u00adample"],
    ["tags", "a\u{e0041}\u{e007f}", "a\\udb40\\udc41\\udb40\\udc7f"],
    ["emoji that are joined", "👩\u200d💻", "👩\\u200d💻"],
    ["halves of characters", "a\ud83eb\udd95", "a\\ud83eb\\udd95"],
  ]
) {
  Deno.test(`H7 a terminal gets ${what}, as far as that is harmless`, () =>
    assert.equal(plain(text), shown));
}

Deno.test("H7 what is escaped means the same as JSON", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assert.equal(JSON.parse(plain(JSON.stringify(text))), text);
    assert.doesNotMatch(plain(text), /[\p{Cc}\p{Cf}]/u);
  }));
});
