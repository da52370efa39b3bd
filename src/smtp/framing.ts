/**
 * Command lines out of octets.
 *
 * Promises: a line ends with CRLF and nothing else; whatever arrives, no more than one line
 * of the allowed length is kept. A line that is too long is told at once, and once: the
 * client may be waiting for it; the rest of it is passed over.
 */

import { asciiText, nextLineFeed } from "./octets.ts";

export type Line =
  | { readonly kind: "line"; readonly text: string }
  | { readonly kind: "overlong"; readonly limit: number }
  /** Only where bare newlines are refused. */
  | { readonly kind: "bare newline" };

/** Octets of a command line, its CRLF among them (RFC 5321 §4.5.3.1.4 asks for 512). */
export const LINE_LIMIT = 2048;
/** A response of AUTH may be this long, its command among it (RFC 4954 §4). */
export const AUTH_LINE_LIMIT = 12_288;

const CR = 13;
/** A byte order mark is a character like others: no verb begins with it. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

export class LineReader {
  /** What the last `take` has completed. */
  line: Line | undefined;

  readonly #bareNewline: "reject" | "normalize";
  #partial = new Uint8Array(0);
  #length = 0;
  #passingOver = false;

  constructor(bareNewline: "reject" | "normalize") {
    this.#bareNewline = bareNewline;
  }

  /** Takes octets to the end of a line, which may be so long; the index behind the last one taken. */
  take(bytes: Uint8Array, from: number, most = LINE_LIMIT): number {
    this.line = undefined;
    const found = nextLineFeed(bytes, from);
    const end = found < 0 ? bytes.length : found + 1;
    if (this.#passingOver) {
      this.#passingOver = found < 0;
      return end;
    }
    const length = this.#length + end - from;
    const limit = length > most ? Math.max(most, this.#limit(bytes, from)) : most;
    if (length > limit) {
      this.#passingOver = found < 0;
      this.#length = 0;
      this.line = { kind: "overlong", limit };
    } else if (found < 0 || this.#length > 0) {
      this.#keep(bytes, from, end, length);
      if (found >= 0) {
        this.line = this.#finish(this.#partial, 0, length);
        this.#length = 0;
      }
    } else this.line = this.#finish(bytes, from, end);
    return end;
  }

  /** Longer lines are for AUTH, and known by their first octets. */
  #limit(bytes: Uint8Array, from: number): number {
    const start = decode(this.#partial, 0, Math.min(this.#length, 5)) +
      decode(bytes, from, Math.min(from + 5, bytes.length));
    return /^AUTH /i.test(start) ? AUTH_LINE_LIMIT : LINE_LIMIT;
  }

  #keep(bytes: Uint8Array, from: number, end: number, length: number): void {
    if (length > this.#partial.length) {
      const larger = new Uint8Array(length <= LINE_LIMIT ? LINE_LIMIT : AUTH_LINE_LIMIT);
      larger.set(this.#partial.subarray(0, this.#length));
      this.#partial = larger;
    }
    this.#partial.set(bytes.subarray(from, end), this.#length);
    this.#length = length;
  }

  #finish(bytes: Uint8Array, from: number, end: number): Line {
    const strict = end - from >= 2 && bytes[end - 2] === CR;
    if (!strict && this.#bareNewline === "reject") return { kind: "bare newline" };
    return { kind: "line", text: decode(bytes, from, end - (strict ? 2 : 1)) };
  }
}

/** Commands are short and mostly ASCII: quicker by hand than through a decoder. */
function decode(bytes: Uint8Array, from: number, to: number): string {
  return asciiText(bytes, from, to) ?? utf8.decode(bytes.subarray(from, to));
}
