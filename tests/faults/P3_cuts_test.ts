/**
 * P3: input cut at any byte has the same replies. The dialogues are cut in every way by the
 * tests of the session; here are contents with more than one fault, where the first one seen
 * depends on the cuts.
 */

import assert from "node:assert/strict";
import { Driver } from "../fakes/driver.ts";

const field = "X-Field: value\r\n";

const CONTENTS: Record<string, string> = {
  "a header line without measure, ended by LF alone": "X: " + "x".repeat(270_000) + "\n\r\n.\r\n",
  "too many fields, too large": field.repeat(2100) + "\r\n.\r\n",
  "too large, then CR alone": "\r\n" + "x".repeat(21_000) + "\r\n\rx\r\n.\r\n",
  "CR alone, then an ambiguous end": "a\rb\r\n\n.\r\n",
  "dots everywhere": ".\r.\r\n..\r\n...\r\n.x\r\n.\r\n",
  "every newline": "a\r\r\nb\n\nc\r\n\r\n.\r\n",
};

for (const [what, content] of Object.entries(CONTENTS)) {
  for (const bareNewline of ["reject", "normalize"] as const) {
    Deno.test(`P3 the same reply however it is cut: ${what} (${bareNewline})`, () => {
      const wire = new TextEncoder().encode(content);
      const said = (size: number) => {
        const driver = new Driver({ bareNewline, maxSize: 20_000 }).ready();
        driver.send("DATA\r\n");
        let said = "";
        for (let at = 0; at < wire.length; at += size) {
          said += driver.send(wire.slice(at, at + size));
        }
        return said;
      };
      const whole = said(wire.length);
      assert.match(whole, /^[25]/);
      for (const size of [1, 2, 3, 7, 1000, 4096, 65536]) {
        assert.equal(said(size), whole, `in pieces of ${size}`);
      }
    });
  }
}
