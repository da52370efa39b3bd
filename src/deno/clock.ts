/** The clocks of this machine. */

import type { Clock } from "../ports.ts";

/** The runtime fires a timer of 2^31 ms or more at once; 24 days are as good as for ever. */
const LONGEST = 2 ** 31 - 1;

export const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  timer(delay, call) {
    const id = setTimeout(call, Math.min(delay, LONGEST));
    return () => clearTimeout(id);
  },
};
