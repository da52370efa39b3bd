/** Looking for damage, from time to time. */

import assert from "node:assert/strict";
import { disk } from "../../src/deno/files.ts";
import { Reading } from "../../src/store/reading.ts";

Deno.test("a mark that cannot be taken is told of once, and again when it is another time", async () => {
  let trouble: string | undefined;
  const told: string[] = [];
  const reading = new Reading({
    folder: "/spool",
    files: {
      ...disk.files,
      look() {
        if (trouble !== undefined) throw new Error(trouble);
        return undefined;
      },
    },
    log: (_level, event) => told.push(event),
    startReader: () => {
      throw new Error("nothing is to be read");
    },
    caughtUp: () => Promise.resolve(),
    salvage: () => Promise.resolve(),
  });
  const troubles = [undefined, "input/output error", "input/output error", undefined];
  for (trouble of [...troubles, ...troubles]) await reading.tend();
  assert.deepEqual(told, ["damage not set aside", "damage not set aside"]);
});
