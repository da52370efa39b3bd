/** With SMTP_LOG_REDACT no address can be read, wherever it stands, and each is known again. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { redact } from "../../src/logging/redaction.ts";

/** As the names in the spool have it. */
const hash = (address: string) => createHash("sha256").update(address).digest("hex").slice(0, 16);
const redacted = (text: string) => redact(text, hash);
const hashOf = (address: string) => hash(address.toLowerCase());

/** Of local parts: all of these must go. */
const SECRETS = ["canary", "Canary", "kanarien", "vogel", "カナリア", "zoë"];

function assertGone(text: string): void {
  const shown = redacted(text);
  const found = SECRETS.find((secret) => shown.toLowerCase().includes(secret.toLowerCase()));
  assert.equal(found, undefined, `${text} -> ${shown}`);
}

/** One address each; what it is hashed as, where that is not the address itself. */
const ADDRESSES: readonly string[] = [
  "canary@example.com",
  "CANARY@Example.COM",
  "canary.vogel@mail.example.com",
  "canary+vogel@example.com",
  "canary-vogel_x@example.com",
  "!#$%&'*+-/?^_`{|}~canary@example.com",
  "canary%example.org@example.com",
  "example.org!canary@example.com",
  "カナリア@example.com",
  "zoë.canary@例え.example",
  "canary@xn--r8jz45g.example",
  "canary@localhost",
  "canary@[192.0.2.1]",
  "canary@[IPv6:2001:db8::1]",
  '"canary"@example.com',
  '"canary vogel"@example.com',
  '"canary\\"vogel"@example.com',
  '"canary\\\\vogel"@example.com',
  '"canary\\\\"@example.com',
  '"canary@vogel"@example.com',
  '"canary@vogel@kanarien"@example.com',
  '"<canary>"@example.com',
  '"canary,vogel;kanarien:(x)"@example.com',
  '" canary "@example.com',
  "canary=vogel@example.com",
  "canary+kanarien=example.org@example.com",
  "prvs=0123456789=canary@example.com",
];

for (const address of ADDRESSES) {
  Deno.test(`the local part of ${address} is hidden, and its hash is that of the spool`, () => {
    const domain = address.slice(address.lastIndexOf("@"));
    for (const [before, after] of [["<", ">"], ["", ""], ["MAIL FROM:<", "> SIZE=7"], ["(", ")"]]) {
      const text = before + address + after;
      assertGone(text);
      assert.equal(redacted(text), `${before}${hashOf(address)}${domain}${after}`);
    }
  });
}

/** What stands around an address in what servers and people say. */
const AROUND: readonly (readonly [string, string])[] = [
  ["RCPT TO:<", "> NOTIFY=NEVER ORCPT=rfc822;x"],
  ["RCPT TO:<@one.example,@two.example:", ">"],
  ["250 2.1.5 Recipient <", "> OK"],
  ["550 5.1.1 ", ": no such user"],
  ["550 5.1.1 no such user: ", ""],
  ["550 5.1.1 there is no ", ". Go away."],
  ["550 5.1.1 there is no '", "' here"],
  ['550 5.1.1 there is no "', '" here'],
  ["550 5.1.1 is it ", "? no"],
  ["550 5.1.1 no ", "! never"],
  ["550 5.1.1 [", "] is gone"],
  ["550 5.1.1 {", "} is gone"],
  ["550 5.1.1 ", ", and others"],
  ["550 5.1.1 ", "; and others"],
  ["550 5.1.1 ", "/relay"],
  ["mailto:", "?subject=x"],
  ["To: Somebody <", ">"],
];

for (const [before, after] of AROUND) {
  Deno.test(`the same address has the same hash in "${before}…${after}"`, () => {
    for (const address of ["canary@example.com", "CaNaRy@EXAMPLE.com", "CANARY@example.COM"]) {
      const text = before + address + after;
      assertGone(text);
      const domain = address.slice(address.indexOf("@"));
      assert.equal(redacted(text), `${before}${hashOf("canary@example.com")}${domain}${after}`);
    }
  });
}

/** Nothing is asked of the hash. */
const OTHERS: Record<string, readonly string[]> = {
  "several in one text": [
    "canary@example.com,vogel@example.net;kanarien@example.org",
    "<canary@example.com><vogel@example.net>",
    'From: "a" <canary@example.com>, To: "b" <vogel@example.net>, kanarien@example.org',
    '"Somebody" <x@example.com> "vogel kanarien"@example.org',
    '"canary@example.com" and "vogel@example.org", and "kanarien"@example.net',
  ],
  "more than one @": [
    "canary@vogel@example.com",
    "<canary@vogel@kanarien@example.com>",
    "canary@@example.com",
    "canary@vogel@",
    '"canary"@"vogel"@example.com',
    "@canary@example.com",
    "<@canary@example.com>",
  ],
  "no domain": ["MAIL FROM:<canary@>", "canary@ example.com", "canary@", "<canary@>", "canary@."],
  "what is badly written": [
    "RCPT TO:canary@example.com",
    "RCPT TO: canary@example.com",
    "RCPT TO:<canary@example.com",
    "RCPT TO:canary@example.com>",
    "RCPT TO:<<canary@example.com>>",
    "RCPT TO:<canary\\@example.com>",
    'RCPT TO:<"canary@example.com>',
    'RCPT TO:<canary"@example.com>',
    'RCPT TO:<canary."vogel"@example.com>',
    'RCPT TO:<"canary".vogel@example.com>',
    "RCPT TO:<canary@-example.com>",
    "RCPT TO:<canary@exa_mple..com>",
    "RCPT TO:<canary@[not an address]>",
    "RCPTTO:<canary@example.com>",
  ],
  "parameters": [
    "MAIL FROM:<> AUTH=canary@example.com",
    "MAIL FROM:<> AUTH=<canary@example.com>",
    "RCPT TO:<> ORCPT=rfc822;canary@example.com",
    "RCPT TO:<> ORCPT=utf-8;カナリア@example.com",
    "XCLIENT ADDR=192.0.2.1 LOGIN=canary@example.com",
    "user=canary@example.com from=vogel@example.com",
    "smtp.mailfrom=canary@example.com; header.from=example.com",
  ],
  "xtext and links": [
    "RCPT TO:<> ORCPT=rfc822;canary+40example.com",
    "MAIL FROM:<> AUTH=canary+40example.com",
    "550 5.7.1 see http://spf.example/why?s=mfrom&id=canary%40example.com&ip=192.0.2.1",
  ],
  "messages": [
    "To: Somebody <canary@example.com>, vogel@example.net (kanarien@example.org)",
    "Message-ID: <canary.vogel@example.com>",
    "References: <canary@example.com> <vogel@example.com>",
    "List-Unsubscribe: <mailto:canary@example.com?subject=x>, <https://canary@example.com/>",
  ],
};

