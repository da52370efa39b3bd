/**
 * Names for messages: the time in milliseconds, then chance, in 20 letters and digits that
 * read well aloud (no i, l, o, u). They sort by time, to the millisecond, and fit in a file name.
 */

const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
const TIME_DIGITS = 10;
/** How many octets of chance an id wants. */
export const CHANCE = 10;

/** `now` in milliseconds since 1970. */
export function newId(now: number, chance: Uint8Array): string {
  let time = now;
  let id = "";
  for (let i = 0; i < TIME_DIGITS; i++) {
    id = DIGITS[time % 32] + id;
    time = Math.floor(time / 32);
  }
  for (const octet of chance.subarray(0, CHANCE)) id += DIGITS[octet & 31];
  return id;
}

/** When it was made, in milliseconds since 1970. */
export function timeOf(id: string): number {
  let time = 0;
  for (const digit of id.slice(0, TIME_DIGITS)) time = time * 32 + DIGITS.indexOf(digit);
  return time;
}
