/** The unit: nothing wrong in it, and little that it may do. */

import assert from "node:assert/strict";
import { runToEnd } from "./fakes/daemon.ts";
import { testWith } from "./fakes/tools.ts";

const UNIT = new URL("../systemd/dinopost.service", import.meta.url).pathname;

testWith("systemd-analyze", "B30 the unit's exposure is below 2.0", async (analyze) => {
  const { stdout, stderr } = await runToEnd([
    analyze,
    "security",
    "--offline=true",
    "--no-pager",
    UNIT,
  ]);
  const [, exposure] = /exposure level for dinopost\.service: ([0-9.]+)/.exec(stdout) ?? [];
  assert.ok(Number(exposure) < 2, stdout + stderr);
});

testWith("systemd-analyze", "B30 the unit has no fault", async (analyze) => {
  // The executable and the user need not be there: stand-ins for both.
  const folder = await Deno.makeTempDir();
  const text = await Deno.readTextFile(UNIT);
  const path = `${folder}/dinopost.service`;
  await Deno.writeTextFile(
    path,
    text.replaceAll("/usr/local/bin/dinopost", "/bin/true").replaceAll(
      /^(User|Group)=.*/gm,
      "$1=root",
    ),
  );
  const { code, stdout, stderr } = await runToEnd([analyze, "verify", path]);
  await Deno.remove(folder, { recursive: true });
  assert.deepEqual([code, stdout, stderr], [0, "", ""]);
});
