/** Headers: what is read in them, whatever they hold and however they come. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { examine, mailDate } from "../../src/mail/headers.ts";
import type { Content } from "../../src/smtp/content.ts";

const octetsOf = (text: string) => new TextEncoder().encode(text);
/** Each character below U+0100 an octet. */
const binary = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

function content(message: string | Uint8Array<ArrayBuffer>): Content {
  const octets = typeof message === "string" ? octetsOf(message) : message;
  return { chunks: [octets], size: octets.length };
}

function cutAt(octets: Uint8Array<ArrayBuffer>, places: readonly number[]): Content {
  const cuts = [0, ...places.map((place) => place % (octets.length + 1)), octets.length];
  const chunks = cuts.toSorted((a, b) => a - b).map((cut, i, all) =>
    octets.subarray(cut, all[i + 1])
  );
  return { chunks, size: octets.length };
}

const subjectOf = (value: string) => examine(content(`Subject: ${value}\r\n\r\nbody\r\n`)).subject;

Deno.test("hops are the Received fields of the header, and nothing else", () => {
  const header = "Received: from a\r\n\tby b; Received: c\r\nRECEIVED: d\r\nreceived \t: e\r\n" +
    "Delivered-To: f\r\nX-Received: g\r\nReceived-SPF: h\r\nReceived\r\nSubject: x\r\n Received: i\r\n";
  assert.equal(examine(content(header + "\r\nReceived: j\r\n")).hops, 3);
  assert.equal(examine(content("Received: k\r\n".repeat(60) + header)).hops, 63);
});

Deno.test("it is seen whether a message has Date and Message-ID", () => {
  const seen = (message: string) => {
    const { hasDate, hasMessageId } = examine(content(message));
    return [hasDate, hasMessageId];
  };
  assert.deepEqual(seen("Date: x\r\nMessage-ID: <y>\r\n\r\n"), [true, true]);
  assert.deepEqual(seen("MESSAGE-id:\r\n <y>\r\ndATE : x\r\n\r\n"), [true, true]);
  assert.deepEqual(seen("Resent-Date: x\r\nResent-Message-ID: <y>\r\n\r\n"), [false, false]);
  assert.deepEqual(seen("Subject: x\r\n Date: y\r\n\r\nDate: x\r\nMessage-ID: y\r\n"), [
    false,
    false,
  ]);
  assert.deepEqual(seen("\r\nDate: x\r\nMessage-ID: y\r\n\r\n"), [false, false]);
});

for (
  const [what, raw, shown] of [
    ["plain text", "Minutes of the meeting", "Minutes of the meeting"],
    ["nothing", "", ""],
    ["UTF-8 as it is", "Grüße 🦕", "Grüße 🦕"],
    ["a folded line", "one\r\n two\r\n\tthree", "one two three"],
    ["quoted-printable words", "=?utf-8?Q?Gr=C3=BC=c3=9fe_=3F?= you", "Grüße ? you"],
    ["base64 words", "=?UTF-8?b?R3LDvMOfZQ==?=", "Grüße"],
    ["base64 without padding", "=?UTF-8?b?R3LDvMOfZQ?=", "Grüße"],
    ["Latin-1", "=?iso-8859-1?q?Gr=FC=DFe?=", "Grüße"],
    ["Windows", "=?Windows-1252?q?=80_5?=", "€ 5"],
    ["Japanese", "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"],
    ["a charset with its language", "=?utf-8*de?q?Gr=C3=BC=C3=9Fe?=", "Grüße"],
    ["words in a row", "=?utf-8?q?a?= \r\n =?l1?q?=FC?=\t=?utf-8?q?c?= d =?utf-8?q?e?=", "aüc d e"],
    ["a character cut in two", "=?utf-8?q?Gr=C3?=\r\n =?utf-8?b?vA==?=", "Grü"],
    ["a word within text", "Re:=?utf-8?q?a?=b", "Re:ab"],
    ["words that share a mark", "=?utf-8?q?a?=?utf-8?q?b?=", "a?utf-8?q?b?="],
    ["a replacement character of the sender's", "ü\ufffd", "ü\ufffd"],
    ["a coded line end", "a=?utf-8?q?=0D=0ABcc:_b=00?=", "a  Bcc: b"],
    ["control characters", "a\x00b\x1b[31mc\x7fd\u0085e\u2028f", "a b [31mc d e f"],
  ]
) {
  Deno.test(`a subject is readable: ${what}`, () => assert.equal(subjectOf(raw), shown));
}

