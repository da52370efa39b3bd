/** Chance from the operating system. */

import type { Random } from "../ports.ts";

/** Of a large piece, small ones cost nearly nothing. */
const pool = new Uint8Array(4096);
let used = pool.length;

export const random: Random = {
  fill(octets) {
    if (octets.length > pool.length / 16) return void crypto.getRandomValues(octets);
    if (used + octets.length > pool.length) {
      crypto.getRandomValues(pool);
      used = 0;
    }
    octets.set(pool.subarray(used, used + octets.length));
    // Nobody finds in memory what somebody was given.
    pool.fill(0, used, used += octets.length);
  },
};
