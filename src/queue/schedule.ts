/** When to try again. Pure: the time and the chance are passed in. */

const MINUTE = 60_000;
const LONGEST = 64 * MINUTE;
/** So that what failed together does not come back together. */
const JITTER = 0.25;

/** After so many attempts, in milliseconds; `chance` from 0 to 1. */
export function retryDelay(attempts: number, chance: number): number {
  const delay = Math.min(MINUTE * 2 ** (attempts - 1), LONGEST);
  return Math.floor(delay * (1 + JITTER * chance));
}
