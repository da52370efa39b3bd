/**
 * Lines that are put into a message: in front of it, and where its text begins.
 *
 * Promises: the octets around them are shared, not copied.
 */

import type { Content } from "../smtp/content.ts";
import { writeAscii } from "../smtp/octets.ts";

const utf8Octets = new TextEncoder();
const EMPTY_LINE = utf8Octets.encode("\r\n");

/** Puts lines, each with its CRLF, in front; the last may go on with what is there. */
export function prepend(content: Content, header: string): Content {
  if (header === "") return content;
  const plain = new Uint8Array(header.length);
  const octets = writeAscii(header, plain) === undefined ? utf8Octets.encode(header) : plain;
  return { chunks: [octets, ...content.chunks], size: octets.length + content.size };
}

/** Puts an empty line before the octet at which the text begins; none: there is one already. */
export function withHeaderEnded(content: Content, textAt: number | undefined): Content {
  if (textAt === undefined) return content;
  let chunk = 0, at = textAt;
  while (at >= content.chunks[chunk].length) at -= content.chunks[chunk++].length;
  const cut = content.chunks[chunk];
  const chunks = content.chunks.toSpliced(
    chunk,
    1,
    ...(at === 0 ? [] : [cut.subarray(0, at)]),
    EMPTY_LINE,
    cut.subarray(at),
  );
  return { chunks, size: content.size + EMPTY_LINE.length };
}
