/** Signatures as verifiers of others see them: dkimpy, OpenDKIM and mailauth. */

import assert from "node:assert/strict";
import { signatures } from "../../src/mail/dkim.ts";
import {
  contentOf,
  cutAt,
  dkimpy,
  mailauth,
  means,
  newSigner,
  opendkim,
  type Verify,
} from "../fakes/dkim.ts";
import { testWith } from "../fakes/tools.ts";

const made = await Promise.all([newSigner("rsa-sha256"), newSigner("ed25519-sha256")]);
const signers = made.map(({ signer }) => signer);
const keys = Object.assign({}, ...made.map(({ keys }) => keys));

const FROM = "From: Alice <alice@example.com>\r\n";
const HEADER = `${FROM}To: bob@example.net\r\nSubject: Minutes\r\n` +
  "Date: Thu, 29 Feb 2024 00:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n";
const LINE = "A line of text with a \t tab, two  spaces and some at its end \t\r\n";

const MESSAGES: Readonly<Record<string, string>> = {
  "an ordinary one": `${HEADER}MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHello\r\n`,
  "no more than From": `${FROM}\r\nHello\r\n`,
  "folded fields": `${FROM}Subject: one\r\n two\r\n\t three\r\n \t \r\n four\r\n` +
    "To: a@example.net,\r\n\tb@example.net\r\nReferences: <1@x>\r\n <2@x>\r\n\r\nHello\r\n",
  "empty lines at the end": `${HEADER}\r\nHello\r\n\r\n \r\n\t\r\n\r\n\r\n`,
  "empty lines everywhere": `${HEADER}\r\n\r\n\r\nHello\r\n\r\n\r\nBob\r\n\r\n`,
  "an empty body": `${HEADER}\r\n`,
  "a body of empty lines": `${HEADER}\r\n\r\n\r\n\r\n`,
  "a body of white space": `${HEADER}\r\n \r\n\t \r\n`,
  "UTF-8 in the header": `From: Jürgen <jürgen@example.com>\r\nSubject: Grüße 🦕 \u00a0\r\n` +
    "To: 用户@例え.example\r\n\r\nGrüße\u00a0 \r\n",
  "fields twice":
    `${HEADER}Cc: a@x.example\r\nX-Other: 1\r\ncc: b@x.example\r\nCC:c@x.example\r\n` +
    "Reply-To: a@example.com\r\nReply-To: b@example.com\r\n\r\nHello\r\n",
  "all that is signed": `${HEADER}Cc: a@x.example\r\nReply-To: r@example.com\r\n` +
    "Sender: s@example.com\r\nIn-Reply-To: <0@x>\r\nReferences: <0@x>\r\nMIME-Version: 1.0\r\n" +
    "Content-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\nAuto-Submitted: no\r\n" +
    "List-Unsubscribe: <https://example.com/u>\r\n" +
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\nHello\r\n",
  "tabs and runs of spaces": `${FROM}Subject:\t \ta \t  b\t\r\n\r\n \t a \t b\t\tc  \r\n\td\t\r\n`,
  "fields without a value": `${FROM}Subject:\r\nTo: \t\r\nCc:\r\n \r\n\r\nHello\r\n`,
  "fields between others":
    `Received: from x\r\n\tby y\r\nX-A: b\r\n${HEADER}X-B: c\r\n\r\nHello\r\n`,
  "signs of DKIM's own": `${FROM}Subject: b=x; d=y; h=From\r\n\r\nDKIM-Signature: b=z;\r\n`,
  "a long line": `${HEADER}\r\n${"0123456789 ".repeat(90)}\r\n`,
  "10 MiB": `${HEADER}\r\n${LINE.repeat(Math.ceil(10 * 2 ** 20 / LINE.length))}`,
};

const octetsOf = (message: string) => new TextEncoder().encode(message);

/** In chunks of one octet and of three, of a prime number, and then of what is usual. */
const PLACES = [1, 2, 5, 9, 60, 61, 62, 63, ...Array.from({ length: 40 }, (_, i) => 67 + 251 * i)];

async function signed(message: string): Promise<string> {
  return await signatures(cutAt(octetsOf(message), PLACES), signers, means) + message;
}

const all = Object.values(MESSAGES);

async function verifiesAll(verify: Verify): Promise<void> {
  const messages = await Promise.all(all.map(signed));
  const verdicts = await verify(messages.map(octetsOf), keys);
  const shown = Object.keys(MESSAGES).map((name, i) => [name, ...verdicts[i]]);
  assert.deepEqual(shown, Object.keys(MESSAGES).map((name) => [name, true, true]));
}

const RICH = MESSAGES["all that is signed"];

