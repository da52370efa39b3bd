/**
 * The words behind a command: options in any order, `--limit 50` or `--limit=50`, and what is
 * no option; behind `--` nothing is. Pure but for what the kinds of values ask for.
 */

import type { Environment } from "../ports.ts";
import { type Action, type Chosen, type Options, UsageError, type Valued } from "./command.ts";

export interface Arguments {
  readonly options: Chosen<Options>;
  readonly operands: readonly string[];
}

type Wanted = Pick<Action, "options" | "operands">;

/** Throws a UsageError. */
export function readArguments(
  words: readonly string[],
  wanted: Wanted,
  environment: Environment,
): Arguments {
  const known = new Map(Object.entries(wanted.options ?? {}));
  const chosen = new Map<string, unknown>();
  const operands: string[] = [];
  const left = [...words];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (word === "--") operands.push(...left.splice(0));
    else if (!isOption(word)) operands.push(word);
    else {
      const [, name, given] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? ["", "", undefined];
      const option = known.get(name);
      if (option === undefined) throw new UsageError(`unknown option ${JSON.stringify(word)}`);
      if (option.kind === undefined) {
        if (given !== undefined) throw new UsageError(`--${name} takes no value`);
        chosen.set(name, true);
      } else {
        if (chosen.has(name)) throw new UsageError(`--${name} is given twice`);
        chosen.set(name, valueOf(name, option, given ?? left.shift(), environment));
      }
    }
  }
  checkOperands(operands, wanted);
  const options: Record<string, unknown> = {};
  for (const [name, { kind }] of known) {
    options[name] = chosen.get(name) ?? (kind === undefined ? false : undefined);
  }
  return { options, operands };
}

function valueOf<T>(
  name: string,
  { kind }: Valued<T>,
  given: string | undefined,
  environment: Environment,
): T {
  if (given === undefined) throw new UsageError(`--${name}: give ${kind.accepted}`);
  const value = kind.read(given, environment);
  if (value !== undefined) return value;
  const shown = JSON.stringify(given);
  throw new UsageError(`--${name}: ${shown} is not accepted: give ${kind.accepted}`);
}

/** A dash alone is none: many programs mean a stream by it. */
const isOption = (word: string): boolean => word.startsWith("-") && word !== "-";

function checkOperands(given: readonly string[], { operands }: Wanted): void {
  if (operands === undefined) {
    if (given.length === 0) return;
    throw new UsageError(`${JSON.stringify(given[0])} is too much: it takes no argument`);
  }
  const { name, least, most } = operands;
  if (given.length < least) throw new UsageError(`${name} is missing`);
  if (given.length > most) throw new UsageError(`${JSON.stringify(given[most])} is too much`);
  // A variable of a script that was never set.
  if (given.includes("")) throw new UsageError(`${name} is empty`);
}

/** Whether help is asked for, wherever it stands. */
export function asksForHelp(words: readonly string[]): boolean {
  const end = words.indexOf("--");
  const before = end < 0 ? words : words.slice(0, end);
  return before.includes("--help") || before.includes("-h");
}
