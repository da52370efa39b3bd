/** Bounces of any kind, and what hostile servers and senders could put into them. */

import fc from "fast-check";
import {
  type Bounce,
  bounceOf,
  type Report,
  type Reported,
  type ReportKind,
} from "../../src/mail/bounce.ts";
import type { Outcome } from "../../src/mail/outcome.ts";
import { parseMailbox } from "../../src/smtp/address.ts";
import type { Recipient, Sender } from "../../src/smtp/transaction.ts";
import { contentFrom } from "./store.ts";
import { failed } from "./outcomes.ts";

export const HOSTNAME = "relay.example";
export const ID = "0jhq4v2k9mcxn8pzrt7w";
export const BOUNDARY = `=_${ID}`;
export const ARRIVED = Date.UTC(2026, 0, 1, 8), NOW = Date.UTC(2026, 0, 1, 12);

export interface About {
  readonly to?: string;
  readonly outcome?: Partial<Outcome>;
  readonly orcpt?: Recipient["orcpt"];
}

export interface Asked {
  readonly kind?: ReportKind;
  readonly from?: string;
  readonly sender?: Partial<Sender>;
  /** Of each recipient. */
  readonly about?: readonly About[];
  readonly until?: number;
  /** A character for each octet; `null`: it cannot be had. */
  readonly original?: string | null;
}

export const ORIGINAL = "From: alice@example.com\r\nSubject: hello\r\n" +
  "Message-ID: <m1@example.com>\r\n\r\nthe body\r\n";

export function reportOf(asked: Asked = {}): Report {
  const { kind = "failed", from = "alice@example.com", about = [{}], original = ORIGINAL } = asked;
  return {
    kind,
    about: about.map(reported),
    sender: { mailbox: parseMailbox(from)!, body: "7BIT", utf8: false, ...asked.sender },
    arrivedAt: ARRIVED,
    until: asked.until,
    original: original === null ? undefined : contentFrom(octetsOf(original)),
  } as Report;
}

function reported({ to = "bob@example.net", outcome, orcpt }: About): Reported {
  const recipient = { mailbox: parseMailbox(to)!, ...(orcpt && { orcpt }) };
  return { recipient, outcome: { ...failed, host: "mx.example.net [192.0.2.1]", ...outcome } };
}

export function bounce(asked: Asked = {}): Bounce {
  return bounceOf(reportOf(asked), { hostname: HOSTNAME, id: ID, now: NOW });
}

export function octetsOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The octets of UTF-8, a character for each. */
export function utf8(text: string): string {
  return latin1(new TextEncoder().encode(text));
}

export function latin1(octets: Uint8Array): string {
  let text = "";
  for (const octet of octets) text += String.fromCharCode(octet);
  return text;
}

export function joined({ content }: Pick<Bounce, "content">): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(content.size);
  let at = 0;
  for (const chunk of content.chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** A character for each octet. */
export const wireOf = (bounce: Pick<Bounce, "content">) => latin1(joined(bounce));

/** Its parts, by its boundary; a character for each octet. */
export function partsOf(bounce: Pick<Bounce, "content">, boundary = BOUNDARY): string[] {
  return wireOf(bounce).split(`\r\n--${boundary}`).slice(1, -1);
}

/** What is left where line ends could be put or taken. */
export const bare = (text: string) => text.replace(/\s/g, "");

// deno-lint-ignore no-control-regex -- control characters are what must not pass
const CONTROLS = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g;

/** What is left of a text where no control character, no half of one and no line end may be. */
export function safe(text: string, beyondAscii: boolean): string {
  const plain = text.toWellFormed().replace(CONTROLS, "?");
  return bare(beyondAscii ? plain : text.replace(/[^ -~]/g, "?"));
}

const piece = fc.oneof(
  fc.constantFrom(
    "\r\n.\r\n",
    "\r\n\r\n",
    "\r",
    "\n",
    `\r\n--${BOUNDARY}\r\n`,
    `\r\n--${BOUNDARY}--\r\n`,
    `--${BOUNDARY}`,
    "\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script>",
    "\r\nAction: delivered\r\nStatus: 2.0.0\r\n",
    "\r\n\r\nFinal-Recipient: rfc822; eve@example.com\r\n",
    "<img src=x onerror=alert(1)>",
    "=?utf-8?b?w6Q=?=",
    "550 5.1.1 <eve@example.com>: nobody",
    "\0",
    "\x1b[2J\x07",
    "\u0085",
    "\u2028",
    "\ud800",
    "\udfff",
    "\u00a0",
    "\ufeff",
    "ä",
    "\u{1f4ee}",
    "x".repeat(1000),
    "ö".repeat(1000),
    "\u{1f4ee}".repeat(300),
    " ",
    " ".repeat(90),
    ";",
    ',:()<>@\\"',
  ),
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.string({ maxLength: 30 }),
);

/** Of who means no good. */
export const hostileText = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(""));

