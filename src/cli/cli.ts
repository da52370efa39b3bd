/** The command line: finds the command, which is one file each, and runs it. */

import { complain } from "../deno/process.ts";
import { check } from "./check.ts";
import type { Command } from "./command.ts";
import { helpOn } from "./help.ts";
import { serve } from "./serve.ts";
import * as status from "./status.ts";
import { unit } from "./unit.ts";
import { version } from "./version.ts";

const commands: readonly Command[] = [serve, check, unit, version];
const help = helpOn(commands);

/** The exit status. Without a command, `serve` is meant. */
export async function run(args: readonly string[]): Promise<number> {
  // What people type out of habit, wherever it stands.
  if (args[0] === "help" || args.includes("--help") || args.includes("-h")) {
    return await help.run(new Set());
  }
  if (args[0] === "--version") return await version.run(new Set());
  const [name, ...options] = args.length === 0 || args[0].startsWith("-")
    ? ["serve", ...args]
    : args;
  const command = commands.find((command) => command.name === name);
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
