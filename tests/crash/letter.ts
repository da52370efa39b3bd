/** Messages that know what they must be like: each has a key, and a checksum of its body. */

import { createHash } from "node:crypto";
import { LARGE } from "../../src/store/layout.ts";
import type { Chance } from "./chance.ts";

export interface Letter {
  readonly key: string;
  readonly recipients: readonly string[];
  readonly octets: Uint8Array<ArrayBuffer>;
  /** Of the body. */
  readonly sum: string;
}

const LARGEST = 600 * 1024;
const LINE = 78;
const DOMAINS = ["one.example", "two.example", "three.example", "four.example"];

/** Lines of which bodies are cut. */
const SUPPLY = supply();

export function letterOf(key: string, chance: Chance, size = sizeOf(chance)): Letter {
  const recipients = Array.from(
    { length: chance.between(1, 5) },
    (_, i) => `r${i}.${chance.between(0, 99)}@${chance.one(DOMAINS)}`,
  );
  const lines = Math.ceil(size / LINE);
  const from = chance.between(0, SUPPLY.length / LINE - lines);
  // What would end it, were dots not doubled on the way (RFC 5321 §4.5.2).
  const own = new TextEncoder().encode(`This is ${key}.\r\n.\r\n..\r\n`);
  const body = joined(own, SUPPLY.subarray(from * LINE, (from + lines) * LINE));
  const sum = sumOf(body);
  const header = new TextEncoder().encode(
    `From: <sender@local.example>\r\nSubject: ${key}\r\nX-Key: ${key}\r\nX-Sum: ${sum}\r\n\r\n`,
  );
  return { key, recipients, octets: joined(header, body), sum };
}

/** Most are small, some fill many pages of the database, some lie in files. */
function sizeOf(chance: Chance): number {
  const kind = chance.next();
  if (kind < 0.75) return chance.between(100, 8 * 1024);
  if (kind < 0.9) return chance.between(8 * 1024, LARGE - 1024);
  return chance.between(LARGE, LARGEST);
}

export interface Examined {
  /** None: it has no header of ours. */
  readonly key: string | undefined;
  readonly sum: string;
  /** Whether its body is what its header says. */
  readonly whole: boolean;
}

export function examine(octets: Uint8Array): Examined {
  const header = new TextDecoder("latin1").decode(octets.subarray(0, 4096));
  const end = header.indexOf("\r\n\r\n");
  const key = /^X-Key: (.*)\r$/m.exec(header.slice(0, end))?.[1];
  const said = /^X-Sum: (.*)\r$/m.exec(header.slice(0, end + 1))?.[1];
  const sum = sumOf(octets.subarray(end + 4));
  return { key, sum, whole: end >= 0 && key !== undefined && said === sum };
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function sumOf(octets: Uint8Array): string {
  return createHash("sha256").update(octets).digest("hex");
}

/** Whole lines, some of which begin with a dot. */
function supply(): Uint8Array {
  const octets = new Uint8Array(LINE * 2 * Math.ceil(LARGEST / LINE));
  for (let i = 0; i < octets.length; i++) octets[i] = 33 + (Math.imul(i, 2654435761) >>> 13) % 90;
  for (let i = 0; i < octets.length; i += LINE) {
    octets[i] = (i / LINE % 16 === 0 ? "." : "x").charCodeAt(0);
    octets.set([13, 10], i + LINE - 2);
  }
  return octets;
}
