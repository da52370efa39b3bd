/** Whose a message is, and who says to have signed it. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { authorDomain } from "../../src/mail/author.ts";
import { isSignedBy } from "../../src/mail/dkim.ts";
import { binary, contentOf } from "../fakes/dkim.ts";

const SIGNATURE = "DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=x; h=From; bh=y; b=z\r\n";

for (
  const [what, header, isSigned] of [
    ["one of its own", SIGNATURE, true],
    ["in other letters", SIGNATURE.replace("example.com", "EXAMPLE.com").toUpperCase(), false],
    ["its domain in other letters", SIGNATURE.replace("example.com", "EXAMPLE.com"), true],
    ["its name in other letters", SIGNATURE.replace("DKIM-Signature", "dkim-signature"), true],
    ["folded", SIGNATURE.replace("d=example", "\r\n\td\r\n = \r\n example"), true],
    ["its domain last", "DKIM-Signature: s=x;d=example.com", true],
    ["behind that of another", SIGNATURE.replace("example.com", "x.example") + SIGNATURE, true],
    ["of another", SIGNATURE.replace("example.com", "example.com.example"), false],
    ["of a part of it", SIGNATURE.replace("example.com", "mail.example.com"), false],
    ["in another tag", SIGNATURE.replace("d=example.com", "i=@x; xd=example.com"), false],
    ["in another field", `X-${SIGNATURE}${SIGNATURE.replace("DKIM", "ARC-Message")}`, false],
    ["without a domain", SIGNATURE.replace("d=example.com;", ""), false],
    ["none", "From: a@example.com\r\n", false],
    ["in the body", `From: a@example.com\r\n\r\n${SIGNATURE}`, false],
  ] as const
) {
  Deno.test(`S29 signed by example.com: ${what}`, () => {
    assert.equal(isSignedBy(contentOf(`${header}\r\n`), "Example.com"), isSigned);
  });
}

Deno.test("S29 signed by a domain in UTF-8, however it is written", () => {
  for (const written of ["bücher.example", "BÜCHER.example", "XN--bcher-kva.example"]) {
    const message = contentOf(SIGNATURE.replace("example.com", written));
    for (const asked of ["bücher.example", "xn--bcher-kva.example"]) {
      assert.ok(isSignedBy(message, asked), `${written} ${asked}`);
    }
    assert.ok(!isSignedBy(message, "bucher.example"));
  }
});

for (
  const [from, domain] of [
    ["a@example.com", "example.com"],
    ["a@EXAMPLE.com", "example.com"],
    ["Alice <a@example.com>", "example.com"],
    ["<a@example.com>", "example.com"],
    ['"Alice @ home <x@y.example>" <a@example.com>', "example.com"],
    ['"Quote \\" and @x.example" <a@example.com>', "example.com"],
    ["Alice (at x@y.example (and <b@z.example>) \\) more) <a@example.com>", "example.com"],
    ["a@example.com (Alice, x@y.example)", "example.com"],
    ["(x@y.example) a (b) @ (c) example (d) . (e) com (f)", "example.com"],
    ['"a@x.example"@example.com', "example.com"],
    ['"a b\\"@x"@example.com', "example.com"],
    ["a@example.com, b@example.net", "example.com"],
    ["Alice <a@example.com>, Bob <b@example.net>", "example.com"],
    ["Doe, John <a@example.com>", "example.com"],
    ["x@y.example <a@example.com>", "example.com"],
    ["Team: Alice <a@example.com>, b@example.net;", "example.com"],
    ["Nobody:;, a@example.com", "example.com"],
    ["<@x.example,@y.example:a@example.com>", "example.com"],
    ["John Q. Public\r\n\t<a@example.com>", "example.com"],
    ["=?utf-8?q?a=40x.example?= <a@example.com>", "example.com"],
    ["[Tickets] <a@example.com>", "example.com"],
    ["jürgen@Bücher.example", "bücher.example"],
    ["Jürgen 🦕 <用户@例え.example>", "例え.example"],
    ["a@localhost", "localhost"],
    // None, or none for certain.
    ["", undefined],
    ["Alice", undefined],
    ["undisclosed-recipients:;", undefined],
    ["<>", undefined],
    ["a@[192.0.2.1]", undefined],
    ["a@b@example.com", undefined],
    ["<a@x.example> <b@example.com>", undefined],
    ["<a@x.example> b@example.com", undefined],
    ["a@x.example: b@example.com;", undefined],
    ["a@x.exam ple.com", undefined],
    ["a@example(x)com", undefined],
    ["a@x..example", undefined],
    ["a@example.com.", undefined],
    ["@example.com", undefined],
    ["a@", undefined],
    ["a@exam\u0000ple.com", undefined],
    ['"Alice <a@example.com>', undefined],
    ["Alice (x <a@example.com>", undefined],
    ["Alice <a@example.com", undefined],
    ["a@example.com (b", undefined],
    ['a@example.com, "b', undefined],
    ["<a@x.example, b@example.com>", undefined],
  ] as const
) {
  Deno.test(`S9 the author of ${JSON.stringify(from)}`, () => {
    const message = `Reply-To: x@y.example\r\nFROM: ${from}\r\nSender: x@y.example\r\n\r\n`;
    assert.equal(authorDomain(contentOf(message)), domain);
  });
}

Deno.test("S9 a message without From, or with several, has no author for certain", () => {
  assert.equal(
    authorDomain(contentOf("Sender: a@example.com\r\n\r\nFrom: a@example.com\r\n")),
    undefined,
  );
  const both = "From: a@example.com\r\nFrom: a@example.com\r\n\r\n";
  assert.equal(authorDomain(contentOf(both)), undefined);
});

Deno.test("S9 octets that are no UTF-8 make no author", () => {
  assert.equal(authorDomain(contentOf(binary("From: a@b\xfccher.example\r\n\r\n"))), undefined);
});

Deno.test("S9 whatever stands in From, it takes one look", () => {
  const part = fc.constantFrom(
    '"',
    "\\",
    "(",
    ")",
    "<",
    ">",
    "@",
    ",",
    ";",
    ":",
    ".",
    "[",
    "]",
    " ",
    "a",
  );
  fc.assert(
    fc.property(fc.string({ unit: part, maxLength: 40 }), (from) => {
      const domain = authorDomain(contentOf(`From: ${from}\r\n\r\n`));
      assert.match(domain ?? "a", /^a+(\.a+)*$/);
    }),
    { numRuns: 5000 },
  );
  // A look for each of their parts would take minutes.
  for (const each of ["<", "<@", "a ", " ", "(", "@", "a@b ", ". ", ",", "[", "<a>", "\r\n "]) {
    const from = each.repeat(240 * 1024 / each.length);
    authorDomain(contentOf(`From: ${from}\r\n\r\n`));
    isSignedBy(contentOf(`DKIM-Signature: ${from}\r\n\r\n`), "example.com");
  }
  for (const each of ["From\r\n", ":", " :\r\n", "DKIM-Signature:d=;\r\n", "a"]) {
    isSignedBy(contentOf(each.repeat(240 * 1024 / each.length)), "example.com");
  }
});
