import fc from "fast-check";
import assert from "node:assert/strict";
import { asciiText, nextLineFeed, writeAscii } from "../../src/smtp/octets.ts";

const LF = 10;
const isAscii = (octets: Uint8Array) => octets.every((octet) => octet < 128);
const octets = fc.oneof(
  fc.uint8Array({ max: 127, maxLength: 80 }),
  fc.uint8Array({ maxLength: 80 }),
);

Deno.test("octets that are all ASCII become the text they are, others none", () => {
  fc.assert(fc.property(octets, fc.nat(80), fc.nat(80), (octets, a, b) => {
    const [from, to] = [a, b].map((at) => Math.min(at, octets.length)).sort((a, b) => a - b);
    const part = octets.subarray(from, to);
    const expected = isAscii(part) ? new TextDecoder().decode(part) : undefined;
    assert.equal(asciiText(octets, from, to), expected);
  }));
  // The one that is not may be any of those that are looked at together.
  for (let at = 0; at < 19; at++) {
    assert.equal(asciiText(new Uint8Array(19).fill(65).fill(128, at, at + 1), 0, 19), undefined);
  }
});

Deno.test("a text of ASCII becomes octets, another none", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
    const memory = new Uint8Array(80);
    const written = writeAscii(text, memory);
    const expected = new TextEncoder().encode(text);
    if (isAscii(expected)) assert.deepEqual(memory.subarray(0, written), expected);
    else assert.equal(written, undefined);
  }));
});

Deno.test("the next line feed is found wherever it is", () => {
  fc.assert(
    fc.property(fc.nat(400), fc.array(fc.nat(400), { maxLength: 3 }), fc.nat(400), (
      length,
      feeds,
      from,
    ) => {
      const octets = new Uint8Array(length).fill(65);
      for (const at of feeds) octets.fill(LF, at, at + 1);
      assert.equal(nextLineFeed(octets, from), octets.indexOf(LF, from));
    }),
  );
});
