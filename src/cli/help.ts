/** `dinopost help`: the commands, or how one of them is used. */

import { print } from "../deno/process.ts";
import {
  type Action,
  action,
  type ActionOf,
  type Command,
  type Group,
  type Operands,
  type Options,
  UsageError,
} from "./command.ts";
import * as status from "./status.ts";

const SETTINGS = "Settings come from the environment and from .env; `dinopost check` shows them.";

/** Tells of the given commands, and of itself. */
export function helpOn(others: readonly Command[]): ActionOf<Options> {
  const help: Action = action({
    name: "help",
    summary: "prints this, or how a command is used",
    operands: { name: "COMMAND", least: 0, most: 2 },
    run(_, words) {
      print(words.length === 0 ? overview([...others, help]) : pageOf([...others, help], words));
      return status.OK;
    },
  });
  return help;
}

function overview(commands: readonly Command[]): string {
  const rows = commands.map((command) => [usageOf(command), command.summary] as const);
  return ["usage: dinopost [command]", "", ...table(rows), "", SETTINGS].join("\n");
}

function pageOf(commands: readonly Command[], [name, part]: readonly string[]): string {
  const command = named(commands, name);
  if (part === undefined) return pageOn(command);
  const found = "actions" in command ? named(command.actions, part) : undefined;
  if (found === undefined) throw new UsageError(`${JSON.stringify(part)} is too much`);
  return pageOn(found, `${name} `);
}

function named<C extends Command>(commands: readonly C[], name: string): C {
  const found = commands.find((command) => command.name === name);
  if (found === undefined) throw new UsageError(`unknown command ${JSON.stringify(name)}`);
  return found;
}

/** How a command is used; `before`: of which group it is. */
function pageOn(command: Command, before = ""): string {
  const parts = "actions" in command
    ? [
      ...command.actions.map(({ name }) => usage(command, name)),
      "",
      ...table(command.actions.map((each) => [each.name, each.summary])),
      ...optionsOf(command.actions),
    ]
    : [`  dinopost ${before}${usageOf(command)}`, "", command.summary, ...optionsOf([command])];
  const notes = command.notes === undefined ? [] : ["", command.notes];
  return ["usage:", ...parts, ...notes].join("\n");
}

const usage = ({ name, actions }: Group, part: string): string =>
  `  dinopost ${name} ${usageOf(named(actions, part))}`;

/** The options of all of them, each once. */
function optionsOf(actions: readonly Action[]): string[] {
  const rows = new Map<string, string>();
  for (const { options = {} } of actions) {
    for (const [name, option] of Object.entries(options)) {
      rows.set(spelt(name, option), option.summary);
    }
  }
  return rows.size === 0 ? [] : ["", ...table([...rows])];
}

function usageOf(command: Command): string {
  if ("actions" in command) return command.name;
  const { name, options = {}, operands } = command;
  const each = Object.entries(options).map(([name, option]) => ` [${spelt(name, option)}]`);
  return `${name}${each.join("")}${operands === undefined ? "" : ` ${shown(operands)}`}`;
}

const spelt = (name: string, option: Options[string]): string =>
  option.kind !== undefined ? `--${name} ${option.value}` : `--${name}`;

function shown({ name, least, most }: Operands): string {
  const several = most === Infinity ? `${name}…` : name;
  return least === 0 ? `[${several}]` : several;
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(14, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
