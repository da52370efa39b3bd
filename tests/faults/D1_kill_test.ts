/** D1, D9: SIGKILL at any moment under load; `deno task test:crash` does more of it. */

import assert from "node:assert/strict";
import { newSeed } from "../crash/chance.ts";
import { crash } from "../crash/crash.ts";

Deno.test("D1 what was acknowledged survives kills, and is sent again only if in flight", async () => {
  const { problems, figures } = await crash({ kills: 10, seed: newSeed(), powerEvery: 0 });
  assert.deepEqual(problems.slice(0, 20), [], figures);
});
