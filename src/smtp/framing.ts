/**
 * Command lines out of octets.
 *
 * Promises: a line ends with CRLF and nothing else; whatever arrives, no more than one line
 * of the allowed length is kept. A line that is too long is told at once, and once: the
 * client may be waiting for it; the rest of it is passed over.
 */

export type Line =
  | { readonly kind: "line"; readonly text: string }
  | { readonly kind: "overlong" }
  /** Only where bare newlines are refused. */
  | { readonly kind: "bare newline" };

const CR = 13, LF = 10;
const utf8 = new TextDecoder();

export class LineReader {
  /** What the last `take` has completed. */
  line: Line | undefined;

  readonly #bareNewline: "reject" | "normalize";
  #partial: Uint8Array<ArrayBuffer> | undefined;
  #length = 0;
  #passingOver = false;

  constructor(bareNewline: "reject" | "normalize") {
    this.#bareNewline = bareNewline;
  }

  /** Takes octets to the end of a line; `limit` counts the line with its CRLF. */
  take(bytes: Uint8Array, from: number, to: number, limit: number): number {
    this.line = undefined;
    const found = bytes.subarray(from, to).indexOf(LF);
    const end = found < 0 ? to : from + found + 1;
    if (this.#passingOver) {
      this.#passingOver = found < 0;
      return end;
    }
    if (this.#length + end - from > limit) {
      this.#passingOver = found < 0;
      this.#length = 0;
      this.line = { kind: "overlong" };
    } else if (found < 0 || this.#length > 0) {
      this.#partial ??= new Uint8Array(limit);
      if (this.#partial.length < limit) this.#partial = grown(this.#partial, limit);
      this.#partial.set(bytes.subarray(from, end), this.#length);
      this.#length += end - from;
      if (found >= 0) {
        this.line = this.#finish(this.#partial, 0, this.#length);
        this.#length = 0;
      }
    } else this.line = this.#finish(bytes, from, end);
    return end;
  }

  #finish(bytes: Uint8Array, from: number, end: number): Line {
    const strict = end - from >= 2 && bytes[end - 2] === CR;
    if (!strict && this.#bareNewline === "reject") return { kind: "bare newline" };
    return { kind: "line", text: decode(bytes, from, end - (strict ? 2 : 1)) };
  }
}

function grown(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}

/** Commands are short and mostly ASCII: quicker by hand than through a decoder. */
function decode(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let i = from; i < to; i++) {
    if (bytes[i] > 127) return utf8.decode(bytes.subarray(from, to));
    text += String.fromCharCode(bytes[i]);
  }
  return text;
}