const atext = fc.constantFrom(..."abcXYZ019!#$%&'*+-/=?^_`{|}~");
const word = fc.string({ unit: atext, minLength: 1, maxLength: 12 });
const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
const domain = fc.oneof(
  fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join(".")),
  fc.constantFrom("[192.0.2.1]", "[IPv6:2001:db8::1]", "x_y.example"),
);
const quoted = fc.string({ unit: fc.constantFrom(..."ab .,;:<>@()[]"), maxLength: 60 })
  .map((text) => `"${text}"`);
const dotted = fc.array(word, { minLength: 1, maxLength: 6 }).map((words) => words.join("."));
const beyond = fc.tuple(word, fc.constantFrom("ä", "ß", "日本", "\u{1f4ee}", "é".repeat(40)))
  .map(([a, b]) => a + b);

const addressOf = (local: fc.Arbitrary<string>) =>
  fc.tuple(local, domain).map((parts) => parts.join("@"))
    .filter((address) => parseMailbox(address) !== undefined);

const address = fc.oneof(addressOf(fc.oneof(dotted, quoted)), addressOf(beyond));

const printable = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 100 });
const orcpt = fc.oneof(
  fc.record({ type: fc.constantFrom("rfc822", "x400", "X-Odd"), address: printable }),
  fc.record({ type: fc.constantFrom("utf-8", "UTF-8"), address }),
);

const field = fc.tuple(
  fc.constantFrom("Subject", "From", "Content-Type", "Message-ID", "X-Odd", "Received", ""),
  fc.oneof(hostileText, fc.constant(`multipart/mixed; boundary="${BOUNDARY}x"`)),
).map(([name, value]) => `${name}: ${value.replace(/[\r\n]+/g, "\r\n ")}\r\n`);

/** A character for each octet; it knows of no boundary, since chance makes one for each bounce. */
export const original = fc.tuple(
  fc.array(field, { maxLength: 5 }).map((fields) => fields.join("")),
  fc.option(hostileText.map((text) => `\r\n${text.replace(/\r\n|\r|\n/g, "\r\n")}`)),
).map(([header, body]) => utf8(header + (body ?? "")).replaceAll(BOUNDARY, "=_another"));

const outcome = fc.record({
  host: fc.option(hostileText, { nil: undefined }),
  command: fc.constantFrom(undefined, "RCPT TO", "end of DATA"),
  reply: hostileText.map((text) => text.trim()),
  status: fc.constantFrom("5.0.0", "5.1.1", "5.7.999", "4.4.7"),
});

export const hostileReport: fc.Arbitrary<Asked> = fc.record({
  kind: fc.constantFrom<ReportKind>("failed", "delayed", "relayed"),
  from: address,
  sender: fc.record({
    ret: fc.constantFrom(undefined, "FULL", "HDRS"),
    envid: fc.option(printable, { nil: undefined }),
  }),
  about: fc.array(
    fc.record({ to: address, outcome, orcpt: fc.option(orcpt, { nil: undefined }) }),
    { minLength: 1, maxLength: 4 },
  ),
  until: fc.constant(NOW + 1000),
  original: fc.option(original, { freq: 8 }),
});
