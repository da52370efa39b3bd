/**
 * The octets of a message as DATA carries them: a dot before each line that begins with one, and
 * CRLF.CRLF at the end (RFC 5321 §4.5.2).
 *
 * Promises: no CR and no LF leaves here alone; a content that has one is refused whole.
 */

import type { Content } from "./content.ts";

const CR = 13, LF = 10, DOT = 46;
const ONE_DOT = Uint8Array.of(DOT);
const END = new TextEncoder().encode(".\r\n");
const END_OF_LINE = new TextEncoder().encode("\r\n.\r\n");

export class BareNewlineError extends Error {
  override name = "BareNewlineError";
}

/** Pieces of the chunks, which are not copied, with dots between. */
export function transparent({ chunks }: Content): Uint8Array<ArrayBuffer>[] {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let before = LF, isLineStart = true;
  for (const chunk of chunks) {
    let from = 0;
    if (isLineStart && chunk[0] === DOT) pieces.push(ONE_DOT);
    for (let i = 0; i < chunk.length; i++) {
      const octet = chunk[i];
      // Most octets are neither.
      if (octet > CR) continue;
      if (octet === LF) {
        if ((i === 0 ? before : chunk[i - 1]) !== CR) throw bare("LF");
        if (chunk[i + 1] === DOT) {
          pieces.push(chunk.subarray(from, i + 1), ONE_DOT);
          from = i + 1;
        }
      } else if (octet === CR && i + 1 < chunk.length && chunk[i + 1] !== LF) throw bare("CR");
    }
    if (chunk.length === 0) continue;
    // A chunk may end between the two.
    if (before === CR && !isLineStart && chunk[0] !== LF) throw bare("CR");
    if (from < chunk.length) pieces.push(chunk.subarray(from));
    before = chunk[chunk.length - 1];
    isLineStart = before === LF;
  }
  if (before === CR) throw bare("CR");
  pieces.push(isLineStart ? END : END_OF_LINE);
  return pieces;
}

const bare = (which: string) => new BareNewlineError(`content has a bare ${which}`);

/** Whether there is an octet beyond ASCII, in all and in the header. */
export function beyondAscii({ chunks }: Content): { body: boolean; header: boolean } {
  let inHeader = true, header = false, body = false;
  let line = 0;
  for (const chunk of chunks) {
    for (let i = 0; i < chunk.length; i++) {
      const octet = chunk[i];
      if (octet > 127) {
        body = true;
        if (!inHeader) return { body, header };
        header = true;
        line++;
      } else if (inHeader) {
        // An empty line ends the header: CRLF right behind CRLF.
        if (octet === LF) {
          if (line === 0) inHeader = false;
          line = 0;
        } else if (octet !== CR) line++;
      }
    }
  }
  return { body, header };
}
