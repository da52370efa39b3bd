/** `dinopost help` */

import { print } from "../deno/process.ts";
import type { Command } from "./command.ts";
import * as status from "./status.ts";

/** Tells of the given commands, and of itself. */
export function helpOn(others: readonly Command[]): Command {
  const help: Command = {
    name: "help",
    summary: "prints this",
    run() {
      const rows = [...others, help].map(({ name, options = [], summary }) => {
        const usage = [name, ...options.map((option) => `[${option}]`)].join(" ");
        return `  ${usage.padEnd(16)} ${summary}`;
      });
      print(["usage: dinopost [command]", "", ...rows, "", SETTINGS].join("\n"));
      return status.OK;
    },
  };
  return help;
}

const SETTINGS = "Settings come from the environment and from .env; `dinopost check` shows them.";