for (
  const [what, raw] of [
    ["an unknown charset", "=?x-none?q?a?= =?x-none?q?b?="],
    ["octets that are not of the charset", "=?utf-8?q?=ff?="],
    ["half a character", "=?utf-8?q?a=C3?="],
    ["base64 that is none", "=?utf-8?b?a*b?= =?utf-8?b?abcde?="],
    ["hexadecimal digits that are none", "=?utf-8?q?=G0=1?="],
    ["an unknown encoding", "=?utf-8?x?a?="],
    ["no text", "=?utf-8?q??= =?utf-8?b??="],
    ["no end", "=?utf-8?q?abc"],
    ["half an end", "=?utf-8?q?a?b"],
    ["a mark too few", "=?utf-8?qxa?="],
    ["no charset", "=??q?a?="],
    ["a charset in blanks", "=? utf-8?q?a?="],
    ["marks alone", "=?=?=?=?="],
  ]
) {
  Deno.test(`a subject that cannot be decoded is left as it stands: ${what}`, () => {
    assert.equal(subjectOf(raw), raw);
    assert.equal(
      subjectOf(`=?utf-8?q?b=C3=BCfore?= ${raw} =?l1?q?beh=EFnd?=`),
      `büfore ${raw} behïnd`,
    );
  });
}

Deno.test("of several words one is bad: the others are decoded", () => {
  const words = "=?utf-8?q?a?= =?utf-8?q?=ff?= =?utf-8?q?b?= =?utf-8?q?c?=";
  assert.equal(subjectOf(words), "a =?utf-8?q?=ff?= bc");
});

Deno.test("a subject full of bad words is soon left alone", () => {
  const bad = (words: number) =>
    Array.from({ length: words }, (_, i) => `=?none-${i}?q?x?=`).join(" ") + " =?utf-8?q?end?=";
  assert.match(subjectOf(bad(10)), / end$/);
  assert.match(subjectOf(bad(20)), / =\?utf-8\?q\?end\?=$/);
});

Deno.test("octets that are no UTF-8 are shown as Latin-1", () => {
  const { subject, keys } = examine(
    content(binary("Subject: Gr\xfc\xdfe\r\nTo: \xc3\xbc\r\n\r\n")),
  );
  assert.equal(subject, "Grüße");
  assert.equal(keys, "grüße\nü");
});

Deno.test("of two subjects the first is shown", () => {
  const message = "Subject: one\r\nSubject: two\r\n\r\n";
  assert.equal(examine(content(message)).subject, "one");
});

Deno.test("a search finds subject, addresses and Message-ID, in lower case", () => {
  const message = "Message-ID: <ID-1@Example.com>\r\nCc: Eve <eve@example.com>\r\n" +
    "To: =?utf-8?q?J=C3=BCrgen?= <J@example.net>,\r\n Bob@example.net\r\nTo: C@example.net\r\n" +
    "From: Alice <alice@example.com>\r\nX-Secret: nothing\r\nSubject: Hello =?utf-8?q?=C3=9C?=\r\n";
  assert.equal(
    examine(content(message + "\r\nbody\r\n")).keys,
    "hello ü\nalice <alice@example.com>\njürgen <j@example.net>, bob@example.net, c@example.net\n" +
      "eve <eve@example.com>\n<id-1@example.com>",
  );
});

Deno.test("long subjects and lists are cut, never within a character, and the id is kept", () => {
  const dinosaurs = "x" + "🦕".repeat(3000);
  const message =
    `Subject: ${dinosaurs}\r\nFrom: y${dinosaurs}\r\nTo: a@b\r\nMessage-ID: <ID@B>\r\n`;
  const { subject, keys } = examine(content(message));
  assert.equal(subject, "x" + "🦕".repeat(249));
  assert.ok(keys.length > 1990 && keys.length <= 2000, `${keys.length} characters`);
  assert.ok(keys.isWellFormed() && keys.endsWith("🦕\n<id@b>"));
  const id = examine(content(`Subject: a\r\nMessage-ID: <${"I".repeat(5000)}>\r\n`)).keys;
  assert.ok(id.startsWith("a\n<iii") && id.length <= 2000);
  for (const before of ["", "x", "xy"]) {
    const long = examine(content(`Subject: ${before}${"ü🦕".repeat(20_000)}\r\n`)).subject;
    assert.ok(long.startsWith(before + "ü🦕ü🦕"), "a cut in the octets spoils no character");
  }
});

