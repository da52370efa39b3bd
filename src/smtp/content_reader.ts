/**
 * Gathers the content of one message out of the octets of DATA (RFC 5321 §4.5.2) or BDAT
 * (RFC 3030), exactly as they came but for the transparency dots.
 *
 * Promises: only CRLF.CRLF ends DATA; the same octets give the same result however they
 * are cut; the memory is bounded by the size limit.
 *
 * On failure nothing more is kept, and reading goes on to the true end, so that the
 * dialogue stays in step. One failure is final at once: a dot alone on a line that bare CR
 * or LF begins or ends. The client may believe that the message ended there; whatever
 * follows could be a smuggler's mail, or the client waits for a reply that would never come.
 */

import type { Budget } from "./budget.ts";
import { type Content, ContentBuilder } from "./content.ts";

export interface ContentLimits {
  readonly maxSize: number;
  readonly bareNewline: "reject" | "normalize";
  readonly memory?: Budget;
}

export type Defect =
  | "too large"
  | "header too large"
  | "bare newline"
  | "ambiguous end"
  /** All that there is for messages is taken. */
  | "no memory";

/** Of several, the first of these is told: which is seen first depends on how the octets are cut. */
const ORDER: readonly Defect[] = [
  "ambiguous end",
  "bare newline",
  "too large",
  "header too large",
  "no memory",
];

export const MAX_HEADER_LINES = 2000;
export const MAX_HEADER_OCTETS = 256 * 1024;

const CR = 13, LF = 10, DOT = 46, SPACE = 32;
const CRLF = new Uint8Array([CR, LF]);

/** Fewer octets are looked at one by one. */
const LEAST_FOR_WORDS = 512;
const NO_WORDS = new Int32Array(0);

/** The same octets by four, where they lie so in memory. */
function wordsOf({ buffer, byteOffset, length }: Uint8Array): Int32Array {
  return length < LEAST_FOR_WORDS || byteOffset % 4 !== 0
    ? NO_WORDS
    : new Int32Array(buffer, byteOffset, length >> 2);
}

/** The index of the next octet up to CR, LF among them. Most octets are text: four at a time. */
function endOfText(bytes: Uint8Array, words: Int32Array, from: number, to: number): number {
  let i = from;
  if (words.length > 0) {
    while ((i & 3) !== 0 && i < to && bytes[i] > CR) i++;
    if ((i & 3) === 0) {
      let word = i >> 2;
      const last = to >> 2;
      // Whether an octet of the four is less than 14: then its highest bit is set here.
      while (word < last && ((words[word] - 0x0e0e0e0e) & ~words[word] & 0x80808080) === 0) word++;
      i = word << 2;
    }
  }
  while (i < to && bytes[i] > CR) i++;
  return i;
}

/** Where in a line the next octet falls. */
const LINE_START = 0, TEXT = 1, BEHIND_CR = 2, BEHIND_DOT = 3, BEHIND_DOT_CR = 4;

export class ContentReader {
  /** The end of DATA was seen. */
  ended = false;
  /** What of the common memory it has taken. */
  held = 0;

  readonly #limits: ContentLimits;
  readonly #dots: boolean;
  readonly #content = new ContentBuilder();
  readonly #defects = new Set<Defect>();
  /** Octets taken over, or that would have been. */
  #octets = 0;
  #at = LINE_START;
  /** What ended the line before this one; the first line counts as following a CRLF. */
  #after: "CRLF" | "CR" | "LF" = "CRLF";
  #inHeader = true;
  #headerLines = 0;
  #headerOctets = 0;
  /** Octets of the current line that earlier calls took; counted in the header only. */
  #lineOctets = 0;
  /** The octets that are looked at are ours to keep. */
  #given = false;

  /** `transparency`: the content is that of DATA, with dots doubled at the start of lines. */
  constructor(limits: ContentLimits, { transparency }: { transparency: boolean }) {
    this.#limits = limits;
    this.#dots = transparency;
  }

