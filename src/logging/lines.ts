/**
 * Events as lines, for people or for programs. Pure.
 *
 * Promises: an event is one line, whatever its fields hold, and nothing in it moves a cursor,
 * colours a terminal or turns the direction of writing.
 */

import type { AuditLine } from "../audit.ts";
import type { LogFields, LogLevel } from "../ports.ts";

export interface Event {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
  /** In milliseconds since 1970. */
  readonly at: number;
}

/** `short`: whoever watches a terminal knows the day. */
export function textLine({ level, event, fields, at }: Event, { short }: { short: boolean }) {
  const time = timeText(at);
  let text = short ? time.slice(11) : time;
  text += level === "info" ? ` ${event}` : ` ${level}: ${event}`;
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    const plain = value instanceof Date ? value.toISOString() : String(value);
    text += ` ${name}=${/[\s"=]|^$/.test(plain) ? JSON.stringify(plain) : plain}`;
  }
  return escape(text);
}

/** An object of JSON. */
export function jsonLine({ level, event, fields, at }: Event): string {
  return escape(JSON.stringify({ time: timeText(at), level, event, ...fields }));
}

/** A line of a session. `short`: as for events. */
export function auditText(
  { at, session, side, text }: AuditLine,
  { short }: { short: boolean },
): string {
  const time = timeText(at);
  return `${short ? time.slice(11) : time} ${session} ${side}: ${escape(text)}`;
}

export function auditJson({ at, session, side, text }: AuditLine): string {
  const fields = { level: "info", event: "audit", session, side, text };
  return escape(JSON.stringify({ time: timeText(at), ...fields }));
}

let lastTime = 0;
let lastText = "";

/** Many events are of the same millisecond. */
export function timeText(at: number): string {
  if (at !== lastTime) {
    lastTime = at;
    lastText = new Date(at).toISOString();
  }
  return lastText;
}

// deno-lint-ignore no-control-regex -- control characters are what must not pass
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
/** What most lines are: quicker to see than that nothing in them is unsafe. */
const PLAIN = /^[ -~]*$/;

/** Of what has several lines, and tabs. */
export function escapeText(text: string): string {
  return text.split(/([\n\t])/).map((part, i) => i % 2 === 1 ? part : escape(part)).join("");
}

/** As JSON has it too, so that JSON stays what it is. */
export function escape(line: string): string {
  if (PLAIN.test(line)) return line;
  return line.replace(UNSAFE, (character) => {
    return "\\u" + character.charCodeAt(0).toString(16).padStart(4, "0");
  });
}
