/** `deno task compile`: what it refuses, and that nothing is left of what does not run. */

import assert from "node:assert/strict";
import { runToEnd } from "../fakes/daemon.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const SCRIPT = `${ROOT}scripts/compile.ts`;

async function compile(args: string[], settings: Record<string, string>) {
  const folder = await Deno.makeTempDir();
  try {
    for (const name of ["src", "systemd", "deno.json", "deno.lock", "tests"]) {
      await runToEnd(["cp", "-r", ROOT + name, folder]);
    }
    const command = [Deno.execPath(), "run", "--quiet", "--allow-all", SCRIPT, ...args];
    const ended = await runToEnd(command, settings, folder);
    const made = [...Deno.readDirSync(folder)].some(({ name }) => name === "dist")
      ? [...Deno.readDirSync(`${folder}/dist`)].map(({ name }) => name)
      : [];
    return { ...ended, made };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (
  const [what, base] of [
    ["a program that says nothing", "/bin/true"],
    ["a runtime that is no base", Deno.execPath()],
  ]
) {
  Deno.test(`compile: what is made on ${what} does not run, and is removed`, async () => {
    const { code, stderr, made } = await compile([], { DENORT_BIN: base });
    assert.equal(code, 1);
    assert.match(stderr, /^compile: the executable does not run, removed: version: /);
    assert.deepEqual(made, []);
  });
}

Deno.test("compile: paths that depend on where it is started are refused", async () => {
  for (const args of [["--read", "etc"], ["--write", "/var/spool,data"], ["--read"]]) {
    const { code, stderr } = await compile(args, {});
    assert.equal(code, 64);
    assert.match(stderr, /^compile: --(read|write) .*give absolute paths, parted by commas\n$/);
  }
});

Deno.test("compile: unknown options, and one base for every platform, are refused", async () => {
  const unknown = await compile(["--fast"], {});
  assert.equal(unknown.code, 64);
  assert.match(unknown.stderr, /unknown option "--fast": give --read, --write or --all/);
  const all = await compile(["--all"], { DENORT_BIN: "/bin/true" });
  assert.equal(all.code, 64);
  assert.match(all.stderr, /DENORT_BIN names one runtime base/);
});
