/** Chance from the operating system. */

import type { Random } from "../ports.ts";

export const random: Random = {
  fill: (octets) => void crypto.getRandomValues(octets),
};
