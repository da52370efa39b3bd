/** Octets of any kind, in any order: the session says only well-formed replies, and lives or closes. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { Driver } from "../fakes/driver.ts";
import { parse } from "../../src/smtp/reply.ts";

const words = [
  "EHLO x\r\n",
  "HELO x\r\n",
  "MAIL FROM:<a@example.com>\r\n",
  "MAIL FROM:<a@example.com> SIZE=5 SMTPUTF8\r\n",
  "RCPT TO:<b@example.net>\r\n",
  "RCPT TO:<b@example.net> NOTIFY=NEVER\r\n",
  "DATA\r\n",
  "BDAT 5 LAST\r\n",
  "BDAT 3\r\n",
  "BDAT 99999999999\r\n",
  "RSET\r\n",
  "QUIT\r\n",
  ".\r\n",
  "\r\n",
  "\r\n.\r\n",
  "\n",
  "\r",
  ".",
  "x: y\r\n",
  "GET / HTTP/1.1\r\n",
];

const piece = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...words).map((word) => new TextEncoder().encode(word)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((octets) => octets.slice()) },
);

const replies = /(?:\d{3}-[^\r\n]*\r\n)*\d{3} [^\r\n]*\r\n/y;

for (const bareNewline of ["reject", "normalize"] as const) {
  Deno.test(`fuzz: whatever is sent, what is said is well formed (${bareNewline})`, () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const driver = new Driver({ bareNewline, maxSize: 200 });
        let said = driver.open();
        for (const each of pieces) said += driver.send(each as Uint8Array<ArrayBuffer>);
        replies.lastIndex = 0;
        while (replies.lastIndex < said.length) {
          const [wire] = replies.exec(said) ?? assert.fail(`not replies: ${said}`);
          assert.ok(parse(wire) !== undefined, wire);
          assert.ok(wire.split("\r\n").every((line) => line.length <= 510), wire);
        }
        for (const { content, to, from } of driver.messages) {
          assert.doesNotMatch(content, /\r(?!\n)|(?<!\r)\n/);
          assert.ok(content.length <= 200);
          assert.ok(to.length > 0);
          // deno-lint-ignore no-control-regex -- control characters are what must not pass
          for (const address of [from, ...to]) assert.doesNotMatch(address, /[\x00-\x1f\x7f]/);
        }
      }),
      { numRuns: 3000 },
    );
  });
}
