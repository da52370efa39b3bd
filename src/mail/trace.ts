/**
 * What a relay writes in front of a message: the `Received` field that tells the way it came,
 * and the fields that a submitting client left out, or only half wrote.
 *
 * Promises: whatever client and envelope hold, nothing of it ends a line, or becomes a field of
 * its own; no line of ours has more than 998 characters (RFC 5322 §2.1.1), and 78 only where one
 * word is longer.
 *
 * Nothing here fails: what cannot stand in its place is written as a comment, or left out.
 */

import {
  format,
  isAddressLiteral,
  isAscii,
  isDomain,
  type Mailbox,
  parseMailbox,
} from "../smtp/address.ts";
import type { Client, Envelope } from "./envelope.ts";
import { folded } from "./field.ts";
import { type Examined, mailDate } from "./headers.ts";

/**
 * A message that has passed so many servers goes in circles. RFC 5321 §6.3 would have 100,
 * fearing for long ways; today's have hardly ten, and each round of a loop is one more copy
 * for every recipient.
 */
export const MOST_HOPS = 50;

const MOST_HELO = 255;

type Traced = Pick<Envelope, "id" | "client" | "sender" | "recipients" | "receivedAt">;

/** RFC 5321 §4.4. `hideClient` for those whose own network is nobody's business (§7.6). */
export function received(
  { id, client, sender, recipients, receivedAt }: Traced,
  by: { hostname: string; hideClient: boolean },
): string {
  const words = by.hideClient ? [] : [...fromClause(client)];
  words.push("by", by.hostname, "(Dinopost)", "with", protocolOf(client, sender.utf8));
  // RFC 8314 §4.3.
  if (client.tls !== undefined) words.push("tls", client.tls.cipher);
  words.push("id", id);
  // RFC 5321 §7.2: several would betray blind copies to each other.
  const recipient = recipients.length === 1
    ? pathOf(recipients[0].mailbox, sender.utf8, by.hostname)
    : undefined;
  if (recipient !== undefined) words.push("for", recipient);
  words[words.length - 1] += ";";
  words.push(mailDate(receivedAt));
  return folded("Received:", words);
}

/** Of what is made here. */
export function made({ id, receivedAt }: Pick<Envelope, "id" | "receivedAt">, hostname: string) {
  const words = ["by", hostname, "(Dinopost)", "id", `${id};`, mailDate(receivedAt)];
  return folded("Received:", words);
}

/** RFC 3848; RFC 6531 §4.3. */
function protocolOf({ esmtp, tls, user }: Client, utf8: boolean): string {
  if (!utf8 && !esmtp) return "SMTP";
  return (utf8 ? "UTF8SMTP" : "ESMTP") + (tls ? "S" : "") + (user === undefined ? "" : "A");
}

/**
 * RFC 6409 §8: a submission server adds what the client left out. Of the line of an mbox, which
 * would be no field behind ours, it makes one.
 */
export function missing(
  { hasMessageId, hasDate, hasMailboxLine }: Examined,
  { id, receivedAt }: Pick<Envelope, "id" | "receivedAt">,
  hostname: string,
): string {
  return (hasMessageId ? "" : folded("Message-ID:", [`<${id}@${hostname}>`])) +
    (hasDate ? "" : folded("Date:", [mailDate(receivedAt)])) +
    (hasMailboxLine ? "X-Mailbox-Line: " : "");
}

/**
 * `from helo ([address])`. What is no domain cannot stand there, but tells whoever looks for a
 * client which one it was: it goes into a comment behind the address, which is then the name.
 */
function fromClause(client: Client): readonly string[] {
  const { helo, address, name } = client;
  // Most messages come from whoever sent the one before.
  if (last?.helo === helo && last.address === address && last.name === name) return last.clause;
  last = { helo, address, name, clause: fromClauseOf(client) };
  return last.clause;
}

let last: Pick<Client, "helo" | "address" | "name"> & { clause: readonly string[] } | undefined;

function fromClauseOf({ helo, address, name }: Client): string[] {
  const bare = addressLiteral(address);
  const literal = bare !== undefined && name !== undefined && isDomain(name)
    ? `${name} ${bare}`
    : bare;
  if (isAscii(helo) && (isDomain(helo) || isAddressLiteral(helo))) {
    return literal === undefined ? ["from", helo] : ["from", helo, `(${literal})`];
  }
  const said = helo === "" ? [] : ["(helo", `${comment(helo.slice(0, MOST_HELO))})`];
  return ["from", bare ?? "unknown", ...said];
}

/** RFC 5321 §4.1.3. A zone says something on this machine only. */
function addressLiteral(address: string): string | undefined {
  const [host] = address.split("%", 1);
  const literal = host.includes(":") ? `[IPv6:${host}]` : `[${host}]`;
  return isAddressLiteral(literal) ? literal : undefined;
}

/** RFC 5322 §3.2.2: parentheses and backslashes are quoted. */
function comment(text: string): string {
  return text.replace(/[^!-~]/g, "?").replace(/[()\\]/g, "\\$&");
}

/** RFC 6531 §3.7.3: UTF-8 stands in traces only of messages that declared it. */
function pathOf(mailbox: Mailbox, utf8: boolean, hostname: string): string | undefined {
  // RFC 5321 §4.5.1: the postmaster without a domain is that of this host.
  const address = format(mailbox.domain === "" ? { ...mailbox, domain: hostname } : mailbox);
  const sound = parseMailbox(address) !== undefined && (utf8 || isAscii(address));
  return sound ? `<${address}>` : undefined;
}
