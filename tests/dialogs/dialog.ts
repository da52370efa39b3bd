/**
 * Reads the dialogues of this folder: what a client sends and what it must be told, as text.
 *
 *     # a comment
 *     set maxRecipients 2        a rule other than the usual
 *     together                   octets of a group must arrive together: it is never cut
 *     S: 220 localhost …         a line the server says; <id> stands for a message's id
 *     C: HELO example.com        a line the client says; lines that follow each other are one write
 *     C> EHLO x\n                the same, with escapes and no CRLF added
 *     X                          the server closes
 */

import assert from "node:assert/strict";
import type { Client } from "../fakes/client.ts";
import { initialRules } from "../fakes/rules.ts";
import type { Rules } from "../../src/smtp/state.ts";

export interface Turn {
  readonly send: Uint8Array<ArrayBuffer>;
  readonly expect: readonly string[];
}

export interface Dialog {
  readonly name: string;
  readonly rules: Rules;
  readonly together: boolean;
  readonly turns: readonly Turn[];
  readonly closes: boolean;
}

export function readDialogs(): Dialog[] {
  const folder = new URL(".", import.meta.url);
  const names = [...Deno.readDirSync(folder)].map((entry) => entry.name)
    .filter((name) => name.endsWith(".txt")).sort();
  return names.map((name) =>
    parseDialog(name.slice(0, -4), Deno.readTextFileSync(new URL(name, folder)))
  );
}

export function parseDialog(name: string, text: string): Dialog {
  const rules: Record<string, unknown> = { ...initialRules };
  const turns: { send: string; expect: string[] }[] = [{ send: "", expect: [] }];
  let together = false;
  let closes = false;
  for (const [number, line] of text.split("\n").entries()) {
    const body = line.slice(3);
    if (line === "" || line.startsWith("#")) continue;
    else if (closes) throw new Error(`${name}:${number + 1}: nothing follows X`);
    else if (line === "together") together = true;
    else if (line === "X") closes = true;
    else if (line.startsWith("S: ")) turns.at(-1)!.expect.push(body);
    else if (line.startsWith("C: ") || line.startsWith("C> ") || line === "C:") {
      if (turns.at(-1)!.expect.length > 0) turns.push({ send: "", expect: [] });
      turns.at(-1)!.send += line[1] === ">" ? unescape(body) : body + "\r\n";
    } else if (line.startsWith("set ")) {
      const [, rule, value] = line.split(" ");
      rules[rule] = rule === "senderDomains"
        ? new Set(value.split(","))
        : /^\d+$/.test(value)
        ? Number(value)
        : value;
    } else throw new Error(`${name}:${number + 1}: no line of a dialogue: ${line}`);
  }
  return {
    name,
    rules: rules as unknown as Rules,
    together,
    closes,
    turns: turns.map(({ send, expect }) => ({ send: octets(send), expect })),
  };
}

/** A character above U+00FF as UTF-8; `\xNN` as just that octet. */
function octets(text: string): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0)!;
    if (point >= 0xf700 && point <= 0xf7ff) bytes.push(point - 0xf700);
    else bytes.push(...new TextEncoder().encode(character));
  }
  return new Uint8Array(bytes);
}

function unescape(text: string): string {
  return text.replace(/\\(?:x(..)|\*(\d+)(.)|(.))/g, (_, hex, times, repeated, plain) => {
    if (hex !== undefined) return String.fromCodePoint(0xf700 + parseInt(hex, 16));
    if (times !== undefined) return repeated.repeat(Number(times));
    return ({ r: "\r", n: "\n", t: "\t" } as Record<string, string>)[plain] ?? plain;
  });
}

/** The lines the server said, with the ids it gave named alike. */
export function heard(text: string): string[] {
  if (text === "") return [];
  return text.replace(/\r\n$/, "").split("\r\n")
    .map((line) => line.replace(/(accepted for delivery) [0-9a-z]+$/, "$1 <id>"));
}

/** Holds a dialogue over a connection, word for word. */
export async function hold({ turns, closes }: Dialog, client: Client): Promise<void> {
  for (const { send, expect } of turns) {
    await client.send(send);
    let said = "";
    while (heard(said).length < expect.length || !said.endsWith("\r\n")) {
      const more = await client.some();
      if (more === "") break;
      said += more;
    }
    assert.deepEqual(heard(said), expect);
  }
  if (closes) assert.equal(await client.rest(), "");
  else assert.match(await client.ask("NOOP"), /^250/);
}
