/** P2: what leaves is what came, dot-stuffed, and no bare CR or LF. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { BareNewlineError, beyondAscii, transparent } from "../../src/smtp/transparency.ts";
import { Driver } from "../fakes/driver.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const contentOf = (pieces: readonly string[]) => ({
  chunks: pieces.map((piece) => encode(piece)),
  size: pieces.join("").length,
});
const wire = (pieces: readonly string[]) =>
  transparent(contentOf(pieces)).map((octets) => new TextDecoder().decode(octets)).join("");

const lines = fc.array(fc.constantFrom("", ".", "..", "a", ".a", "a.", "  ."), { maxLength: 8 });

Deno.test("P2 whatever is sent, however it is cut, a server takes back as it was", () => {
  fc.assert(fc.property(lines, fc.array(fc.nat(40), { maxLength: 6 }), (given, cuts) => {
    const text = given.map((line) => line + "\r\n").join("");
    const ends = [...new Set(cuts.map((cut) => Math.min(cut, text.length)))].sort((a, b) => a - b);
    const pieces = [0, ...ends].map((from, i) => text.slice(from, ends[i] ?? text.length));
    const sent = wire(pieces);
    assert.doesNotMatch(sent, /\r(?!\n)|(?<!\r)\n/);
    const driver = new Driver().ready();
    driver.send("DATA\r\n");
    assert.match(driver.send(sent), /^250 /);
    assert.equal(driver.messages[0].content, text);
  }));
});

Deno.test("P2 a content with a bare CR or LF is refused whole, wherever it is cut", () => {
  for (const text of ["a\nb\r\n", "a\rb\r\n", "\n", "\r", "a\r\n\n", "a\r\r\n", "a\r\n.\n.\r\n"]) {
    for (let cut = 0; cut <= text.length; cut++) {
      assert.throws(() => wire([text.slice(0, cut), text.slice(cut)]), BareNewlineError, text);
    }
  }
});

Deno.test("a last line without its end gets one; nothing at all is a dot", () => {
  assert.equal(wire(["a"]), "a\r\n.\r\n");
  assert.equal(wire([]), ".\r\n");
});

Deno.test("octets beyond ASCII are found, in the header and behind it", () => {
  const found = (text: string) => {
    const octets = encode(text);
    const all = [0, 1, 5, octets.length].map((cut) =>
      beyondAscii({ chunks: [octets.slice(0, cut), octets.slice(cut)], size: octets.length })
    );
    for (const each of all) assert.deepEqual(each, all[0]);
    return all[0];
  };
  assert.deepEqual(found("Subject: a\r\n\r\nb\r\n"), { body: false, header: false });
  assert.deepEqual(found("Subject: a\r\n\r\nø\r\n"), { body: true, header: false });
  assert.deepEqual(found("Subject: ø\r\n\r\nb\r\n"), { body: true, header: true });
  assert.deepEqual(found("ø\r\n\r\nø\r\n"), { body: true, header: true });
});
