/**
 * What may be seen of a dialogue, in the log and in the audit.
 *
 * Promises: no credentials, however AUTH is misspelt, and also where a client that was refused
 * goes on as if it had not been; and nothing that tells who guesses a password that it is right.
 */

import { AUTH_LINE_LIMIT, type Line } from "./framing.ts";
import * as replies from "./replies.ts";
import { format, type Reply } from "./reply.ts";
import type { Input } from "./state.ts";

/** Those that are widely known. What else stands in their place may be a password. */
const MECHANISMS = "PLAIN|LOGIN|SCRAM-SHA-[0-9]{1,3}(?:-PLUS)?|CRAM-MD5|DIGEST-MD5|NTLM|" +
  "GSSAPI|EXTERNAL|ANONYMOUS|XOAUTH2|OAUTHBEARER";
const AUTH = new RegExp(`^(\\s*AUTH(?:\\s+(?:${MECHANISMS})(?!\\S))?\\s*)(.*)$`, "is");

/** Whoever is told so has said no command. */
const UNKNOWN: ReadonlySet<Reply> = new Set([replies.unknownCommand, replies.badCharacters]);

export class Shown {
  /** The last line that was understood was AUTH, or an answer to it. */
  #afterAuth = false;

  /** A line of the client, and what it was taken for. */
  line(line: Line, input: Input): string {
    if (line.kind !== "line") {
      this.#afterAuth ||= line.kind === "overlong" && line.limit === AUTH_LINE_LIMIT;
      return `(${line.kind})`;
    }
    const { text } = line;
    const isUnknown = input.kind === "unreadable" && UNKNOWN.has(input.reply);
    const [, command, secret] = AUTH.exec(text) ?? [];
    const isAuth = command !== undefined && input.kind !== "response";
    const isHidden = input.kind === "response" || (this.#afterAuth && isUnknown && !isAuth);
    this.#afterAuth = isAuth || isHidden;
    if (isHidden) return "(hidden)";
    return secret ? `${command}(hidden)` : text;
  }
}

/** The lines of a reply. */
export function shownLines(reply: Reply): string[] {
  return reply.code === 334 ? ["334 (hidden)"] : format(reply).trimEnd().split("\r\n");
}