Deno.test("500 characters, each in a word and line of its own, are all shown", () => {
  const word = "=?utf-8?Q?=E6=97=A5?=";
  assert.equal(subjectOf(Array(600).fill(word).join("\r\n ")), "日".repeat(500));
});

Deno.test("a message without a sound header is taken as it is", () => {
  const nothing = {
    hops: 0,
    hasMessageId: false,
    hasDate: false,
    hasMailboxLine: false,
    textAt: undefined,
    subject: "",
    keys: "",
  };
  for (
    const message of [
      "",
      "\r\n",
      "\r\nSubject: body\r\n",
      "__proto__: a\r\nconstructor: b\r\ntoString: c\r\n\r\n",
      "Subject: \r\n\r\n",
      "!#$%&'*+-/=?^_`{|}~: a\r\nSubject \t :\r\n\r\n",
      "X: a\r\n \r\n\tb\r\n c",
    ]
  ) assert.deepEqual(examine(content(binary(message))), nothing, JSON.stringify(message));
  assert.deepEqual(examine({ chunks: [], size: 0 }), nothing);
  for (
    const text of [
      " Subject: folded from nowhere\r\n\r\n",
      "\tX\r\n",
      "Hello Bob\r\n\r\nSubject: not this\r\n",
      "Dear Bob: hello\r\nDate: tomorrow\r\n",
      ": no name\r\n",
      "\x00: a\r\n",
      "\xff: a\r\n",
      "Subject\r\n : a\r\n",
      "\r",
      "subject",
      "From alice Mon Jan 1 00:00:00 2024\r\n",
      "From Alice to Bob\r\nhello\r\n",
      "From me\r\n\r\nSubject: a\r\n",
    ]
  ) {
    assert.deepEqual(examine(content(binary(text))), { ...nothing, textAt: 0 }, text);
    const header = "Subject: a\r\n folded\r\n";
    const behind = { ...nothing, subject: "a folded", keys: "a folded", textAt: header.length };
    if (!/^\s/.test(text)) assert.deepEqual(examine(content(binary(header + text))), behind, text);
  }
});

Deno.test("the line of an mbox stands before a header, and is no field", () => {
  const line = "From alice@example.com Mon Feb  5 10:00:00 2024\r\n";
  const { hasMailboxLine, textAt, subject } = examine(content(line + "Subject: a\r\nand more\r\n"));
  assert.deepEqual([hasMailboxLine, textAt, subject], [true, line.length + 12, "a"]);
  for (const field of ["From: a@b\r\n", "From : a@b\r\n", "From \t: a@b\r\n"]) {
    const { hasMailboxLine, textAt, keys } = examine(content(field + "X: y\r\n"));
    assert.deepEqual([hasMailboxLine, textAt, keys], [false, undefined, "a@b"]);
  }
});

const piece = fc.constantFrom(
  ..."Received: a\r\n|Subject:|Message-ID: <a@b>\r\n|Date:|From:|To: |Cc:|\r\n|\r\n |\r\n\t|\r|\n|:"
    .split("|"),
  ..."=?utf-8?q?=C3=BC?=|=?utf-8?b?w7w=?=|=?l1?q?=ff?=|=?utf-8?q?=C3?=|=?|?=|=?utf-8?q?".split("|"),
  ..." |\t|\x00|\xff|\xc3\xbc|\xf0\x9f|x|__proto__:".split("|"),
);

