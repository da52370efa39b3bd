/** Text in the columns of a terminal. Pure. */

/** East Asian wide and fullwidth (Unicode, Annex 11) and emoji; a flag is two letters of one each. */
const WIDE = new RegExp(
  "[[\\p{Emoji_Presentation}--\\p{Regional_Indicator}]" +
    "\\u1100-\\u115f\\u2329\\u232a\\u2e80-\\u303e\\u3041-\\ua4cf\\ua960-\\ua97c\\uac00-\\ud7a3" +
    "\\uf900-\\ufaff\\ufe10-\\ufe19\\ufe30-\\ufe6f\\uff01-\\uff60\\uffe0-\\uffe6" +
    "\\u{16fe0}-\\u{1b2ff}\\u{1f200}-\\u{1f265}\\u{20000}-\\u{3fffd}]",
  "v",
);
/** Marks, and the parts of a Hangul syllable behind its first: they share its columns. */
const COMBINING = /[\p{Mn}\p{Me}\u1160-\u11ff\ud7b0-\ud7ff]/u;
const PLAIN = /^[ -~]*$/;

function columnsOf(character: string): number {
  if (PLAIN.test(character)) return 1;
  return COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}

export function width(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += columnsOf(character);
  return columns;
}

/** No wider than the terminal, if it is one. */
export function cut(line: string, columns: number | undefined): string {
  if (columns === undefined || width(line) <= columns) return line;
  let used = 0, end = 0;
  for (const character of line) {
    used += columnsOf(character);
    // The last one is for what tells that there is more.
    if (used > columns - 1) break;
    end += character.length;
  }
  return line.slice(0, end) + "…";
}

export function padded(text: string, columns: number): string {
  return text + " ".repeat(Math.max(columns - width(text), 0));
}
