/** The unit: nothing wrong in it, and little that it may do. */

import assert from "node:assert/strict";
import { Client } from "./fakes/client.ts";
import { Daemon, runToEnd, SERVE_DEV } from "./fakes/daemon.ts";
import { find, testWith } from "./fakes/tools.ts";

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

/** The system calls of a set such as `@system-service`, the sets within it opened. */
async function callsOf(analyze: string, set: string): Promise<Set<string>> {
  if (!set.startsWith("@")) return new Set([set]);
  const { stdout } = await runToEnd([analyze, "syscall-filter", "--no-pager", set]);
  const inside = stdout.split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && line !== set && !line.startsWith("#"));
  const all = await Promise.all(inside.map((each) => callsOf(analyze, each)));
  return all.reduce((one, other) => one.union(other), new Set<string>());
}

async function allowed(analyze: string): Promise<Set<string>> {
  let calls = new Set<string>();
  for (const [, not, sets] of (await Deno.readTextFile(UNIT)).matchAll(FILTER)) {
    for (const set of sets.split(" ")) {
      const inside = await callsOf(analyze, set);
      calls = not === "" ? calls.union(inside) : calls.difference(inside);
    }
  }
  return calls;
}

const FILTER = /^SystemCallFilter=(~?)(.*)$/gm;

testWith(
  "systemd-analyze",
  "B30 the unit lets the daemon make every system call it makes",
  async (analyze) => {
    const strace = find("strace");
    if (strace === undefined) throw new Error("strace is not installed");
    const trace = await Deno.makeTempFile();
    try {
      await using daemon = await Daemon.start({
        under: [strace, "-f", "-qq", "-o", trace],
        command: SERVE_DEV,
      });
      using client = await Client.greeted(daemon.port);
      await client.ready();
      await client.ask("DATA");
      await client.ask("Subject: x\r\n\r\n.");
      await client.ask("QUIT");
      daemon.signalGroup("SIGTERM");
      await daemon.status;
      const made = (await Deno.readTextFile(trace)).matchAll(/^\d+ +([a-z0-9_]+)\(/gm);
      const refused = new Set([...made].map(([, call]) => call)).difference(await allowed(analyze));
      // SQLite's, and only when it is root's.
      refused.delete("fchown");
      assert.deepEqual([...refused], []);
    } finally {
      await Deno.remove(trace);
    }
  },
);
