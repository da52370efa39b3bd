/** The form in which a message is signed: as the standard's example, and as mailauth has it. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { dkimBody } from "mailauth/lib/dkim/body/index.js";
import { formatRelaxedLine } from "mailauth/lib/tools.js";
import { Buffer } from "node:buffer";
import { RelaxedBody, relaxedField } from "../../src/mail/canonical.ts";
import { binary, cutAt } from "../fakes/dkim.ts";

const latin1 = (octets: Uint8Array) => Buffer.from(octets).toString("latin1");
const field = (text: string) => latin1(relaxedField(binary(text)));

function body(text: string, places: readonly number[] = []): string {
  const relaxed = new RelaxedBody();
  let out = "";
  for (const chunk of cutAt(binary(text), places).chunks) {
    for (const octets of relaxed.push(chunk)) out += latin1(octets);
  }
  for (const octets of relaxed.end()) out += latin1(octets);
  return out;
}

/** RFC 6376 §3.4.4, as it is written there. */
const plainly = (text: string) =>
  text.replace(/[ \t]+(?=\r\n|$)/g, "").replace(/[ \t]+/g, " ").replace(/(?:\r\n)*$/, "\r\n")
    .replace(/^\r\n$/, "");

Deno.test("S29 the example of RFC 6376 §3.4.5", () => {
  assert.equal(field("A: X\r\n"), "a:X\r\n");
  assert.equal(field("B : Y\t\r\n\tZ  \r\n"), "b:Y Z\r\n");
  assert.equal(body(" C \r\nD \t E\r\n\r\n\r\n"), " C\r\nD E\r\n");
});

for (
  const [what, given, wanted] of [
    ["no value", "Subject:\r\n", "subject:\r\n"],
    ["nothing but white space", "Subject: \t\r\n \r\n", "subject:\r\n"],
    ["no CRLF at its end", "Subject: x", "subject:x\r\n"],
    ["white space in front of its colon", "Subject \t: x\r\n", "subject:x\r\n"],
    ["a fold in front of its colon", "Subject\r\n : x\r\n", "subject:x\r\n"],
    ["a fold at once", "Subject:\r\n x\r\n", "subject:x\r\n"],
    ["colons in its value", "X-A: B : C:D\r\n", "x-a:B : C:D\r\n"],
    ["octets over 127", "SUBJECT: \xc3\x84\xa0 \xa0\r\n", "subject:\xc3\x84\xa0 \xa0\r\n"],
  ]
) {
  Deno.test(`S29 a field with ${what}`, () => assert.equal(field(given), wanted));
}

for (
  const [what, given, wanted] of [
    ["nothing", "", ""],
    ["an empty line", "\r\n", ""],
    ["empty lines", "\r\n\r\n\r\n", ""],
    ["white space", " \r\n\t\r\n \t", ""],
    ["no line end", "x", "x\r\n"],
    ["white space behind its last line end", "x\r\n \t", "x\r\n"],
    ["white space without a line end", "x \t", "x\r\n"],
    ["empty lines in front", "\r\n \r\nx\r\n", "\r\n\r\nx\r\n"],
    ["a tab alone between words", "a\tb\r\n", "a b\r\n"],
    ["white space in front of a bare CR", "a  \rb \r", "a \rb \r\r\n"],
    ["a CR at its end", "a\r", "a\r\r\n"],
    ["two CRs", "a \r\r\n", "a \r\r\n"],
    ["a bare LF", "a \n\n", "a \n\n\r\n"],
    ["octets of all kinds", "\x00\x01\x0b\xa0\xff\r\n", "\x00\x01\x0b\xa0\xff\r\n"],
  ]
) {
  Deno.test(`S29 a body of ${what}, in one piece and in octets`, () => {
    assert.equal(body(given), wanted);
    assert.equal(body(given, [...given].keys().toArray()), wanted);
  });
}

const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(" ", "\t", "\r\n", "\r\n\r\n", "a", "a b", ". ", "\r") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("x".repeat(1500), "y z ".repeat(700), "\r\n".repeat(900)),
  },
  { weight: 1, arbitrary: fc.constantFrom("\xe2\x82\xac", "\x00", "\x0b", "\xa0", "-- ") },
);
/** Bare LFs aside, which mailauth takes for line ends. */
const bodies = fc.array(piece, { maxLength: 60 }).map((pieces) =>
  pieces.join("").replace(/(?<!\r)\n/g, "")
);
const places = fc.array(fc.nat({ max: 20_000 }), { maxLength: 30 });

Deno.test("S29 whatever a body holds, and however it is cut, mailauth hashes the same", () => {
  fc.assert(
    fc.property(bodies, places, (text, places) => {
      const out = body(text, places);
      assert.equal(out, plainly(text));
      const theirs = dkimBody("relaxed/relaxed", "rsa-sha256", false);
      theirs.update(Buffer.from(text, "latin1"));
      const ours = createHash("sha256").update(binary(out)).digest("base64");
      assert.equal(ours, theirs.digest("base64"));
    }),
    { numRuns: 2000 },
  );
});

const value = fc.array(
  fc.constantFrom(
    "a",
    ":",
    ";",
    "=",
    " ",
    "\t",
    "\r\n ",
    "\r\n\t",
    "\xc3\xbc",
    "\xa0",
    "B",
    "\x0b",
  ),
  { maxLength: 40 },
);

Deno.test("S29 whatever a field holds, mailauth has it in the same form", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("Subject", "x-A", "CC", "To "),
      value.map((parts) => parts.join("")),
      (name, value) => {
        const theirs = formatRelaxedLine(Buffer.from(`${name}:${value}`, "latin1"), "\r\n");
        assert.equal(field(`${name}:${value}\r\n`), theirs.toString("latin1"));
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("what is canonical already is passed on without a copy, and the rest in few pieces", () => {
  const text = binary("Words between single spaces.\r\n\r\n".repeat(2000));
  const relaxed = new RelaxedBody();
  const [first, ...more] = relaxed.push(text);
  assert.equal(first.buffer, text.buffer);
  assert.equal(first.length, text.length - 4);
  assert.equal(more.length, 0);
  const spaced = [...new RelaxedBody().push(binary("a  b\t".repeat(20_000)))];
  assert.ok(spaced.length <= 12, `${spaced.length} pieces`);
});

Deno.test("lines that may yet count take no memory", () => {
  const relaxed = new RelaxedBody();
  assert.deepEqual(
    [...relaxed.push(binary("x" + "\r\n".repeat(1 << 20)))].map((p) => p.length),
    [],
  );
  const sizes = [...relaxed.push(binary("y"))].map((piece) => piece.length);
  assert.ok(Math.max(...sizes) <= 8192);
  assert.equal(sizes.reduce((sum, size) => sum + size), 1 + 2 * (1 << 20));
});
