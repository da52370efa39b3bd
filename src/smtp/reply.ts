/**
 * Replies as values (RFC 5321 §4.2), each with a name and its enhanced code (RFC 3463).
 *
 * Promises: what `format` gives is well-formed whatever text went in (control characters
 * become spaces, a line keeps to 512 octets), and `parse` reads what `format` writes.
 */

export interface Reply {
  readonly code: number;
  /** `5.1.3`; absent from the greeting and from the reply to HELO and EHLO (RFC 2034 §4). */
  readonly enhanced?: string;
  readonly lines: readonly string[];
}

export function reply(code: number, enhanced: string | undefined, ...lines: string[]): Reply {
  return { code, enhanced, lines };
}

/** Whether the command it answers has succeeded (2yz), or may go on (3yz). */
export function isPositive(reply: Reply): boolean {
  return reply.code < 400;
}

/** Whether it can end a command: what programs that embed the server give may be anything. */
export function isFinal(reply: unknown): reply is Reply {
  if (typeof reply !== "object" || reply === null) return false;
  const { code, enhanced, lines } = reply as Partial<Reply>;
  return Number.isInteger(code) && /^[245]/.test(String(code)) && String(code).length === 3 &&
    (enhanced === undefined || typeof enhanced === "string") &&
    Array.isArray(lines) && lines.every((line) => typeof line === "string");
}

/** RFC 5321 §4.5.3.1.5: a reply line has at most 512 octets, its code and CRLF among them. */
const MAX_LINE = 512;

/** The octets on the wire, as text: every line with its code and CRLF. */
export function format({ code, enhanced, lines }: Reply): string {
  const prefix = enhanced === undefined ? "" : enhanced + " ";
  const last = lines.length - 1;
  let wire = "";
  const room = MAX_LINE - "250 ".length - prefix.length - "\r\n".length;
  for (let i = 0; i < last; i++) wire += `${code}-${prefix}${clean(lines[i], room)}\r\n`;
  return `${wire}${code} ${prefix}${clean(lines[last] ?? "", room)}\r\n`;
}

function clean(text: string, room: number): string {
  // deno-lint-ignore no-control-regex -- control characters are what must not pass
  const safe = /[\x00-\x1f\x7f]/.test(text) ? text.replace(/[\x00-\x1f\x7f]/g, " ") : text;
  // A character takes three octets at most.
  return safe.length > room / 3 ? cut(safe, room) : safe;
}

/** Shortens to the octets that fit, never in the middle of a character. */
function cut(text: string, room: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(room));
  return read < text.length ? text.slice(0, read) : text;
}

/**
 * Reads one whole reply. The lines must agree on the code; an enhanced code counts only
 * when its class is that of the code (RFC 2034 §4).
 */
export function parse(wire: string): Reply | undefined {
  const lines = wire.split("\r\n");
  if (lines.pop() !== "" || lines.length === 0) return undefined;
  const code = lines[0].slice(0, 3);
  if (!/^[2-5][0-9]{2}$/.test(code)) return undefined;
  let enhanced: string | undefined;
  const texts: string[] = [];
  for (const [i, line] of lines.entries()) {
    const separator = line.charAt(3);
    const isLast = i === lines.length - 1;
    if (line.slice(0, 3) !== code || !(isLast ? /^ ?$/ : /^-$/).test(separator)) {
      return undefined;
    }
    const text = line.slice(4);
    const found = /^([245])\.[0-9]{1,3}\.[0-9]{1,3}(?= |$)/.exec(text);
    if (found !== null && found[1] === code[0]) {
      enhanced ??= found[0];
      texts.push(text.slice(found[0].length + 1));
    } else texts.push(text);
  }
  return { code: Number(code), enhanced, lines: texts };
}
