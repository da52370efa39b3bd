/** What is in the store, in words for people. Pure. */

/**
 * Control characters, such as turn the direction of text, and such as nobody sees, become
 * `\u001b`: addresses, subjects and replies come from outside, a terminal would obey them, and
 * one address would look like another. In JSON they mean the same as before.
 */
export function plain(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => character.split("").map(escaped).join(""),
  );
}

/** Of a character beyond U+FFFF each half, as JSON has it. */
const escaped = (unit: string) => "\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0");

export function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

const SPANS: readonly (readonly [number, string])[] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1_000, "s"],
];

/** `12m`, the largest unit only. */
export function span(milliseconds: number): string {
  for (const [length, unit] of SPANS) {
    if (milliseconds >= length) return `${Math.floor(milliseconds / length)}${unit}`;
  }
  return "0s";
}

const UNITS = ["B", "KiB", "MiB", "GiB"];

export function size(octets: number): string {
  let power = 0;
  while (octets >= 1024 && power < UNITS.length - 1) {
    octets /= 1024;
    power++;
  }
  return `${power === 0 ? octets : octets.toFixed(1)} ${UNITS[power]}`;
}

export const instant = (time: number): string => new Date(time).toISOString();
