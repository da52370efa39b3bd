/** `dinopost check`: what the daemon would run with, and where each value comes from. */

import { engineVersion } from "../deno/database.ts";
import { print } from "../deno/process.ts";
import { configure } from "./configure.ts";
import type { Command } from "./command.ts";
import * as status from "./status.ts";

export const check: Command = {
  name: "check",
  summary: "shows every setting, its value and where it comes from; --dev: of development",
  options: ["--dev"],
  async run(options) {
    const loaded = configure({ dev: options.has("--dev") });
    if (loaded === undefined) return status.CONFIG;
    for (const [{ name, secret, later }, { text, origin }] of loaded.origins) {
      const shown = text === "" ? "" : secret ? "(not shown)" : text;
      const about = [...(origin === "default" ? [] : [origin]), ...(later ? ["not yet"] : [])];
      print(`${name}=${shown}${about.length === 0 ? "" : `  # ${about.join(", ")}`}`);
    }
    print(`# SQLite ${await engineVersion()}, in a worker of its own`);
    return status.OK;
  },
};
