/**
 * Takes each defence out of a copy of the source, and sees that its tests fail.
 *
 *     deno task mutants          every one
 *     deno task mutants P1 R6    those of these rows
 *
 * A mutant that survives means a test that cannot fail, or a defence that nothing needs.
 */

import { mutants } from "./list.ts";
import type { Mutant } from "./mutant.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const COPIED = ["src", "tests", "deno.json", "deno.lock", "README.md", ".env.example"];

/** For the tests of one file. */
const SECONDS = 40;

const rows = Deno.args;
const chosen = mutants.filter(({ row }) => rows.length === 0 || rows.includes(row));

// A test that fails anyhow would kill every mutant.
const healthy = { file: "README.md", find: "# Dinopost\n", put: "# Dinopost\n" };
const tests = [...new Set(chosen.flatMap(({ tests }) => tests))];
if (!await survives({ ...healthy, tests })) {
  console.error(`the tests fail as it is: deno test --allow-all ${tests.join(" ")}`);
  Deno.exit(1);
}

let survivors = 0;
for (const mutant of chosen) {
  const survived = await survives(mutant);
  console.log(`${survived ? "SURVIVED" : "killed  "}  ${mutant.row.padEnd(4)} ${mutant.what}`);
  if (survived) survivors++;
}
console.log(`${chosen.length - survivors} of ${chosen.length} mutants were killed`);
if (survivors > 0 || chosen.length === 0) Deno.exit(1);

async function survives(
  { file, find, put, tests }: Omit<Mutant, "row" | "what">,
): Promise<boolean> {
  const copy = await Deno.makeTempDir();
  try {
    for (const name of COPIED) await run("cp", ["-r", `${ROOT}${name}`, copy], ROOT, SECONDS);
    const path = `${copy}/${file}`;
    const text = await Deno.readTextFile(path);
    const [before, after, ...more] = text.split(find);
    if (after === undefined || more.length > 0) {
      throw new Error(
        `mutate ${file}: found ${more.length} times more than once, or never: ${find}`,
      );
    }
    await Deno.writeTextFile(path, before + put + after);
    const args = ["test", "--quiet", "--no-check", "--fail-fast", "--allow-all", ...tests];
    return await run(Deno.execPath(), args, copy, SECONDS * tests.length);
  } finally {
    await endAllIn(copy);
    await Deno.remove(copy, { recursive: true });
  }
}

/** A mutant may hang its tests: that is a failure too. */
async function run(
  program: string,
  args: string[],
  cwd: string,
  seconds: number,
): Promise<boolean> {
  const command = new Deno.Command("timeout", {
    args: ["--kill-after=1", String(seconds), program, ...args],
    cwd,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  });
  return (await command.output()).success;
}

/** Daemons that a broken test has left: those that run in the copy. */
async function endAllIn(folder: string): Promise<void> {
  if (Deno.build.os !== "linux") return;
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    try {
      const cwd = await Deno.readLink(`/proc/${name}/cwd`);
      if (cwd === folder || cwd.startsWith(`${folder}/`)) Deno.kill(Number(name), "SIGKILL");
    } catch {
      // It has ended, or is somebody else's.
    }
  }
}
