/**
 * What a failure means (RFC 5321 §4.2.1, RFC 3463): how far it reaches, and whether to try again.
 * Nothing else decides that.
 */

import type { Outcome, Scope } from "../mail/outcome.ts";
import type { Command } from "../smtp/client.ts";
import { isPositive, type Reply } from "../smtp/reply.ts";

/** Where something was said. */
export interface Place {
  /** By name and address. */
  readonly host?: string;
  readonly command?: string;
}

/** What a server decided of one recipient. */
export function outcomeOf(reply: Reply, command: Command | undefined, host: string): Outcome {
  const place = { host, command };
  if (isPositive(reply)) {
    return { kind: "delivered", scope: "recipient", ...place, ...said(reply) };
  }
  // RFC 5321 §3.8: it closes the connection, and says nothing of the message.
  if (reply.code === 421) return { kind: "deferred", scope: "session", ...place, ...said(reply) };
  const scope: Scope = command === "RCPT TO" ? "recipient" : "message";
  const outcome: Outcome = { kind: "failed", scope, ...place, ...said(reply) };
  return reply.code < 500 || isTooMany(outcome) ? { ...outcome, kind: "deferred" } : outcome;
}

/** RFC 5321 §4.5.3.1.10: too many recipients in one transaction; 452 now, and 552 once. */
export function isTooMany({ command, status }: Outcome): boolean {
  return command === "RCPT TO" && /^[45]\.5\.3$/.test(status);
}

/** A server with which no session came about, or whose session ended; others may do better. */
export function unreachable(text: string, place: Place, status = "4.4.2"): Outcome {
  return { kind: "deferred", scope: "session", ...place, reply: oneLine(text), status };
}

/** The whole destination cannot be reached now. */
export function siteDeferred(text: string, status: string): Outcome {
  return { kind: "deferred", scope: "site", reply: oneLine(text), status };
}

/** There is no way to the destination, and will not be. */
export function siteFailed(text: string, status: string): Outcome {
  return { kind: "failed", scope: "site", reply: oneLine(text), status };
}

export function messageFailed(text: string, status: string): Outcome {
  return { kind: "failed", scope: "message", reply: oneLine(text), status };
}

/** Whether another host of the destination may be asked. */
export function isOfHost({ kind, scope }: Outcome): boolean {
  return kind === "deferred" && scope === "session";
}

function said({ code, enhanced, lines }: Reply): Pick<Outcome, "reply" | "status"> {
  const text = [String(code), enhanced, ...lines].filter((part) => part !== undefined).join(" ");
  // RFC 3463 §2: where nothing finer was said, its class is.
  return { reply: oneLine(text), status: enhanced ?? `${String(code)[0]}.0.0` };
}

const MOST = 1000;

/** Remote text is data: it stands in logs, tables and bounces. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what must not pass
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, " ").trim().slice(0, MOST);
}
