/** What a sender is told: for people, for programs, and whatever servers and messages hold. */

import assert from "node:assert/strict";
import { format } from "../../src/smtp/address.ts";
import {
  ARRIVED,
  type Asked,
  bounce,
  HOSTNAME,
  ID,
  joined,
  ORIGINAL,
  partsOf,
  utf8,
  wireOf,
} from "../fakes/bounces.ts";

const LIMIT = 64 * 1024;
const headerOf = (asked: Asked) => wireOf(bounce(asked)).split("\r\n\r\n", 1)[0];
const statusOf = (asked: Asked) => partsOf(bounce(asked))[1];
const returned = (asked: Asked) => partsOf(bounce(asked))[2];
const typeOf = (part: string) => /^\r\nContent-Type: ([^;\r]+)/.exec(part)?.[1];

Deno.test("B12 a bounce says whom it is from, to and about, and that nobody is to answer", () => {
  const made = bounce();
  assert.equal(made.sender.mailbox, null);
  assert.deepEqual(made.recipients.map(({ mailbox }) => format(mailbox)), ["alice@example.com"]);
  assert.equal(
    headerOf({}),
    `From: Mail Delivery System <MAILER-DAEMON@${HOSTNAME}>\r\nTo: <alice@example.com>\r\n` +
      "Subject: Your message could not be delivered\r\nDate: Thu, 01 Jan 2026 12:00:00 +0000\r\n" +
      `Message-ID: <${ID}@${HOSTNAME}>\r\nIn-Reply-To: <m1@example.com>\r\n` +
      "References: <m1@example.com>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n" +
      "Content-Type: multipart/report; report-type=delivery-status;\r\n" +
      ` boundary="=_${ID}"`,
  );
});

Deno.test("RFC 3464 §2 it tells of the message, then of each recipient, what was said by whom", () => {
  const about = [
    { orcpt: { type: "RFC822", address: "Bob+x@example.org" } },
    {
      to: "c@example.org",
      outcome: {
        host: undefined,
        command: undefined,
        reply: "example.org takes no mail",
        status: "5.1.10",
      },
    },
    { to: "d@example.net", outcome: { reply: "gave up: connection lost", status: "4.4.7" } },
  ];
  assert.equal(
    statusOf({ sender: { envid: "x+y = z" }, about }),
    "\r\nContent-Type: message/delivery-status\r\n\r\n" +
      `Original-Envelope-Id: x+y = z\r\nReporting-MTA: dns; ${HOSTNAME}\r\n` +
      "Arrival-Date: Thu, 01 Jan 2026 08:00:00 +0000\r\n\r\n" +
      "Original-Recipient: RFC822; Bob+x@example.org\r\n" +
      "Final-Recipient: rfc822; bob@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n" +
      "Remote-MTA: dns; mx.example.net\r\nDiagnostic-Code: smtp; 550 5.1.1 nobody\r\n" +
      "Last-Attempt-Date: Thu, 01 Jan 2026 12:00:00 +0000\r\n\r\n" +
      "Final-Recipient: rfc822; c@example.org\r\nAction: failed\r\nStatus: 5.1.10\r\n" +
      "Diagnostic-Code: x-dinopost; example.org takes no mail\r\n" +
      "Last-Attempt-Date: Thu, 01 Jan 2026 12:00:00 +0000\r\n\r\n" +
      "Final-Recipient: rfc822; d@example.net\r\nAction: failed\r\nStatus: 4.4.7\r\n" +
      "Remote-MTA: dns; mx.example.net\r\n" +
      "Diagnostic-Code: x-dinopost; gave up: connection lost\r\n" +
      "Last-Attempt-Date: Thu, 01 Jan 2026 12:00:00 +0000\r\n",
  );
  const [explanation] = partsOf(bounce({ about }));
  assert.match(
    explanation,
    /\n {2}bob@example\.net\r\n {4}mx\.example\.net \[192\.0\.2\.1\] said: /,
  );
  assert.match(explanation, / said: 550 5\.1\.1 nobody \(RCPT\)\r\n/);
  assert.match(explanation, /\n {2}c@example\.org\r\n {4}example\.org takes no mail\r\n/);
});

Deno.test("each kind of report has its action, words and subject; only a delay goes on", () => {
  const until = ARRIVED + 5 * 24 * 3_600_000;
  const outcome = { reply: "451 4.3.0 later", status: "4.3.0" };
  const delayed: Asked = { kind: "delayed", about: [{ outcome }], until };
  assert.match(statusOf(delayed), /\r\nAction: delayed\r\nStatus: 4\.3\.0\r\n/);
  assert.match(statusOf(delayed), /\r\nWill-Retry-Until: Tue, 06 Jan 2026 08:00:00 \+0000\r\n$/);
  assert.match(partsOf(bounce(delayed))[0], /tried again until Tue, 06 Jan 2026 08:00:00 \+0000/);
  assert.match(headerOf(delayed), /\r\nSubject: Your message is delayed\r\n/);
  const relayed: Asked = {
    kind: "relayed",
    about: [{ outcome: { reply: "250 OK", status: "2.0.0" } }],
  };
  assert.match(statusOf(relayed), /\r\nAction: relayed\r\nStatus: 2\.0\.0\r\n/);
  assert.match(headerOf(relayed), /\r\nSubject: Your message was handed on\r\n/);
  assert.match(partsOf(bounce(relayed))[0], /does not confirm deliveries/);
  for (const asked of [{}, relayed]) assert.doesNotMatch(statusOf(asked), /Will-Retry-Until/);
  // Nothing is lost yet.
  for (const asked of [delayed, relayed]) {
    assert.equal(typeOf(returned(asked)), "text/rfc822-headers");
    assert.doesNotMatch(returned({ ...asked, sender: { ret: "FULL" } }), /the body/);
  }
});

