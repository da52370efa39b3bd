/** A content in its parts: the octets of its header, its fields, and its body. */

import type { Content } from "../smtp/content.ts";
import { nextLineFeed } from "../smtp/octets.ts";

/** A longer name is none that matters here. */
const LONGEST_NAME = 64;

const utf8 = new TextDecoder();

const CR = 13, LF = 10, COLON = 58;
export const isWhite = (octet: number) => octet === 32 || octet === 9;
const isGap = (octet: number) => isWhite(octet) || octet === CR || octet === LF;

export interface Parts {
  readonly fields: readonly Field[];
  readonly body: readonly Uint8Array[];
}

/** A content is looked at by several, one after the other. */
const known = new WeakMap<Content, Parts>();

export function partsOf(content: Content): Parts {
  let parts = known.get(content);
  if (parts === undefined) {
    const { header, body } = parted(content);
    parts = { fields: [...fieldsOf(header)], body };
    known.set(content, parts);
  }
  return parts;
}

/** The octets before the empty line, and those behind it. */
function parted({ chunks }: Content): { header: Uint8Array; body: Uint8Array[] } {
  const before: Uint8Array[] = [];
  let line = 0, first = 0;
  for (const [i, chunk] of chunks.entries()) {
    for (let at = 0; at < chunk.length;) {
      if (line === 0) first = chunk[at];
      const end = lineEnd(chunk, at);
      line += end - at;
      at = end;
      if (chunk[end - 1] !== LF) continue;
      if (line === 1 || (line === 2 && first === CR)) {
        const header = joined([...before, chunk.subarray(0, end)]);
        return {
          header: header.subarray(0, -line),
          body: [chunk.subarray(end), ...chunks.slice(i + 1)],
        };
      }
      line = 0;
    }
    before.push(chunk);
  }
  return { header: joined(before), body: [] };
}

export interface Field {
  /** In lower case. */
  readonly name: string;
  readonly octets: Uint8Array;
  /** Where the value begins. */
  readonly value: number;
}

/** Those of a header, without lines that are none, and names too long to matter here. */
function* fieldsOf(header: Uint8Array): Generator<Field, void> {
  for (let at = 0; at < header.length;) {
    const from = at;
    do at = lineEnd(header, at); while (isWhite(header[at]));
    const end = nameEnd(header, from);
    // RFC 5322 §4.5: of old, white space could stand before the colon.
    let colon = end;
    while (colon < at && isGap(header[colon])) colon++;
    if (header[colon] !== COLON || colon >= at || end - from > LONGEST_NAME) continue;
    const name = String.fromCharCode(...header.subarray(from, end)).toLowerCase();
    yield { name, octets: header.subarray(from, at), value: colon + 1 - from };
  }
}

/** Whether a field begins there (RFC 5322 §2.2), or of old (§4.5). */
export function isField(octets: Uint8Array, at: number): boolean {
  let colon = nameEnd(octets, at);
  if (colon === at) return false;
  while (isWhite(octets[colon])) colon++;
  return octets[colon] === COLON;
}

/** Behind the printable ASCII that a name is made of. */
function nameEnd(octets: Uint8Array, at: number): number {
  while (octets[at] > 32 && octets[at] < 127 && octets[at] !== COLON) at++;
  return at;
}

export const valueOf = ({ octets, value }: Field) => utf8.decode(octets.subarray(value));

/** Behind the line that begins there. */
export function lineEnd(octets: Uint8Array, from: number): number {
  const found = nextLineFeed(octets, from);
  return found < 0 ? octets.length : found + 1;
}

export function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
