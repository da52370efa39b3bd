/**
 * What the relay must know of a message's header, found in one pass over it.
 *
 * Promises: the same content gives the same result however its chunks are cut; time grows with
 * the header and no faster, and what is decoded of one field is bounded; texts hold no control
 * character.
 *
 * Nothing here fails: at a line that is no field the text begins, and a coded word that cannot
 * be decoded is left as it stands.
 */

import type { Content } from "../smtp/content.ts";
import { MAX_HEADER_OCTETS } from "../smtp/content_reader.ts";
import { asciiText } from "../smtp/octets.ts";
import { isField, isWhite, joined, lineEnd } from "./parts.ts";

export interface Examined {
  /** How many servers the message has passed (RFC 5321 §6.3). */
  readonly hops: number;
  readonly hasMessageId: boolean;
  readonly hasDate: boolean;
  /** The first line is that of an mbox, before the header. */
  readonly hasMailboxLine: boolean;
  /** Where the text begins, if no empty line is before it. */
  readonly textAt?: number;
  /** Decoded, for people. */
  readonly subject: string;
  /** What a search looks in, in lower case. */
  readonly keys: string;
}

const MOST_SUBJECT = 500;
const MOST_KEYS = 2000;
/** The Message-ID comes last among the keys: so much of it stays, whatever the others take. */
const MOST_ID = 300;
/** Octets of a field that are looked at: 500 characters fit in, each in a word of its own. */
const MOST_RAW = 16 * 1024;
/** Each costs an exception, and a message may hold thousands: behind these, words stay coded. */
const MOST_UNDECODABLE = 16;

const LF = 10, CR = 13, SPACE = 32, COLON = 58;

type Name = "received" | "message-id" | "date" | "subject" | "from" | "to" | "cc";
const NAMES: readonly Name[] = ["received", "message-id", "date", "subject", "from", "to", "cc"];
const BY_FIRST_LETTER: readonly (Name | undefined)[] = Array.from(
  { length: 256 },
  (_, octet) => NAMES.find((name) => name.charCodeAt(0) === octet),
);

export function examine(content: Content): Examined {
  const header = headerOf(content);
  const patience = { left: MOST_UNDECODABLE };
  let hops = 0, hasDate = false, hasMessageId = false;
  let subject: string | undefined;
  let textAt: number | undefined;
  let from = "", to = "", cc = "", id = "";
  const hasMailboxLine = beginsMailbox(header);
  for (let at = hasMailboxLine ? lineEnd(header, 0) : 0; at < header.length;) {
    const name = nameAt(header, at);
    if (name === undefined && !isField(header, at)) {
      textAt = at;
      break;
    }
    const line = at;
    do at = lineEnd(header, at); while (isWhite(header[at]));
    if (name === undefined) continue;
    if (name === "received") hops++;
    else if (name === "date") hasDate = true;
    else {
      if (name === "message-id") hasMessageId = true;
      const value = rawText(header, header.indexOf(COLON, line) + 1, at, patience);
      // Each stands once at most (RFC 5322 §3.6). Mail programs show the first subject of
      // several; a search looks in all addresses.
      if (name === "subject") subject ??= value;
      else if (name === "from") from = both(from, value);
      else if (name === "to") to = both(to, value);
      else if (name === "cc") cc = both(cc, value);
      else id = both(id, value);
    }
  }
  const shown = readable(subject ?? "", MOST_SUBJECT, patience);
  let keys = shown;
  for (const raw of [from, to, cc]) keys = lines(keys, readable(raw, MOST_KEYS, patience));
  const lastKey = cut(readable(id, MOST_ID, patience).toLowerCase(), MOST_ID);
  keys = lines(cut(keys.toLowerCase(), MOST_KEYS - lastKey.length - 1), lastKey);
  return { hops, hasMessageId, hasDate, hasMailboxLine, textAt, subject: shown, keys };
}

/** RFC 5322 §3.3, in UTC. */
export function mailDate(time: number): string {
  // Many are of the same second.
  const second = Math.floor(time / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastDate = new Date(time).toUTCString().replace("GMT", "+0000");
  }
  return lastDate;
}

