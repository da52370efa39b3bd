/** B21: the record of a key, and what may be wrong with the one that is published. */

import assert from "node:assert/strict";
import {
  faultOf,
  isTest,
  type PublishedKey,
  recordOf,
  zoneLine,
} from "../../src/mail/dkim_record.ts";

const rsa: PublishedKey = {
  domain: "a.example",
  selector: "s",
  algorithm: "rsa-sha256",
  publicKey: "A".repeat(392),
};
const ed25519: PublishedKey = { ...rsa, algorithm: "ed25519-sha256", publicKey: "B".repeat(44) };

Deno.test("B21 a record is split into strings of 255 octets", () => {
  assert.equal(
    zoneLine(ed25519),
    `s._domainkey.a.example. IN TXT "v=DKIM1; k=ed25519; p=${ed25519.publicKey}"`,
  );
  const [first, ...lines] = zoneLine(rsa).split("\n");
  assert.equal(first, "s._domainkey.a.example. IN TXT (");
  assert.equal(lines.pop(), ")");
  const strings = lines.map((line) => /^ {4}"(.*)"$/.exec(line)![1]);
  assert.ok(strings.every(({ length }) => length <= 255) && strings.length === 2);
  assert.equal(strings.join(""), recordOf(rsa));
});

Deno.test("B21 what is published is held against the key", () => {
  assert.equal(faultOf([recordOf(rsa)], rsa), undefined);
  assert.equal(faultOf([`p=${rsa.publicKey}`], rsa), undefined, "RFC 6376 has defaults for both");
  assert.equal(faultOf([recordOf(rsa).replaceAll("AAAA", "AA AA")], rsa), undefined);
  assert.equal(faultOf(["v=spf1 -all", recordOf(ed25519)], ed25519), undefined);
  for (
    const [texts, fault] of [
      [[], /no record/],
      [["v=spf1 -all"], /no record/],
      [[recordOf(rsa), recordOf(rsa)], /2 records/],
      [["v=DKIM1; k=rsa; p="], /revoked/],
      [[recordOf(ed25519)], /for ed25519, the key is for rsa/],
      [[recordOf({ ...rsa, publicKey: "C" })], /another key/],
      [[`${recordOf(rsa)}; h=sha1`], /h= leaves out/],
      [[`${recordOf(rsa)}; s=other`], /s= leaves out/],
    ] as const
  ) assert.match(faultOf(texts, rsa) ?? "", fault);
  assert.equal(isTest([`${recordOf(rsa)}; t=y:s`]), true);
  assert.equal(isTest([`${recordOf(rsa)}; t=s`]), false);
});
