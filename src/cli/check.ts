/** `dinopost check`: what the daemon would run with, and where each value comes from. */

import { engineVersion } from "../deno/database.ts";
import { print } from "../deno/process.ts";
import { configure } from "./configure.ts";
import { action } from "./command.ts";
import { dev } from "./options.ts";
import * as status from "./status.ts";

export const check = action({
  name: "check",
  summary: "shows every setting, its value and where it comes from; --dev: of development",
  options: { dev },
  run({ dev }) {
    const loaded = configure({ dev });
    if (loaded === undefined) return status.CONFIG;
    for (const [{ name, secret, later }, { text, origin }] of loaded.origins) {
      const shown = text === "" ? "" : secret ? "(not shown)" : text;
      const about = [...(origin === "default" ? [] : [origin]), ...(later ? ["not yet"] : [])];
      print(`${name}=${shown}${about.length === 0 ? "" : `  # ${about.join(", ")}`}`);
    }
    print(`# SQLite ${engineVersion()}`);
    return status.OK;
  },
});
