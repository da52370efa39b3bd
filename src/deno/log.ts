/**
 * Events as lines on standard error: time, level, event, fields.
 *
 * Promises: an event is one line whatever its fields hold; a standard error that is full or
 * closed never stops the daemon.
 */

import type { Log, LogFields } from "../ports.ts";
import { stderr } from "./output.ts";

export const log: Log = (level, event, fields = {}) => {
  if (level === "debug") return;
  const mark = level === "info" ? "" : `${level}: `;
  stderr.line(escape(`${timeOfDay()} ${mark}${event}${textOf(fields)}`));
};

/** Whoever watches a terminal knows the day. */
function timeOfDay(): string {
  const time = new Date().toISOString();
  return stderr.isTerminal ? time.slice(11, 23) + "Z" : time;
}

function textOf(fields: LogFields): string {
  let text = "";
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const plain = String(value);
    text += ` ${name}=${/[\s"=]|^$/.test(plain) ? JSON.stringify(plain) : plain}`;
  }
  return text;
}

function escape(line: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what must not pass
  return line.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (character) => {
    return "\\u" + character.charCodeAt(0).toString(16).padStart(4, "0");
  });
}
