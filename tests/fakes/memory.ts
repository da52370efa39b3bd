/** How much more memory is in use, on the heap and beside it, once `work` has run. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** `work` returns what must stay in memory while it is measured. */
export function heapGrowth(work: () => unknown): number {
  collect();
  const before = inUse();
  const kept = work();
  collect();
  const growth = inUse() - before;
  return kept === growth ? NaN : growth;
}

function inUse(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}
