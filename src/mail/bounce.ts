/**
 * What a sender is told of recipients that could not be reached, not yet, or beyond which nobody
 * will tell: a report for people and programs (RFC 3464, RFC 6522), in UTF-8 only to those who
 * write so themselves (RFC 6533).
 *
 * Promises: it is well formed whatever a server has replied and whatever the message holds;
 * it has the null sender, so that nothing is ever told of it in turn (RFC 5321 §4.5.5); none
 * returns more than a small message.
 */

import { format, isAscii, type Mailbox } from "../smtp/address.ts";
import type { Content } from "../smtp/content.ts";
import { toBase64 } from "../smtp/sasl.ts";
import type { Recipient, Sender } from "../smtp/transaction.ts";
import { beyondAscii } from "../smtp/transparency.ts";
import { unitext } from "../smtp/xtext.ts";
import { folded, unfolded } from "./field.ts";
import { headerOf, mailDate } from "./headers.ts";
import type { Outcome } from "./outcome.ts";

/** `relayed`: the next server will not tell of success, as was wished (RFC 3461 §5.2.2). */
export type ReportKind = "failed" | "delayed" | "relayed";

export interface Reported {
  readonly recipient: Recipient;
  readonly outcome: Outcome;
}

export interface Report {
  readonly kind: ReportKind;
  readonly about: readonly Reported[];
  /** Of the message; whoever has a mailbox is told. */
  readonly sender: Sender & { readonly mailbox: Mailbox };
  readonly arrivedAt: number;
  /** Of what is delayed: until then it is tried. */
  readonly until?: number;
  /** Absent: its octets cannot be had. */
  readonly original?: Content;
}

/** Who makes it. */
export interface Reporter {
  readonly hostname: string;
  /** Of the report. */
  readonly id: string;
  readonly now: number;
}

export interface Bounce {
  readonly sender: Sender;
  readonly recipients: readonly Recipient[];
  readonly content: Content;
}

/** A larger message is returned by its header alone. */
const LARGEST_RETURNED = 64 * 1024;

const encoder = new TextEncoder();
const latin1 = new TextDecoder("latin1");

export function bounceOf(report: Report, reporter: Reporter): Bounce {
  const { sender: { mailbox } } = report;
  const utf8 = !isAscii(format(mailbox));
  const returned = report.original && returnedOf(report, report.original, utf8);
  const boundary = `=_${reporter.id}`;
  const parts = [explanation(report, reporter, utf8), status(report, reporter, utf8)];
  const start = header(report, reporter, boundary, returned?.eightBit ?? utf8) +
    parts.map((part) => `--${boundary}\r\n${part}\r\n`).join("") +
    (returned === undefined ? "" : `--${boundary}\r\n${returned.head}\r\n`);
  const chunks = [
    encoder.encode(start),
    ...returned?.chunks ?? [],
    // What stands before a boundary ends with its own CRLF (RFC 2046 §5.1.1).
    encoder.encode(`${returned === undefined ? "" : "\r\n"}--${boundary}--\r\n`),
  ];
  return {
    sender: { mailbox: null, body: returned?.eightBit || utf8 ? "8BITMIME" : "7BIT", utf8 },
    recipients: [{ mailbox }],
    content: { chunks, size: chunks.reduce((sum, { length }) => sum + length, 0) },
  };
}

const SUBJECTS: Record<ReportKind, string> = {
  failed: "Your message could not be delivered",
  delayed: "Your message is delayed",
  relayed: "Your message was handed on",
};

function header(
  { kind, sender, original }: Report,
  { hostname, id, now }: Reporter,
  boundary: string,
  eightBit: boolean,
): string {
  const about = original && messageIdOf(original);
  return [
    folded("From:", ["Mail", "Delivery", "System", `<MAILER-DAEMON@${hostname}>`]),
    folded("To:", [`<${format(sender.mailbox)}>`]),
    folded("Subject:", SUBJECTS[kind].split(" ")),
    folded("Date:", [mailDate(now)]),
    folded("Message-ID:", [`<${id}@${hostname}>`]),
    ...about === undefined ? [] : [folded("In-Reply-To:", [about]), folded("References:", [about])],
    // RFC 3834 §5: whoever answers by itself does not answer this.
    "Auto-Submitted: auto-replied\r\n",
    "MIME-Version: 1.0\r\n",
    folded("Content-Type:", [
      "multipart/report;",
      "report-type=delivery-status;",
      `boundary="${boundary}"`,
    ]),
    eightBit ? "Content-Transfer-Encoding: 8bit\r\n" : "",
    "\r\n",
  ].join("");
}

function explanation({ kind, about, until }: Report, { hostname }: Reporter, utf8: boolean) {
  const [before, behind] = {
    failed: [
      "Your message could not be delivered to:",
      "It will not be tried again.",
    ],
    delayed: [
      "Your message could not be delivered yet to:",
      `It is tried again until ${mailDate(until ?? 0)}; there is no need to send it once more.`,
    ],
    relayed: [
      "Your message was handed on to a server that does not confirm deliveries. It is for:",
      "If it cannot be delivered from there, you should be told.",
    ],
  }[kind];
  const lines = [
    `This is the mail relay at ${hostname}.`,
    "",
    before,
    ...about.flatMap(({ recipient, outcome }) => [
      "",
      `  ${format(recipient.mailbox)}`,
      ...wrapped(inWords(outcome)),
    ]),
    "",
    behind,
    "",
  ];
  const text = lines.join("\r\n");
  const plain = isAscii(text);
  const encoding = plain ? "7bit" : utf8 ? "8bit" : "base64";
  return "Content-Type: text/plain; charset=utf-8\r\n" +
    `Content-Transfer-Encoding: ${encoding}\r\n\r\n` +
    (encoding === "base64" ? base64(encoder.encode(text)) : text);
}