Deno.test("a header reads the same wherever its chunks are cut, whatever it holds", () => {
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 60, size: "max" }),
      fc.array(fc.nat(500), { size: "max", maxLength: 20 }),
      (pieces, places) => {
        const message = binary(pieces.join(""));
        const whole = examine(content(message));
        assert.deepEqual(examine(cutAt(message, places)), whole);
        assert.doesNotMatch(whole.subject, /\p{Cc}/u);
        assert.doesNotMatch(whole.keys.replaceAll("\n", ""), /\p{Cc}/u);
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("a header longer than its chunks is read to its end, and no further", () => {
  const header = "X-Field: value\r\n".repeat(1900) + "Subject: last\r\nReceived: a\r\n";
  const message = octetsOf(header + "\r\nReceived: body\r\n" + "x".repeat(500_000));
  for (const size of [1, 700, 2048, 30_000]) {
    const places = Array.from({ length: message.length / size | 0 }, (_, i) => i * size);
    const { subject, hops } = examine(cutAt(message, places));
    assert.deepEqual([subject, hops], ["last", 1]);
  }
});

Deno.test("an empty line ends the header, whatever its newline", () => {
  assert.equal(examine(content("Received: a\n\nReceived: body\n")).hops, 1);
});

Deno.test("of one field no more than 16 KiB are looked at", () => {
  assert.equal(subjectOf(" ".repeat(16_000) + "x"), "x");
  assert.equal(subjectOf(" ".repeat(17_000) + "x"), "");
});

Deno.test("any text, in words cut anywhere, is the subject again", () => {
  const encodings = [
    (octets: Uint8Array) => `=?UTF-8?B?${btoa(String.fromCharCode(...octets))}?=`,
    (octets: Uint8Array) => {
      const hex = (octet: number) => "=" + octet.toString(16).padStart(2, "0");
      return `=?utf-8?q?${Array.from(octets, hex).join("")}?=`;
    },
  ];
  const text = fc.string({ unit: "grapheme", maxLength: 80 })
    .filter((text) => text.trim() === text && !/[\p{Cc}\u2028\u2029\ufeff]/u.test(text));
  fc.assert(
    fc.property(text, fc.array(fc.nat(400)), fc.array(fc.nat(1)), (text, places, choices) => {
      const words = cutAt(octetsOf(text), places).chunks.filter((chunk) => chunk.length > 0)
        .map((chunk, i) => encodings[choices[i] ?? 0](chunk));
      assert.equal(subjectOf(words.join("\r\n ")), text);
    }),
    { numRuns: 1000 },
  );
});

const full = 256 * 1024;
const filled = (start: string, unit: string) =>
  start + unit.repeat(Math.floor((full - start.length) / unit.length));

for (
  const [what, header] of [
    ["beginnings of words", filled("Subject: ", "=?utf-8?q?")],
    ["beginnings of words, in a search field", filled("To: ", "=?utf-8?b?")],
    ["marks", filled("Subject: ", "=?")],
    ["question marks", filled("Subject: =?utf-8?q?", "?")],
    ["folded lines", filled("Subject: x", "\r\n =?utf-8?q?a?=")],
    ["empty lines that are folded", filled("Subject: x", "\r\n ")],
    ["blanks between words", filled("Subject: =?utf-8?q?a?=", " ") + "=?utf-8?q?b?="],
    ["blanks behind a name", filled("Subject", " ")],
    ["bad words", filled("Subject: ", "=?utf-8?q?=ff?= ")],
    ["unknown charsets", filled("To: ", "=?a?q?a?= =?b?q?b?= ")],
    ["short fields", filled("", "To: \xff\r\n")],
    ["names without a colon", filled("", "Subject\r\n")],
    ["one long word", filled("Subject: =?utf-8?q?", "=41") + "?="],
  ]
) {
  Deno.test(`256 KiB of ${what} take no time`, () => {
    assertQuick(content(binary(header)));
  });
}

Deno.test("256 KiB in chunks of 16 octets take no time", () => {
  const places = Array.from({ length: full / 16 }, (_, i) => i * 16);
  assertQuick(cutAt(binary(filled("Subject: ", "x")), places));
});

/** What takes quadratic time here takes a second and more. */
function assertQuick(message: Content): void {
  const start = performance.now();
  examine(message);
  const took = performance.now() - start;
  assert.ok(took < 250, `${took} ms`);
}

Deno.test("dates are those of mail, in UTC", () => {
  assert.equal(mailDate(0), "Thu, 01 Jan 1970 00:00:00 +0000");
  assert.equal(mailDate(Date.UTC(2024, 1, 29, 23, 59, 59, 999)), "Thu, 29 Feb 2024 23:59:59 +0000");
  fc.assert(fc.property(fc.nat(4e12), (time) => {
    const form = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000$/;
    assert.match(mailDate(time), form);
    assert.equal(Date.parse(mailDate(time)), time - time % 1000);
  }));
});
