/** The command line: finds the command, which is one file each, and runs it. */

import { complain } from "../deno/process.ts";
import { check } from "./check.ts";
import type { Command } from "./command.ts";
import { helpOn } from "./help.ts";
import { serve } from "./serve.ts";
import * as status from "./status.ts";
import { version } from "./version.ts";

const commands: readonly Command[] = [serve, check, version];
const all: readonly Command[] = [...commands, helpOn(commands)];

/** What people type out of habit. */
const ALIASES: Readonly<Record<string, string>> = {
  "--help": "help",
  "-h": "help",
  "--version": "version",
};

/** The exit status. Without a command, `serve` is meant. */
export async function run(args: readonly string[]): Promise<number> {
  const [first = "serve", ...rest] = args;
  const named = ALIASES[first] ?? first;
  const [name, options] = named.startsWith("-") ? ["serve", args] : [named, rest];
  const command = all.find((command) => command.name === name);
  if (command === undefined) {
    complain(`dinopost: unknown command ${JSON.stringify(name)}: see dinopost help`);
    return status.USAGE;
  }
  const unknown = options.find((option) => !command.options?.includes(option));
  if (unknown !== undefined) {
    complain(`dinopost ${name}: unknown option ${JSON.stringify(unknown)}: see dinopost help`);
    return status.USAGE;
  }
  return await command.run(new Set(options));
}
