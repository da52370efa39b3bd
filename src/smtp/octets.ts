/**
 * Texts and lines in octets. They are mostly short, and quicker made and found by hand than by
 * the runtime, which has to be called for each.
 */

const LF = 10;
/** Most lines have fewer octets. */
const SHORT = 128;

/** The octets as text; `undefined` where they are not all ASCII. */
export function asciiText(octets: Uint8Array, from: number, to: number): string | undefined {
  let text = "";
  let i = from;
  // Eight at once: to join a piece to a text costs as much as to make it.
  for (; i + 8 <= to; i += 8) {
    const a = octets[i], b = octets[i + 1], c = octets[i + 2], d = octets[i + 3];
    const e = octets[i + 4], f = octets[i + 5], g = octets[i + 6], h = octets[i + 7];
    if ((a | b | c | d | e | f | g | h) > 127) return undefined;
    text += String.fromCharCode(a, b, c, d, e, f, g, h);
  }
  for (; i < to; i++) {
    if (octets[i] > 127) return undefined;
    text += String.fromCharCode(octets[i]);
  }
  return text;
}

/** Writes a text into octets that have room for it; `undefined` where it is not all ASCII. */
export function writeAscii(text: string, octets: Uint8Array): number | undefined {
  const { length } = text;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return undefined;
    octets[i] = code;
  }
  return length;
}

/** Where the next line feed is; -1: there is none. */
export function nextLineFeed(octets: Uint8Array, from: number): number {
  const near = Math.min(from + SHORT, octets.length);
  for (let i = from; i < near; i++) if (octets[i] === LF) return i;
  return octets.indexOf(LF, near);
}
