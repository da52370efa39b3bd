/** Writes `.env.example` and the README's table of settings from the table of `config.ts`. */

import { table } from "../src/config.ts";
import { exampleFile, settingsTable } from "../src/settings/document.ts";

Deno.writeTextFileSync(".env.example", exampleFile(table));
const readme = Deno.readTextFileSync("README.md");
const pattern = /(<!-- settings -->\n)[^]*?(\n<!-- end of settings -->)/;
if (!pattern.test(readme)) throw new Error("write table: README.md: no marks of the settings");
Deno.writeTextFileSync(
  "README.md",
  readme.replace(pattern, (_, a, b) => a + settingsTable(table) + b),
);
