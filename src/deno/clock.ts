/** The clocks of this machine. */

import type { Clock } from "../ports.ts";

export const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  timer(delay, call) {
    const id = setTimeout(call, delay);
    return () => clearTimeout(id);
  },
};
