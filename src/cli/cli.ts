/** The command line: finds the command, which is one file each, and runs it. */

import { environment } from "../deno/environment.ts";
import { complain } from "../deno/process.ts";
import { ReaderGone, ReportError } from "../deno/report.ts";
import { asksForHelp, readArguments } from "./arguments.ts";
import { backup } from "./backup.ts";
import { check } from "./check.ts";
import { type Action, type Command, CommandError, UsageError } from "./command.ts";
import { dkim } from "./dkim/dkim.ts";
import { hashPassword } from "./hash_password.ts";
import { helpOn } from "./help.ts";
import { messages } from "./messages/messages.ts";
import { queue } from "./queue/queue.ts";
import { serve } from "./serve.ts";
import * as status from "./status.ts";
import { unit } from "./unit.ts";
import { version } from "./version.ts";
import { plain } from "./words.ts";

const commands: readonly Command[] = [
  serve,
  check,
  queue,
  messages,
  backup,
  dkim,
  hashPassword,
  unit,
  version,
];
const help = helpOn(commands);
const all: readonly Command[] = [...commands, help];

/** The exit status. Without a command, `serve` is meant. */
export async function run(args: readonly string[]): Promise<number> {
  if (args[0] === "--version") return await runAction(version, []);
  const isBare = args.length === 0 || args[0].startsWith("-");
  // What people type out of habit, wherever it stands.
  if (asksForHelp(args)) {
    return await runAction(help, isBare || args[0] === help.name ? [] : meantBy(args));
  }
  const [name, ...words] = isBare ? [serve.name, ...args] : args;
  const command = all.find((command) => command.name === name);
  if (command === undefined) return misused([], [], `unknown command ${JSON.stringify(name)}`);
  if (!("actions" in command)) return await runAction(command, words);
  const action = command.actions.find(({ name }) => name === words[0]);
  if (action !== undefined) return await runAction(action, words.slice(1), [name]);
  const problem = words.length === 0
    ? `say what to do: ${command.actions.map(({ name }) => name).join(", ")}`
    : `unknown command ${JSON.stringify(words[0])}`;
  return misused([name], [name], problem);
}

/** The words that name a command, without those that it is given. */
function meantBy(args: readonly string[]): readonly string[] {
  const command = all.find(({ name }) => name === args[0]);
  const isGroup = command !== undefined && "actions" in command;
  return args.slice(0, isGroup && !args[1].startsWith("-") ? 2 : 1);
}

/** `group`: what it is one of. */
async function runAction(
  action: Action,
  words: readonly string[],
  group: readonly string[] = [],
): Promise<number> {
  const path = [...group, action.name];
  try {
    const { options, operands } = readArguments(words, action, environment);
    return await action.run(options, operands);
  } catch (error) {
    if (error instanceof UsageError) return misused(path, group, error.message);
    if (error instanceof CommandError) return failed(path, error.message, error.status);
    if (error instanceof ReportError) {
      return failed(path, `standard output: ${error.message}`, status.FAILED);
    }
    if (error instanceof ReaderGone) return status.OK;
    throw error;
  }
}

function misused(path: readonly string[], page: readonly string[], problem: string): number {
  return failed(path, `${problem}: see ${["dinopost help", ...page].join(" ")}`, status.USAGE);
}

function failed(path: readonly string[], problem: string, code: number): number {
  complain(plain(`${["dinopost", ...path].join(" ")}: ${problem}`));
  return code;
}
