/**
 * Events as lines on standard error: time, level, event, fields.
 *
 * Promises: an event is one line whatever its fields hold; a standard error that is full or
 * closed never stops the daemon.
 */

import type { Log, LogFields } from "../ports.ts";

const encoder = new TextEncoder();

export const log: Log = (level, event, fields = {}) => {
  if (level === "debug") return;
  const mark = level === "info" ? "" : `${level}: `;
  const time = new Date().toISOString().slice(11, 23);
  writeLine(`${time} ${mark}${event}${textOf(fields)}`);
};

function textOf(fields: LogFields): string {
  let text = "";
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) {
      text += ` ${name}=${/[\s"=]|^$/.test(`${value}`) ? JSON.stringify(value) : value}`;
    }
  }
  return text;
}

function writeLine(line: string): void {
  // deno-lint-ignore no-control-regex -- control characters are what must not pass
  const safe = line.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, escaped);
  try {
    let octets = encoder.encode(safe + "\n");
    while (octets.length > 0) octets = octets.subarray(Deno.stderr.writeSync(octets));
  } catch {
    // Nobody reads it any more; mail flows on.
  }
}

function escaped(character: string): string {
  return "\\u" + character.charCodeAt(0).toString(16).padStart(4, "0");
}
