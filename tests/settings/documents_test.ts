/** B3: the documents about settings say what the table says. */

import assert from "node:assert/strict";
import { loadConfig, table } from "../../src/config.ts";
import { exampleFile, settingsTable } from "../../src/settings/document.ts";
import { environmentOf } from "../fakes/environment.ts";

const read = (name: string) => Deno.readTextFileSync(new URL(`../../${name}`, import.meta.url));
const REMEDY = "run `deno task settings`";

Deno.test("B3 .env.example is what the table gives", () => {
  assert.equal(read(".env.example"), exampleFile(table), REMEDY);
});

Deno.test("B3 the table in the README is what the table gives", () => {
  assert.ok(read("README.md").includes(settingsTable(table)), REMEDY);
});

Deno.test("B3 every line of .env.example, taken in, is a setting with its default", () => {
  const standard = loadConfig(environmentOf({}), { dev: false }).config;
  const lines = exampleFile(table).split("\n").filter((line) => /^#SMTP_/.test(line));
  assert.equal(lines.length, Object.keys(table).length);
  for (const line of lines) {
    const name = /^#(SMTP_\w+)=/.exec(line)![1];
    const setting = Object.values(table).find((setting) => setting.name === name)!;
    if (setting.later) continue;
    const files = { ".env": line.slice(1) };
    assert.deepEqual(loadConfig(environmentOf({}, files), { dev: false }).config, standard, line);
  }
});
