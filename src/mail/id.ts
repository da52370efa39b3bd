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
  let id = timeText(now);
  for (let i = 0; i < CHANCE; i++) id += DIGITS[chance[i] & 31];
  return id;
}

let lastTime = NaN;
let lastText = "";

/** Many are of the same millisecond. */
function timeText(now: number): string {
  if (now === lastTime) return lastText;
  let time = now;
  let text = "";
  for (let i = 0; i < TIME_DIGITS; i++) {
    text = DIGITS[time % 32] + text;
    time = Math.floor(time / 32);
  }
  lastTime = now;
  return lastText = text;
}

/** When it was made, in milliseconds since 1970. */
export function timeOf(id: string): number {
  let time = 0;
  for (const digit of id.slice(0, TIME_DIGITS)) time = time * 32 + DIGITS.indexOf(digit);
  return time;
}