Deno.test("RFC 3461 §6.2 the message comes back whole or by its header, as was wished", () => {
  const eight = `Subject: x\r\n\r\n${utf8("grün")}\r\n`;
  const strange = `Subject: ${utf8("grün")}\r\n\r\nx\r\n`;
  const HDRS = { ret: "HDRS" } as const, FULL = { ret: "FULL" } as const;
  const from = "jürgen@example.com";
  const rfc822 = "message/rfc822", fields = "text/rfc822-headers";
  const globalFields = "message/global-headers";
  const cases: [Asked, string, "7BIT" | "8BITMIME"][] = [
    [{}, rfc822, "7BIT"],
    [{ sender: FULL }, rfc822, "7BIT"],
    [{ sender: HDRS }, fields, "7BIT"],
    [{ original: eight }, fields, "7BIT"],
    [{ original: eight, sender: FULL }, rfc822, "8BITMIME"],
    [{ original: strange, sender: FULL }, globalFields, "7BIT"],
    [{ from }, rfc822, "8BITMIME"],
    [{ from, original: eight }, rfc822, "8BITMIME"],
    [{ from, original: strange }, "message/global", "8BITMIME"],
    [{ from, original: strange, sender: HDRS }, globalFields, "8BITMIME"],
  ];
  for (const [asked, type, body] of cases) {
    const what = JSON.stringify(asked);
    const { original = ORIGINAL } = asked;
    const part = returned(asked);
    assert.equal(typeOf(part), type, what);
    assert.equal(bounce(asked).sender.body, body, what);
    const [head, ...rest] = part.split("\r\n\r\n");
    const is8Bit = head.endsWith("\r\nContent-Transfer-Encoding: 8bit");
    const content = rest.join("\r\n\r\n");
    const isWhole = type === rfc822 || type === "message/global";
    const expected = isWhole ? original : `${original!.split("\r\n\r\n")[0]}\r\n`;
    const isCoded = head.endsWith("\r\nContent-Transfer-Encoding: base64");
    assert.equal(isCoded ? atob(content) : content, expected, what);
    assert.equal(isCoded, type === globalFields && asked.from === undefined, what);
    // deno-lint-ignore no-control-regex -- what is beyond ASCII
    if (/[^\x00-\x7f]/.test(content)) assert.ok(is8Bit, what);
    assert.equal(/\r\nContent-Transfer-Encoding: 8bit$/.test(headerOf(asked)), body === "8BITMIME");
  }
});

Deno.test("RFC 8689 §5 a message for verified TLS alone comes back by its header", () => {
  assert.equal(typeOf(returned({ sender: { requireTls: true } })), "text/rfc822-headers");
  assert.doesNotMatch(returned({ sender: { requireTls: true, ret: "FULL" } }), /the body/);
});

Deno.test("O2 more than 64 KiB come back by their header, and of that no more than whole lines", () => {
  const start = "Subject: x\r\n\r\n";
  const just = start.padEnd(LIMIT - 2, "x") + "\r\n";
  for (const ret of [undefined, "FULL"] as const) {
    assert.equal(typeOf(returned({ original: just, sender: { ret } })), "message/rfc822");
    assert.equal(
      returned({ original: just + "x", sender: { ret } }),
      "\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n",
    );
  }
  const line = `X: ${"x".repeat(995)}\r\n`;
  for (const first of ["", "X: x\r\n", "X: 34567890123456789012345678901234\r\n"]) {
    const part = returned({ original: first + line.repeat(100) + "\r\nx\r\n" });
    const content = part.slice(part.indexOf("\r\n\r\n") + 4);
    const count = Math.floor((LIMIT - first.length) / line.length);
    assert.equal(content, first + line.repeat(count));
  }
  // The last octet of a line may be one too many.
  const two = `X: x\r\n${"Y: ".padEnd(LIMIT - 7, "y")}\r\n`;
  assert.equal(two.length, LIMIT + 1);
  assert.ok(returned({ original: `${two}Z: z\r\n\r\n` }).endsWith("\r\n\r\nX: x\r\n"));
});

