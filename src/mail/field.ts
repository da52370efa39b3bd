/** Fields of a header, written. */

const LINE = 78;
/** RFC 5322 §2.1.1 has 998 octets in a line; longer words are cut. */
const LONGEST_WORD = 900;
/** Each may be four octets (RFC 6532 §3.4). */
const LONGEST_BEYOND = 240;

const encoder = new TextEncoder();

// deno-lint-ignore no-control-regex -- control characters are what must not pass
const CONTROLS = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g;
const FIRST_PLAIN = 0x21, LAST_PLAIN = 0x7e;

/**
 * A field of these words, on as many lines as it takes (RFC 5322 §2.2.3): whatever they hold,
 * none of them ends it.
 */
export function folded(name: string, words: readonly string[]): string {
  let field = name;
  let line = name.length;
  const add = (word: string) => {
    const fits = line + 1 + word.length <= LINE;
    field += (fits ? " " : "\r\n ") + word;
    line = (fits ? line : 0) + 1 + word.length;
  };
  for (const word of words) {
    const sound = isPlain(word) ? word : word.replace(CONTROLS, "?");
    // Of no letters there are none: a line of white space would be an end.
    if (sound !== "" && sound.length <= LONGEST_BEYOND) add(sound);
    else for (const piece of piecesOf(sound)) add(piece);
  }
  return field + "\r\n";
}

/** What nearly all words are: quicker to see than that there is nothing to replace. */
function isPlain(word: string): boolean {
  for (let i = 0; i < word.length; i++) {
    const code = word.charCodeAt(i);
    if (code < FIRST_PLAIN || code > LAST_PLAIN) return false;
  }
  return true;
}

/** On one line, if a line can be so long. */
export function unfolded(name: string, text: string): string {
  if (encoder.encode(text).length > LONGEST_WORD) return folded(name, [text]);
  return `${name} ${text.replace(CONTROLS, "?")}\r\n`;
}

function piecesOf(word: string): string[] {
  // deno-lint-ignore no-control-regex -- what is ASCII
  const longest = /^[\x00-\x7f]*$/.test(word) ? LONGEST_WORD : LONGEST_BEYOND;
  return word.match(new RegExp(`[^]{1,${longest}}`, "gu")) ?? [];
}