/** What we say ourselves may have a host that it is about. */
function inWords(outcome: Outcome): string {
  const { host, reply, command } = outcome;
  if (isReply(outcome)) return `${host} said: ${reply} (${command})`;
  return host === undefined ? reply : `${host}: ${reply}`;
}

/** It is a server's, not our word in its place. */
function isReply({ host, command, reply }: Outcome): boolean {
  return host !== undefined && command !== undefined && /^[2-5][0-9]{2}(?: |$)/.test(reply);
}

const wrapped = (text: string) =>
  folded("   ", text.split(" ")).split("\r\n").filter((line) => line.trim() !== "")
    .map((line) => `    ${line.trim()}`);

/** RFC 3464 §2. */
function status(report: Report, { hostname, now }: Reporter, utf8: boolean): string {
  const { kind, about, sender: { envid }, arrivedAt, until } = report;
  const perMessage = [
    ...envid === undefined ? [] : [folded("Original-Envelope-Id:", [envid])],
    folded("Reporting-MTA:", ["dns;", hostname]),
    folded("Arrival-Date:", [mailDate(arrivedAt)]),
  ];
  const perRecipient = about.map(({ recipient: { mailbox, orcpt }, outcome }) => [
    ...orcpt === undefined
      ? []
      : [addressField("Original-Recipient:", orcpt.type, orcpt.address, utf8)],
    addressField("Final-Recipient:", "rfc822", format(mailbox), utf8),
    folded("Action:", [kind]),
    folded("Status:", [outcome.status]),
    ...remote(outcome, utf8),
    folded("Last-Attempt-Date:", [mailDate(now)]),
    ...until === undefined ? [] : [folded("Will-Retry-Until:", [mailDate(until)])],
  ]);
  const fields = [perMessage, ...perRecipient].map((group) => group.join("")).join("\r\n");
  return utf8
    ? `Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${fields}`
    : `Content-Type: message/delivery-status\r\n\r\n${fields}`;
}

/** RFC 6533 §3: an address beyond ASCII has a type of its own. */
function addressField(name: string, type: string, address: string, utf8: boolean): string {
  const beyond = !isAscii(address) || type.toLowerCase() === "utf-8";
  // On one line: not every reader unfolds it.
  return beyond
    ? unfolded(`${name} utf-8;`, unitext(address, utf8))
    : unfolded(`${name} ${type};`, address);
}

/** RFC 3464 §2.3.5, §2.3.6: who said it, and what; or what we say of it ourselves. */
function remote(outcome: Outcome, utf8: boolean): string[] {
  const { host, reply } = outcome;
  const [name] = host?.split(" ") ?? [];
  const words = (text: string) => (utf8 ? text : text.replace(/[^ -~]/g, "?")).split(" ");
  return [
    ...name === undefined ? [] : [folded("Remote-MTA:", ["dns;", ...words(name)])],
    folded("Diagnostic-Code:", [isReply(outcome) ? "smtp;" : "x-dinopost;", ...words(reply)]),
  ];
}

interface Returned {
  /** The fields of its part, and the empty line. */
  readonly head: string;
  readonly chunks: readonly Uint8Array<ArrayBuffer>[];
  readonly eightBit: boolean;
}

/**
 * RFC 3461 §6.2: the whole message or its header. What is not all ASCII is returned by its header:
 * not every server takes eight bits, and a bounce that fails is lost; unless all of it was wished.
 */
function returnedOf({ kind, sender }: Report, original: Content, utf8: boolean): Returned {
  const beyond = beyondAscii(original);
  // RFC 8689 §5: what was to be kept from others is not given to whoever reads a bounce.
  const wished = kind === "failed" && sender.ret !== "HDRS" && !sender.requireTls &&
    original.size <= LARGEST_RETURNED;
  if (wished && (utf8 || !beyond.body || (sender.ret === "FULL" && !beyond.header))) {
    const type = utf8 && beyond.header ? "message/global" : "message/rfc822";
    const encoding = beyond.body ? "Content-Transfer-Encoding: 8bit\r\n" : "";
    return {
      head: `Content-Type: ${type}\r\n${encoding}`,
      chunks: original.chunks,
      eightBit: beyond.body || utf8,
    };
  }
  const fields = fieldsOf(original);
  if (!beyond.header) {
    return { head: "Content-Type: text/rfc822-headers\r\n", chunks: [fields], eightBit: utf8 };
  }
  const encoded = utf8 ? fields : encoder.encode(base64(fields));
  return {
    head: "Content-Type: message/global-headers; charset=utf-8\r\n" +
      `Content-Transfer-Encoding: ${utf8 ? "8bit" : "base64"}\r\n`,
    chunks: [encoded],
    eightBit: utf8,
  };
}

/** Whole lines of the header, as many as may be returned. */
function fieldsOf(original: Content): Uint8Array<ArrayBuffer> {
  const whole = headerOf(original);
  const end = whole.length <= LARGEST_RETURNED
    ? whole.length
    : whole.lastIndexOf(10, LARGEST_RETURNED - 1) + 1;
  return whole.slice(0, end);
}

/** To be put behind what it belongs to, by whoever reads mail in threads. */
function messageIdOf(original: Content): string | undefined {
  const text = latin1.decode(headerOf(original).subarray(0, LARGEST_RETURNED));
  return /^message-id:[ \t\r\n]*(<[!-;=?-~]{1,250}>)/im.exec(text)?.[1];
}

const base64 = (octets: Uint8Array) => toBase64(octets).replace(/.{1,76}/g, "$&\r\n");
