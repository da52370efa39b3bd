/**
 * What a command of the command line is, and what it takes. A command is an action, or a group
 * of actions: `serve`, `queue list`.
 */

import type { Kind } from "../settings/setting.ts";
import { FAILED } from "./status.ts";

/** `--json`: it is there or not. */
export interface Flag {
  readonly summary: string;
  readonly kind?: undefined;
}

/** `--limit 50` */
export interface Valued<T> {
  readonly summary: string;
  /** What the value is called in help: `N`. */
  readonly value: string;
  readonly kind: Kind<T>;
}

/** By their names, without the dashes. */
export type Options = Readonly<Record<string, Flag | Valued<unknown>>>;

/** What was chosen of them. */
export type Chosen<O extends Options> = {
  readonly [Name in keyof O]: O[Name] extends Valued<infer T> ? T | undefined
    : O[Name] extends Flag ? boolean
    : unknown;
};

/** Words that are no options: ids, a folder. */
export interface Operands {
  /** What one is called in help: `ID`. */
  readonly name: string;
  readonly least: number;
  readonly most: number;
}

export interface ActionOf<O extends Options> {
  readonly name: string;
  /** One line, for help. */
  readonly summary: string;
  /** What else is good to know, for help on this one. */
  readonly notes?: string;
  readonly options?: O;
  readonly operands?: Operands;
  /** The exit status. Throws a UsageError or a CommandError. */
  run(options: Chosen<O>, operands: readonly string[]): number | Promise<number>;
}

export type Action = ActionOf<Options>;

export interface Group {
  readonly name: string;
  readonly summary: string;
  readonly notes?: string;
  readonly actions: readonly Action[];
}

export type Command = Action | Group;

/** Finds out what `run` is given. */
export function action<O extends Options>(definition: ActionOf<O>): ActionOf<O> {
  return definition;
}

/** It was not called as it must be. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** It could not do what it should, and why, in one line. */
export class CommandError extends Error {
  override name = "CommandError";

  constructor(message: string, readonly status: number = FAILED) {
    super(message);
  }
}
