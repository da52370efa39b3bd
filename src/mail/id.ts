/**
 * Names for messages: the time in milliseconds, then chance, in 20 letters and digits that
 * read well aloud (no i, l, o, u). They sort by time, to the millisecond, and fit in a file name.
 */

import type { Clock, Random } from "../ports.ts";

const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
const TIME_DIGITS = 10;
const CHANCE_DIGITS = 10;

export function newId(clock: Clock, random: Random): string {
  let time = clock.now();
  let id = "";
  for (let i = 0; i < TIME_DIGITS; i++) {
    id = DIGITS[time % 32] + id;
    time = Math.floor(time / 32);
  }
  const chance = new Uint8Array(CHANCE_DIGITS);
  random.fill(chance);
  for (const octet of chance) id += DIGITS[octet & 31];
  return id;
}