Deno.test("RFC 6533 who writes in ASCII is told in ASCII, who writes in UTF-8 in UTF-8", () => {
  const about = [{
    to: "j+ü@exämple.net",
    outcome: { host: "mx.exämple.net [192.0.2.1]", reply: "550 5.1.1 nö" },
    orcpt: { type: "utf-8", address: "日本@example.org" },
  }];
  const plain = bounce({ about });
  assert.ok(joined(plain).every((octet) => octet < 128));
  assert.deepEqual(plain.sender, { mailbox: null, body: "7BIT", utf8: false });
  const status = statusOf({ about });
  assert.equal(typeOf(status), "message/delivery-status");
  assert.match(status, /\r\nOriginal-Recipient: utf-8; \\x\{65E5\}\\x\{672C\}@example\.org\r\n/);
  assert.match(status, /\r\nFinal-Recipient: utf-8; j\\x\{2B\}\\x\{FC\}@ex\\x\{E4\}mple\.net\r\n/);
  assert.match(status, /\r\nRemote-MTA: dns; mx\.ex\?mple\.net\r\n/);
  assert.match(status, /\r\nDiagnostic-Code: smtp; 550 5\.1\.1 n\?\r\n/);
  const [, words] = /base64\r\n\r\n([^]*)$/.exec(partsOf(plain)[0])!;
  assert.match(atob(words), new RegExp(utf8("  j\\+ü@exämple.net\r\n {4}mx.exämple.net .*nö")));

  const from = "ö@example.com";
  const beyond = bounce({ from, about });
  assert.deepEqual(beyond.sender, { mailbox: null, body: "8BITMIME", utf8: true });
  assert.match(headerOf({ from, about }), new RegExp(`\r\nTo: <${utf8(from)}>\r\n`));
  const inUtf8 = statusOf({ from, about });
  assert.equal(typeOf(inUtf8), "message/global-delivery-status");
  assert.ok(inUtf8.includes(utf8("\r\nOriginal-Recipient: utf-8; 日本@example.org\r\n")));
  assert.ok(inUtf8.includes(utf8("\r\nFinal-Recipient: utf-8; j\\x{2B}ü@exämple.net\r\n")));
  assert.ok(inUtf8.includes(utf8("\r\nDiagnostic-Code: smtp; 550 5.1.1 nö\r\n")));
  // What it was declared as does not matter: mail of an ASCII address may be read anywhere.
  assert.equal(bounce({ sender: { utf8: true } }).sender.utf8, false);
});

Deno.test("RFC 5322 §3.2.2 many spaces make no line of white space, which some take for an end", () => {
  for (const count of [1, 2, 10, 77, 78, 79, 300]) {
    const reply = ["550 5.1.1", "x".repeat(60), "y".repeat(80), "z"].join(" ".repeat(count));
    assert.doesNotMatch(statusOf({ about: [{ outcome: { reply } }] }), /\n[ \t]+\r/);
  }
});

Deno.test("an address as long as may be is told whole", () => {
  const plainOf = (status: string, name: string) =>
    new RegExp(`\r\n${name}: [\\w-]+;((?:.|\r\n )*)\r\n`).exec(status)![1]
      .replace(/\r\n |^ /g, "")
      .replace(/\\x\{([0-9A-F]+)\}/g, (_, hex) => utf8(String.fromCodePoint(parseInt(hex, 16))));
  const longest = (local: string) => `${local}@d.example`;
  const addresses = [
    longest("a".repeat(244)),
    longest("+".repeat(242) + "ä"),
    longest("a".repeat(242) + "ä"),
    longest("é".repeat(122)),
    longest("日".repeat(81)),
  ];
  for (const from of ["alice@example.com", "älice@example.com"]) {
    for (const to of addresses) {
      const status = statusOf({ from, about: [{ to, orcpt: { type: "utf-8", address: to } }] });
      assert.equal(plainOf(status, "Final-Recipient"), utf8(to));
      assert.equal(plainOf(status, "Original-Recipient"), utf8(to));
      assert.ok(status.split("\r\n").every((line) => line.length <= 998));
    }
  }
});

Deno.test("it belongs behind the message, where that has a name that can be told", () => {
  const about = (header: string) =>
    /\r\nIn-Reply-To: (.*)\r\nReferences: \1\r\n/.exec(headerOf({ original: header }))?.[1];
  assert.equal(about("message-id:\r\n\t<a@b>\r\n\r\n"), "<a@b>");
  assert.equal(about("Subject: x\r\nMessage-ID:<a@b> (c)\r\n\r\n"), "<a@b>");
  for (
    const header of [
      "Subject: x\r\n\r\nMessage-ID: <a@b>\r\n",
      "Subject: x\r\n Message-ID: <a@b>\r\n\r\n",
      "Message-ID: a@b\r\n\r\n",
      "Message-ID: <a b@c>\r\n\r\n",
      `Message-ID: <${"a".repeat(300)}@b>\r\n\r\n`,
      `Message-ID: <${utf8("ä")}@b>\r\n\r\n`,
      "",
    ]
  ) assert.equal(about(header), undefined, header);
  const part = wireOf(bounce({ original: null }));
  assert.doesNotMatch(part, /In-Reply-To|rfc822-headers|message\/rfc822/);
});