  get defect(): Defect | undefined {
    if (this.#defects.size === 0) return undefined;
    return ORDER.find((defect) => this.#defects.has(defect));
  }

  /** Takes octets until the content or they end; the index behind the last one taken. */
  take(
    bytes: Uint8Array<ArrayBuffer>,
    from = 0,
    to = bytes.length,
    given = false,
  ): number {
    this.#given = given;
    let kept = from; // Up to here the octets are taken over, or are not to be.
    let line = from; // Where the current line begins in these octets.
    let i = from;
    let at = this.#at;
    const words = wordsOf(bytes);
    while (i < to) {
      if (at === TEXT) {
        i = endOfText(bytes, words, i, to);
        if (i === to) break;
        const c = bytes[i++];
        if (c === CR) {
          if (i === to || bytes[i] !== LF) {
            at = BEHIND_CR;
            continue;
          }
          i++;
          this.#after = "CRLF";
        } else if (c === LF) {
          this.#keep(bytes, kept, i - 1);
          this.#bareNewline();
          this.#keep(CRLF, 0, 2);
          kept = i;
          this.#after = "LF";
        } else continue;
        if (this.#inHeader) this.#endHeaderLine(i - line);
        line = i;
        at = LINE_START;
      } else if (at === LINE_START) {
        if (bytes[i] === DOT && this.#dots) {
          // Behind a bare CR no line begins, and so no dot was doubled.
          if (this.#after !== "CR") {
            this.#keep(bytes, kept, i);
            kept = i + 1;
          }
          i++;
          at = BEHIND_DOT;
        } else at = TEXT;
      } else if (at === BEHIND_CR) {
        if (bytes[i] === LF) {
          i++;
          this.#after = "CRLF";
          if (this.#inHeader) this.#endHeaderLine(i - line);
          line = i;
        } else {
          this.#keep(bytes, kept, i);
          kept = i;
          this.#bareNewline();
          this.#content.replaceLast(SPACE);
          this.#after = "CR";
        }
        at = LINE_START;
      } else if (at === BEHIND_DOT) {
        if (bytes[i] === CR) {
          i++;
          at = BEHIND_DOT_CR;
        } else if (bytes[i] === LF) return this.#ambiguousEnd(i + 1);
        else at = TEXT;
      } else {
        if (bytes[i] !== LF || this.#after !== "CRLF") return this.#ambiguousEnd(i + 1);
        this.#at = LINE_START;
        this.ended = true;
        return i + 1;
      }
    }
    this.#at = at;
    if (this.#inHeader) this.#countHeader(i - line);
    // The CR behind a lone dot ends the content, or spoils it: it never belongs to it.
    this.#keep(bytes, kept, at === BEHIND_DOT_CR ? Math.max(i - 1, kept) : i);
    return i;
  }

  /** The content, where it has no defect. BDAT may end in the middle of a line. */
  finish(): Content {
    if (this.#at === BEHIND_CR) {
      this.#bareNewline();
      this.#content.replaceLast(SPACE);
    }
    const whole = this.#dots || this.#content.size === 0 ||
      (this.#at === LINE_START && this.#after !== "CR");
    // Ours, and so not counted against the limit.
    if (!whole) this.#content.append(CRLF, 0, 2);
    return this.#content.finish();
  }

  #keep(bytes: Uint8Array<ArrayBuffer>, from: number, to: number): void {
    if (from >= to) return;
    this.#octets += to - from;
    if (this.#octets > this.#limits.maxSize) this.#spoil("too large");
    else if (this.#defects.size > 0) return;
    else if (this.#take(to - from)) this.#content.append(bytes, from, to, this.#given);
    else this.#spoil("no memory");
  }

  #take(octets: number): boolean {
    const { memory } = this.#limits;
    if (memory === undefined) return true;
    if (!memory.take(octets)) return false;
    this.held += octets;
    return true;
  }

  /** The content is to be no more; whoever keeps it gives back what it `held`. */
  drop(): void {
    this.#content.clear();
    this.#limits.memory?.give(this.held);
    this.held = 0;
  }

  #spoil(defect: Defect): void {
    if (this.#defects.size === 0) this.drop();
    this.#defects.add(defect);
  }

  #bareNewline(): void {
    if (this.#limits.bareNewline === "reject") this.#spoil("bare newline");
  }

  #ambiguousEnd(end: number): number {
    this.#spoil("ambiguous end");
    this.ended = true;
    return end;
  }

  /** A line is complete whose last `octets`, its newline among them, came in this call. */
  #endHeaderLine(octets: number): void {
    const length = this.#lineOctets + octets;
    this.#countHeader(octets);
    this.#headerLines++;
    this.#lineOctets = 0;
    if (length <= (this.#after === "CRLF" ? 2 : 1)) this.#inHeader = false;
    else if (this.#headerLines > MAX_HEADER_LINES) this.#spoil("header too large");
  }

  #countHeader(octets: number): void {
    this.#lineOctets += octets;
    this.#headerOctets += octets;
    if (this.#headerOctets > MAX_HEADER_OCTETS) this.#spoil("header too large");
  }
}