/** What somebody else does to a message on its way. */
const CHANGES: Readonly<Record<string, (message: string) => string>> = {
  "a second From above": (message) => `From: mallory@example.org\r\n${message}`,
  "a second From below": (message) => message.replace("\r\n\r\n", "\r\nfrom : m@x.example\r\n\r\n"),
  "a second Subject above": (message) => `Subject: Pay\r\n${message}`,
  "a second Subject below": (message) => message.replace("\r\n\r\n", "\r\nSubject: Pay\r\n\r\n"),
  "a second To": (message) => `To: mallory@example.org\r\n${message}`,
  "a second Date": (message) => `Date: Fri, 1 Mar 2024 00:00:00 +0000\r\n${message}`,
  "a second Message-ID": (message) => `Message-ID: <2@example.org>\r\n${message}`,
  "another body": (message) => message.replace("\r\n\r\nHello", "\r\n\r\nhello"),
  "more of the body": (message) => `${message}More\r\n`,
  "nothing of the body": (message) => message.replace("\r\n\r\nHello\r\n", "\r\n\r\n"),
  "an earlier time": (message) => message.replaceAll(/t=1709164800/g, "t=1709164799"),
  "another name in h=": (message) => message.replaceAll(/:Cc:/g, ":Dc:"),
  ...Object.fromEntries(
    [...RICH.matchAll(/^([A-Z][\w-]*): /gm)].map(([start, name]) => [
      `another ${name}`,
      (message: string) => message.replace(`\r\n${start}`, `\r\n${start}x`),
    ]),
  ),
};

const BARE = MESSAGES["no more than From"];

/** The same where there was no such field. */
const ADDITIONS: Readonly<Record<string, (message: string) => string>> = Object.fromEntries(
  ["To", "Subject", "Date", "Message-ID"].map((name) => [
    `${name} where there was none`,
    (message: string) => `${name}: x@example.org\r\n${message}`,
  ]),
);

async function missesNone(verify: Verify): Promise<void> {
  const changed: [name: string, message: string][] = [];
  for (const [original, changes] of [[RICH, CHANGES], [BARE, ADDITIONS]] as const) {
    const message = await signed(original);
    for (const [name, change] of Object.entries(changes)) {
      const after = change(message);
      assert.notEqual(after, message, name);
      changed.push([name, after]);
    }
  }
  assert.equal(changed.length, 32);
  const verdicts = await verify(changed.map(([, message]) => octetsOf(message)), keys);
  const passed = changed.filter((_, i) => verdicts[i].includes(true)).map(([name]) => name);
  assert.deepEqual(passed, []);
  assert.ok(verdicts.every(({ length }) => length > 0));
}

/** What servers on the way do to it, and may. */
const HARMLESS: readonly ((message: string) => string)[] = [
  (message) => `Received: from a by b\r\n${message}`,
  (message) => message.replace("\r\n\r\n", "\r\nX-Scanned: yes\r\n\r\n"),
  (message) => message.replace("Subject: Minutes", "SUBJECT:\r\n\t  Minutes \t"),
  (message) => message.replace("\r\n\r\nHello\r\n", "\r\n\r\nHello \t\r\n\r\n\r\n"),
];

async function bearsTheWay(verify: Verify): Promise<void> {
  const message = await signed(RICH);
  const passed = HARMLESS.map((change) => change(message));
  assert.ok(passed.every((each) => each !== message));
  const verdicts = await verify(passed.map(octetsOf), keys);
  assert.deepEqual(verdicts, passed.map(() => [true, true]));
}

/** A server that sends it on ends the last line, and only then it is a message of mail. */
async function endsTheLastLine(verify: Verify): Promise<void> {
  const bodies = ["Hello", "Hello ", "Hello \t ", "Hello\r\n ", "Hello\r\n\t\r\n \t", " ", "\t "];
  const messages = await Promise.all(
    bodies.map(async (body) => `${await signed(`${HEADER}\r\n${body}`)}\r\n`),
  );
  const verdicts = await verify(messages.map(octetsOf), keys);
  assert.deepEqual(verdicts, messages.map(() => [true, true]));
}

async function verifiesInternational(verify: Verify): Promise<void> {
  const own = await newSigner("ed25519-sha256", "xn--bcher-kva.example");
  const message = "From: a@bücher.example\r\nSubject: x\r\n\r\nHello\r\n";
  const signer = { ...own.signer, domain: "bücher.example" };
  const field = await signatures(contentOf(message), [signer], means);
  assert.deepEqual(await verify([octetsOf(field + message)], own.keys), [[true]]);
}

const CLAIMS: readonly [string, (verify: Verify) => Promise<void>][] = [
  ["verifies whatever was signed", verifiesAll],
  ["misses no change", missesNone],
  ["bears what servers do on the way", bearsTheWay],
  ["verifies a body whose last line had no end", endsTheLastLine],
  ["finds the key of a domain in UTF-8", verifiesInternational],
];

for (const [what, claim] of CLAIMS) {
  Deno.test(`S29 B21 mailauth ${what}`, () => claim(mailauth));
  testWith("dkimverify", `S29 B21 dkimpy ${what}`, (program) => claim(dkimpy(program)));
  // The package of its tools comes with the library.
  testWith("opendkim-testmsg", `S29 B21 OpenDKIM ${what}`, () => claim(opendkim));
}
