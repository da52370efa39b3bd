/** The rules of the house notice what breaks them. */

import assert from "node:assert/strict";
import { runToEnd } from "../fakes/daemon.ts";

const SCRIPT = new URL("../../scripts/rules.ts", import.meta.url).pathname;

const BROKEN: [file: string, text: string, problem: RegExp][] = [
  ["src/smtp/a.ts", 'import { x } from "../mail/x.ts";\n', /smtp must not import mail/],
  ["src/smtp/a.ts", 'import x from "library";\n', /smtp\/ imports nothing, but here library/],
  [
    "src/inbound/a.ts",
    'import type {\n  X,\n} from "../store/x.ts";\n',
    /inbound must not import store/,
  ],
  ["src/inbound/a.ts", 'const x = await import("../deno/x.ts");\n', /inbound must not import deno/],
  ["src/relay.ts", 'import fs from "node:fs";\n', /only src\/deno\/ imports node:fs/],
  ["src/store/a.ts", "Deno.exit(1);\n", /only src\/deno\/ touches the runtime/],
  ["src/deno/a.ts", "Deno.env.get();\n", /the environment is read for config\.ts only/],
  ["src/mail/a.ts", "// see RFC5321\n", /cite as "RFC 5321 §4\.5\.2", not "RFC5321"/],
  ["src/mail/a.ts", "// see RFC 5321 section 4\n", /cite the section as/],
  ["src/mail/a.ts", "//\n".repeat(301), /301 lines, more than 300/],
  ["src/new/a.ts", 'import { x } from "../mail/x.ts";\n', /part new has no rule here/],
];

for (const [file, text, problem] of BROKEN) {
  Deno.test(`rules: ${problem.source}`, async () => {
    const folder = await Deno.makeTempDir();
    await Deno.mkdir(`${folder}/${file.slice(0, file.lastIndexOf("/"))}`, { recursive: true });
    await Deno.writeTextFile(`${folder}/${file}`, text);
    const { code, stderr } = await runToEnd(
      [Deno.execPath(), "run", "--quiet", "--no-config", "--allow-read=.", SCRIPT],
      {},
      folder,
    );
    await Deno.remove(folder, { recursive: true });
    assert.equal(code, 1);
    assert.match(stderr, problem);
    assert.ok(stderr.startsWith(`${file}:`), stderr);
  });
}
