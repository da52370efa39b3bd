/** Characters that could not stand for themselves in a parameter or field, written. */

/** RFC 3461 §4. */
export function xtext(text: string): string {
  return text.replace(/[^!-*,-<>-~]/g, (c) => `+${hex(c.charCodeAt(0)).padStart(2, "0")}`);
}

/** RFC 6533 §3: as it is where UTF-8 may stand, else `\x{…}` for each character beyond ASCII. */
export function unitext(text: string, asItIs: boolean): string {
  return text.replace(
    /[\\+= ]|[^\x20-\x7e]/gu,
    (c) => asItIs && c > "\x7f" ? c : `\\x{${hex(c.codePointAt(0)!).padStart(2, "0")}}`,
  );
}

const hex = (number: number) => number.toString(16).toUpperCase();
