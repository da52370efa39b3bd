/**
 * A command line (RFC 5321 §4.1.1) becomes a command, or the reply that refuses it.
 *
 * Verbs are whole words in any case: `DATAXYZ` is no `DATA`. The line comes without its
 * CRLF; octets that are no UTF-8 have become U+FFFD, which no rule here lets through.
 */

import { isAscii, parsePath, upper } from "./address.ts";
import { mailParameters, rcptParameters } from "./parameters.ts";
import type { Reply } from "./reply.ts";
import * as replies from "./replies.ts";
import type { Recipient, Sender } from "./transaction.ts";
import { type Claim, parseClaim } from "./xclient.ts";

/** A recipient that cannot be one: it counts among those of its transaction. */
export interface Refused {
  readonly refusal: Reply;
}

export type Command =
  | { readonly verb: "HELO" | "EHLO"; readonly name: string }
  | { readonly verb: "MAIL"; readonly sender: Sender }
  | { readonly verb: "RCPT"; readonly recipient: Recipient | Refused }
  | { readonly verb: "BDAT"; readonly octets: number; readonly last: boolean }
  | AuthCommand
  | XclientCommand
  | { readonly verb: "DATA" | "RSET" | "NOOP" | "QUIT" | "HELP" | "VRFY" | "STARTTLS" };

export interface AuthCommand {
  readonly verb: "AUTH";
  /** In upper case; perhaps of no mechanism that there is. */
  readonly mechanism: string;
  /** Still in base64. */
  readonly initial?: string;
}

export interface XclientCommand {
  readonly verb: "XCLIENT";
  readonly claim: Claim;
}

/** Known to mail, but not offered: the client learns that it spelled the verb well. */
const NOT_OFFERED = new Set(
  "EXPN TURN ETRN ATRN SEND SOML SAML XFORWARD BURL".split(" "),
);
/** A browser can be made to POST to this port: its first line ends the connection. */
const HTTP = new Set("GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH".split(" "));

export function parse(line: string): Command | Reply {
  const space = line.indexOf(" ");
  const verb = upper(space < 0 ? line : line.slice(0, space));
  const argument = space < 0 ? "" : trimmed(line.slice(space + 1));
  // deno-lint-ignore no-control-regex -- control characters are what must not pass
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(line)) return replies.badCharacters;
  switch (verb) {
    case "HELO":
    case "EHLO":
      return isHelloName(argument)
        ? { verb, name: argument }
        : replies.badArgument(`${verb} hostname`);
    case "MAIL":
      return mail(argument);
    case "RCPT":
      return { verb, recipient: rcpt(argument) };
    case "BDAT":
      return bdat(argument);
    case "DATA":
    case "RSET":
    case "QUIT":
    case "STARTTLS":
      return argument === "" ? { verb } : replies.badArgument(verb);
    case "VRFY":
      return argument === "" ? replies.badArgument("VRFY address") : { verb };
    case "NOOP":
    case "HELP":
      return { verb };
    case "AUTH":
      return auth(argument);
    case "XCLIENT": {
      const claim = parseClaim(argument, isHelloName);
      return typeof claim === "string" ? replies.badAttribute(claim) : { verb, claim };
    }
  }
  if (HTTP.has(verb) && / HTTP\/[0-9.]+$/.test(line)) return replies.notHttp;
  return NOT_OFFERED.has(verb) ? replies.notOffered(verb) : replies.unknownCommand;
}

const isBlank = (character: string) => character === " " || character === "\t";

/** Without blanks around it; most have none. */
function trimmed(text: string): string {
  return isBlank(text.charAt(0)) || isBlank(text.charAt(text.length - 1))
    ? text.replace(/^[ \t]+|[ \t]+$/g, "")
    : text;
}

/**
 * What clients call themselves is often no domain name nor address literal: `MY_PC`,
 * `John's-laptop`, `[::1]`. Any word that can stand in a Received field will do.
 */
function isHelloName(name: string): boolean {
  return name.length <= 255 &&
    /^(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.:-]+|\[[A-Za-z0-9.:-]+\])$/.test(name);
}

function mail(argument: string): Command | Reply {
  const [path, rest] = splitPath(argument, "FROM:");
  const mailbox = path === undefined ? undefined : parsePath(path);
  if (mailbox === undefined) return replies.badSender;
  const parameters = mailParameters(rest);
  if ("code" in parameters) return parameters;
  if (!parameters.utf8 && !isAscii(path!)) return replies.needsUtf8;
  return { verb: "MAIL", sender: { mailbox, ...parameters } };
}

function rcpt(argument: string): Recipient | Refused {
  const [path, rest] = splitPath(argument, "TO:");
  // RFC 5321 §4.5.1: Postmaster is reached without a domain, in any case.
  const mailbox = path === undefined
    ? undefined
    : /^<postmaster>$/i.test(path)
    ? { local: path.slice(1, -1), domain: "" }
    : parsePath(path);
  if (!mailbox) return { refusal: replies.badRecipient };
  const parameters = rcptParameters(rest);
  return "code" in parameters ? { refusal: parameters } : { mailbox, ...parameters };
}

/** `FROM:<path> parameters`: a space before the path is tolerated, as everywhere. */
function splitPath(argument: string, keyword: string): [path: string | undefined, rest: string] {
  if (upper(argument.slice(0, keyword.length)) !== keyword) return [undefined, ""];
  const text = trimmed(argument.slice(keyword.length));
  const end = endOfPath(text);
  if (end < 0 || (text.length > end && text[end] !== " ")) return [undefined, ""];
  return [text.slice(0, end), text.slice(end + 1)];
}

const QUOTE = 34, BACKSLASH = 92, BEHIND_PATH = 62;

/** The first `>` outside quotes ends the path. */
function endOfPath(text: string): number {
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) quoted = !quoted;
    else if (quoted && c === BACKSLASH) i++;
    else if (c === BEHIND_PATH && !quoted) return i + 1;
  }
  return -1;
}

/** RFC 4954 §4. */
function auth(argument: string): Command | Reply {
  const [, mechanism, initial] = /^([A-Za-z0-9_-]{1,20})(?: +([^ ]+))?$/.exec(argument) ?? [];
  return mechanism === undefined
    ? replies.badArgument("AUTH mechanism [initial-response]")
    : { verb: "AUTH", mechanism: upper(mechanism), initial };
}

/** RFC 3030 §2. */
function bdat(argument: string): Command | Reply {
  const [, octets, last] = /^([0-9]{1,15})( +LAST)?$/i.exec(argument) ?? [];
  return octets === undefined
    ? replies.badChunk
    : { verb: "BDAT", octets: Number(octets), last: last !== undefined };
}