let lastSecond = NaN;
let lastDate = "";

/** The octets before the first empty line, in one piece. */
export function headerOf({ chunks }: Content): Uint8Array {
  let octets: Uint8Array = chunks.length > 0 ? chunks[0] : new Uint8Array(0);
  let end = headerEnd(octets);
  for (let next = 1; end < 0 && next < chunks.length && octets.length < MAX_HEADER_OCTETS;) {
    // It is searched anew each time, and so must double each time.
    const pieces: Uint8Array[] = [octets];
    const enough = Math.max(2 * octets.length, 1);
    let size = octets.length;
    while (next < chunks.length && size < enough) {
      const piece = chunks[next++].subarray(0, MAX_HEADER_OCTETS);
      pieces.push(piece);
      size += piece.length;
    }
    octets = joined(pieces);
    end = headerEnd(octets);
  }
  return octets.subarray(0, end < 0 ? MAX_HEADER_OCTETS : end);
}

/** Where the empty line is; -1: not among these octets. */
function headerEnd(octets: Uint8Array): number {
  for (let at = 0; at < octets.length && at < MAX_HEADER_OCTETS;) {
    if (octets[at] === LF || (octets[at] === CR && octets[at + 1] === LF)) return at;
    at = lineEnd(octets, at);
  }
  return -1;
}

/** RFC 4155: `From alice@example.com Mon Feb  5 10:00:00 2024`, and then the message. */
function beginsMailbox(header: Uint8Array): boolean {
  return header[4] === SPACE && asciiText(header, 0, 4) === "From" && !isField(header, 0) &&
    isField(header, lineEnd(header, 0));
}

/** The name of the field that begins here, where it is one that matters. */
function nameAt(octets: Uint8Array, at: number): Name | undefined {
  const name = BY_FIRST_LETTER[octets[at] | 0x20];
  if (name === undefined) return undefined;
  for (let i = 1; i < name.length; i++) {
    const octet = octets[at + i], wanted = name.charCodeAt(i);
    if (octet !== wanted && (octet | 0x20) !== wanted) return undefined;
  }
  // RFC 5322 §4.5: of old, white space could stand before the colon. A loop must not hide
  // behind it.
  let behind = at + name.length;
  while (isWhite(octets[behind])) behind++;
  return octets[behind] === COLON ? name : undefined;
}

const utf8 = new TextDecoder("utf-8");
const utf8Only = new TextDecoder("utf-8", { fatal: true });
const latin1 = new TextDecoder("latin1");

/** RFC 6532 has UTF-8 in headers; other octets are taken for the oldest habit. */
function rawText(octets: Uint8Array, from: number, to: number, patience: Patience): string {
  let end = Math.min(to, from + MOST_RAW);
  // Where it is cut, no character may be.
  while (end < to && (octets[end] & 0xc0) === 0x80 && from + MOST_RAW - end < 4) end--;
  const plain = asciiText(octets, from, end);
  if (plain !== undefined) return plain;
  const value = octets.subarray(from, end);
  const text = utf8.decode(value);
  if (!text.includes("\ufffd")) return text;
  return attempt(() => utf8Only.decode(value), patience) ?? latin1.decode(value);
}

function both(before: string, value: string): string {
  return before === "" ? value : before.length < MOST_RAW ? `${before},${value}` : before;
}

const lines = (a: string, b: string) => a === "" || b === "" ? a + b : `${a}\n${b}`;

// deno-lint-ignore no-control-regex -- control characters are what must not pass
const CONTROLS = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g;
/** What most fields are, which need nothing else. No word of RFC 2047 is without a `?`. */
const PLAIN = /^[ ->@-~]*(?:\r\n)?$/;

/** Unfolded (RFC 5322 §2.2.3), decoded, and fit to be shown on one line. */
function readable(raw: string, most: number, patience: Patience): string {
  if (PLAIN.test(raw)) return cut(raw.trim(), most);
  const unfolded = raw.replaceAll("\r\n", "");
  const text = unfolded.includes("=?") ? withWordsDecoded(unfolded, patience) : unfolded;
  return cut(text.replace(CONTROLS, " ").trim(), most);
}

