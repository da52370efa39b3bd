/**
 * What a setting is, and how one gets its value: from the environment, from the file that
 * its `<NAME>_FILE` names, from the settings file, from the defaults of development, from
 * its own default; in this order.
 *
 * Promises: every problem is found, not just the first; no secret is in any text made here.
 */

import type { Environment } from "../ports.ts";

/** A way to read a value, and the words for what can be read so. */
export interface Kind<T> {
  /** For errors and documents: `a port from 0 to 65535`. */
  readonly accepted: string;
  /** In a file it is written line by line. */
  readonly byLine?: boolean;
  /** `undefined` for what cannot be read. */
  read(text: string, environment: Environment): T | undefined;
  /** Why it could not be read, where that is not in the text itself. */
  why?(text: string, environment: Environment): string;
}

export interface Setting<T> {
  readonly name: string;
  readonly kind: Kind<T>;
  readonly meaning: string;
  /** As one would write it; empty: unset. */
  readonly standard: string;
  /** Where the default is found out at start, or wants other words. */
  readonly standardShown?: string;
  readonly find?: (environment: Environment) => string | undefined;
  /** The default of `dinopost serve --dev`. */
  readonly dev?: string;
  /** May come from the file named by `<NAME>_FILE`, and is never shown. */
  readonly secret?: boolean;
  /** Read again on SIGHUP. */
  readonly reread?: boolean;
  /** Not served by this version. */
  readonly later?: boolean;
}

type Row<T> = Omit<Setting<T>, "name" | "kind" | "meaning" | "standard">;

/** A setting that always has a value. */
export function has<T>(
  name: string,
  kind: Setting<T>["kind"],
  standard: string,
  meaning: string,
  row: Row<T> = {},
): Setting<T> & { readonly always: true } {
  return { name, kind, standard, meaning, always: true, ...row };
}

/** A setting that may be unset. */
export function may<T>(
  name: string,
  kind: Setting<T>["kind"],
  meaning: string,
  row: Row<T> = {},
): Setting<T> & { readonly always: false } {
  return { name, kind, standard: "", meaning, always: false, ...row };
}

/** Where a value came from, as `dinopost check` shows it. */
export type Origin = { readonly text: string; readonly origin: string };

export interface Reading<T> {
  readonly value: T | undefined;
  readonly origin: Origin;
  readonly problem?: string;
}

export interface Sources {
  readonly environment: Environment;
  /** The lines of the settings file. */
  readonly file: Readonly<Record<string, string>>;
  readonly fileName: string;
  readonly dev: boolean;
}

export function readSetting<T>(setting: Setting<T>, sources: Sources): Reading<T> {
  const found = lookUp(setting, sources);
  if ("problem" in found) return { value: undefined, ...found };
  const { origin, given } = found;
  if (origin.text === "") return { value: undefined, origin };
  const value = setting.kind.read(origin.text, sources.environment);
  if (value === undefined) {
    return {
      value,
      origin,
      problem: `${setting.name}: ${problemOf(setting, origin.text, sources)}`,
    };
  }
  if (setting.later && given) {
    return { value, origin, problem: `${setting.name}: not yet in this version: leave it unset` };
  }
  return { value, origin };
}

function problemOf<T>(
  { kind, secret }: Setting<T>,
  text: string,
  { environment }: Sources,
): string {
  const shown = secret ? "the value" : JSON.stringify(text);
  return kind.why === undefined
    ? `${shown} is not accepted: give ${kind.accepted}`
    : `cannot read ${shown}: ${kind.why(text, environment)}: give ${kind.accepted}`;
}

/** Whether two values of a setting are one: they are plain, but for maps. */
export function isSame(a: unknown, b: unknown): boolean {
  const plain = (_: string, value: unknown) => value instanceof Map ? [...value] : value;
  return JSON.stringify(a, plain) === JSON.stringify(b, plain);
}

type Found = { origin: Origin; given: boolean } | { origin: Origin; problem: string };

function lookUp<T>(setting: Setting<T>, sources: Sources): Found {
  const { name } = setting;
  const nameOfFile = `${name}_FILE`;
  for (
    const [values, origin] of [
      [sources.environment.variables, "environment"],
      [sources.file, sources.fileName],
    ] as const
  ) {
    const text = values[name] ?? "";
    const path = setting.secret ? values[nameOfFile] ?? "" : "";
    if (text !== "" && path !== "") {
      return {
        origin: { text: "", origin },
        problem: `${name}: ${nameOfFile} is set too: set one of them`,
      };
    }
    if (path !== "") return fromFile(setting, path, sources);
    if (text !== "") return { origin: { text, origin }, given: true };
  }
  if (sources.dev && setting.dev !== undefined) {
    return { origin: { text: setting.dev, origin: "development" }, given: false };
  }
  const text = setting.find?.(sources.environment) ?? setting.standard;
  return { origin: { text, origin: "default" }, given: false };
}

function fromFile<T>(setting: Setting<T>, path: string, { environment }: Sources): Found {
  const nameOfFile = `${setting.name}_FILE`;
  const text = environment.readText(path);
  if (typeof text === "string") {
    return { origin: { text: linesOf(setting, text), origin: path }, given: true };
  }
  return {
    origin: { text: "", origin: path },
    problem: `${nameOfFile}: cannot read ${JSON.stringify(path)}: ${text.reason}`,
  };
}

/** A value ends where its last line does; of a list, each line is an item and so keeps its end. */
function linesOf<T>({ kind }: Setting<T>, text: string): string {
  const value = text.replace(/[\r\n]+$/, "");
  return kind.byLine && value !== "" ? value + "\n" : value;
}

/** Names that belong to applications though they look much like one of ours. */
const OTHERS = new Set(["SMTP_HOST"]);

/** `SMTP_…` names within two letters of a known one, with that one. */
export function misspelt(
  given: Iterable<string>,
  settings: readonly Setting<unknown>[],
): { name: string; likely: string }[] {
  const known = settings.flatMap(({ name, secret }) => secret ? [name, `${name}_FILE`] : [name]);
  const found = [];
  for (const name of given) {
    if (!name.startsWith("SMTP_") || known.includes(name) || OTHERS.has(name)) continue;
    const [likely] = known.filter((other) => distance(name, other) <= 2)
      .sort((a, b) => distance(name, a) - distance(name, b));
    if (likely !== undefined) found.push({ name, likely });
  }
  return found;
}

/** How many letters must be put in, left out or changed to make one of the other. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