for (const [what, texts] of Object.entries(OTHERS)) {
  for (const text of texts) {
    Deno.test(`no local part is left: ${what}: ${text}`, () => assertGone(text));
  }
}

Deno.test("what holds no address stays as it is", () => {
  for (
    const text of [
      "",
      "@",
      "@@@",
      "@example.com",
      " @ ",
      "<>",
      "MAIL FROM:<> BODY=8BITMIME",
      "EHLO client.example",
      "250-SIZE 10485760",
      "450 4.2.0 try again @ noon, or later",
      "/var/spool/dinopost",
      "2001:db8::1",
      '"quoted" words and a \\ backslash',
      "192.0.2.1",
    ]
  ) assert.equal(redacted(text), text);
});

Deno.test("it does no harm to do it twice over texts whose hashes are hidden", () => {
  const once = redacted("RCPT TO:<canary@example.com>");
  assert.match(redacted(once), /^RCPT TO:<[0-9a-f]{16}@example\.com>$/);
});

const atom = fc.string({
  unit: fc.constantFrom(..."abcxyzABC019!#$%&'*+-/?^_`{|}~äΩ漢"),
  minLength: 1,
  maxLength: 8,
});
const quoted = fc.array(
  fc.oneof(
    fc.constantFrom(..."abcXYZ @<>()[]:;,.='"),
    fc.constantFrom('\\"', "\\\\", "\\@", "\\ "),
  ),
  { minLength: 1, maxLength: 8 },
).map((parts) => `"${parts.join("")}"`);
const domain = fc.array(fc.string({ unit: fc.constantFrom(..."abcXYZ09"), minLength: 1 }), {
  minLength: 1,
  maxLength: 3,
}).map((labels) => labels.join("."));
const local = fc.oneof(
  fc.array(atom, { minLength: 1, maxLength: 3 }).map((atoms) => atoms.join(".")),
  quoted,
);

Deno.test("of each address of a path only the hash and the domain are left, whatever it is", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(local, domain), { minLength: 1, maxLength: 4 }), (addresses) => {
      const text = addresses.map(([local, domain]) => `TO:<${local}@${domain}> OK`).join(" ");
      const wanted = addresses.map(([local, domain]) =>
        `TO:<${hashOf(`${local}@${domain}`)}@${domain}> OK`
      ).join(" ");
      assert.equal(redacted(text), wanted);
    }),
    { numRuns: 500 },
  );
});

/** Milliseconds: the best of several, so that what else the machine does counts less. */
function timeFor(text: string): number {
  let best = Infinity;
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    redact(text, () => "0123456789abcdef");
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** What is repeated, to make a text long. */
const REPEATED: Record<string, string> = {
  "addresses": "canary@example.com ",
  "nothing": "x",
  "at signs": "@",
  "at signs and letters": "a@",
  "local parts without a domain": "canary@ ",
  "quoted local parts": '"a b"@c ',
  "quotes before at signs": '"@',
  "escaped quotes before at signs": '\\"@',
  "escaped quotes": '\\"',
  "quotes": '"',
  "backslashes": "\\",
  "brackets": "@[",
  "at signs of links": "a%40",
  "at signs of xtext": "a+40 ",
  "quoted parts": '"a".',
  "dots": "a@.",
};
const LENGTH = 2 * 1024;
const LONGER = 16;
/** Were it the square of the length, it would be 256. */
const MOST = 80;

for (const [what, piece] of Object.entries(REPEATED)) {
  Deno.test(`R7 a text that is ${LONGER} times as long takes about so many times: ${what}`, () => {
    for (const [before, after] of [["", ""], ["x", ""], ["", "@"], ["", "@x"], ['"', '"@x']]) {
      const textOf = (length: number) => before + piece.repeat(length / piece.length) + after;
      // The first time it is not compiled yet.
      timeFor(textOf(LENGTH));
      // Shorter times are not measured well.
      const short = Math.max(timeFor(textOf(LENGTH)), 0.02);
      const ratio = timeFor(textOf(LENGTH * LONGER)) / short;
      assert.ok(ratio < MOST, `${ratio} times as long: ${before}${piece}…${after}`);
    }
  });
}