/** No more than so many characters, and none of them a half. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  return text.slice(0, (text.charCodeAt(most - 1) & 0xfc00) === 0xd800 ? most - 1 : most);
}

/** How many more attempts may fail, of all for a message. */
interface Patience {
  left: number;
}

/** RFC 2047 §2: `=?charset?encoding?text?=`. */
interface Word {
  readonly from: number;
  readonly to: number;
  readonly charset: string;
  /** No longer coded, each as the character of its number. */
  readonly octets: string;
}

function withWordsDecoded(text: string, patience: Patience): string {
  const words = wordsIn(text, patience);
  let out = "", done = 0, afterWord = false;
  const put = (from: number, to: number, decoded: string | undefined) => {
    // RFC 2047 §6.2: the white space between two coded words is not part of the text.
    if (!(afterWord && decoded !== undefined && isGap(text, done, from))) {
      out += text.slice(done, from);
    }
    out += decoded ?? text.slice(from, to);
    done = to;
    afterWord = decoded !== undefined;
  };
  for (let i = 0; i < words.length;) {
    // RFC 2047 §5 has whole characters in each word; many programs cut them in two, so words
    // of one charset are decoded together where they can be.
    const first = i++;
    const { from, charset } = words[first];
    while (words[i]?.charset === charset && isGap(text, words[i - 1].to, words[i].from)) i++;
    const run = words.slice(first, i);
    const whole = decode(charset, run.map((word) => word.octets).join(""), patience);
    if (whole !== undefined) {
      put(from, words[i - 1].to, whole);
      continue;
    }
    const maySucceed = run.length > 1 && decoders.has(charset);
    for (const word of run) {
      put(word.from, word.to, maySucceed ? decode(charset, word.octets, patience) : undefined);
    }
  }
  return out + text.slice(done);
}

function isGap(text: string, from: number, to: number): boolean {
  while (from < to && isWhite(text.charCodeAt(from))) from++;
  return from === to;
}

function wordsIn(text: string, patience: Patience): Word[] {
  const words: Word[] = [];
  for (let at = text.indexOf("=?"); at >= 0;) {
    const word = wordAt(text, at, patience);
    if (word !== undefined) words.push(word);
    at = text.indexOf("=?", word?.to ?? at + 2);
  }
  return words;
}

function wordAt(text: string, from: number, patience: Patience): Word | undefined {
  const encoding = text.indexOf("?", from + 2) + 1;
  const end = text.indexOf("?", encoding + 2);
  if (encoding === 0 || end < 0 || text[encoding + 1] !== "?" || text[end + 1] !== "=") {
    return undefined;
  }
  // RFC 2231 §5: a language may stand behind the charset.
  const [charset] = text.slice(from + 2, encoding - 1).toLowerCase().split("*", 1);
  const octets = uncoded(text[encoding], text.slice(encoding + 2, end), patience);
  return octets && /^[!-~]+$/.test(charset) ? { from, to: end + 2, charset, octets } : undefined;
}

function uncoded(encoding: string, text: string, patience: Patience): string | undefined {
  if (encoding === "B" || encoding === "b") return attempt(() => atob(text), patience);
  if (!/^[Qq]$/.test(encoding) || !/^(?:[ -<>-~]|=[0-9A-Fa-f]{2})*$/.test(text)) return undefined;
  return text.replaceAll("_", " ")
    .replace(/=(..)/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

/** As many as charsets have names: what is none is not kept. */
const decoders = new Map<string, TextDecoder>();

function decode(charset: string, octets: string, patience: Patience): string | undefined {
  return attempt(() => {
    let decoder = decoders.get(charset);
    if (decoder === undefined) {
      decoder = new TextDecoder(charset, { fatal: true });
      decoders.set(charset, decoder);
    }
    const plain = new Uint8Array(octets.length);
    for (let i = 0; i < plain.length; i++) plain[i] = octets.charCodeAt(i);
    return decoder.decode(plain);
  }, patience);
}

function attempt(work: () => string, patience: Patience): string | undefined {
  if (patience.left === 0) return undefined;
  try {
    return work();
  } catch {
    patience.left--;
    return undefined;
  }
}
