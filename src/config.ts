/**
 * The settings: one table (`settings/table.ts`), read once into one frozen object.
 *
 * Promises: a configuration is whole and right, or there is none and every problem is told
 * at once. Nothing else in the program reads the environment.
 */

import type { Environment } from "./ports.ts";
import { parseEnvFile } from "./settings/env_file.ts";
import { contradictions, doubts } from "./settings/judgement.ts";
import {
  isSame,
  misspelt,
  type Origin,
  readSetting,
  type Setting,
  type Sources,
} from "./settings/setting.ts";
import { type Config, table } from "./settings/table.ts";

export { type Config, table };
export { type DkimKey, dkimKeys, isSelector } from "./settings/dkim_keys.ts";

export interface LoadedConfig {
  readonly config: Config;
  /** What is odd, but no reason not to start. */
  readonly warnings: readonly string[];
  /** Where each value came from, in the order of the table. */
  readonly origins: readonly (readonly [Setting<unknown>, Origin])[];
  readonly manager: ManagerVariables;
}

/** What systemd puts into the environment of a service. */
export interface ManagerVariables {
  readonly socket: string | undefined;
  readonly runtimeDirectory: string | undefined;
  /** Milliseconds within which it wants a sign of life. */
  readonly watchdog: number | undefined;
}

export class ConfigError extends Error {
  override name = "ConfigError";

  /** `values`: what could be read all the same. */
  constructor(readonly problems: readonly string[], readonly values: Partial<Config> = {}) {
    super(problems.join("\n"));
  }
}

const STANDARD_FILE = ".env";

/** With `dev`, the defaults are those of development. */
export function loadConfig(environment: Environment, { dev }: { dev: boolean }): LoadedConfig {
  const { file, fileName, problem, unread = [] } = readSettingsFile(environment);
  const problems = problem === undefined ? [] : [problem];
  const sources: Sources = { environment, file, fileName, dev };
  const values: Record<string, unknown> = {};
  const origins: [Setting<unknown>, Origin][] = [];
  const wrong = new Set<string>();
  for (const [key, setting] of Object.entries(table) as [string, Setting<unknown>][]) {
    const reading = readSetting(setting, sources);
    values[key] = reading.value;
    origins.push([setting, reading.origin]);
    if (reading.problem === undefined) continue;
    problems.push(reading.problem);
    wrong.add(setting.name);
  }
  // Who names a certificate wants it to be used, while developing too.
  const tlsDisable = origins.find(([setting]) => setting === table.tlsDisable)!;
  if (tlsDisable[1].origin === "development" && values.tlsCert !== undefined) {
    values.tlsDisable = false;
    tlsDisable[1] = { text: "false", origin: "development, with a certificate" };
  }
  values.relayTokenFile = given(sources, `${table.relayToken.name}_FILE`);
  for (const { names, problem } of contradictions(values as Config, environment)) {
    // What is wrong by itself cannot be judged together with others.
    if (!names.some((name) => wrong.has(name))) problems.push(`${names.join(" and ")}: ${problem}`);
  }
  if (problems.length > 0) throw new ConfigError(problems, values);
  const names = [...Object.keys(environment.variables), ...Object.keys(file)];
  const misspellings = misspelt(names, Object.values(table)).map(({ name, likely }) =>
    `${name}: not a setting: did you mean ${likely}?`
  );
  const config = Object.freeze(values) as unknown as Config;
  const warnings = [...unread, ...misspellings, ...doubts(config)];
  return { config, warnings, origins, manager: managerVariables(environment) };
}

function managerVariables({ variables }: Environment): ManagerVariables {
  const microseconds = Number(variables.WATCHDOG_USEC);
  return {
    socket: variables.NOTIFY_SOCKET,
    // systemd parts several with colons; the unit has one.
    runtimeDirectory: variables.RUNTIME_DIRECTORY?.split(":")[0],
    watchdog: microseconds > 0 ? microseconds / 1000 : undefined,
  };
}

/** What becomes of a running configuration when the settings have been read again. */
export interface Reloaded {
  readonly config: Config;
  /** The names of settings that changed, and hold from now on. */
  readonly changed: readonly string[];
  /** The names of those that changed, but want a new start. */
  readonly pending: readonly string[];
}

export function reloaded(running: Config, read: Config): Reloaded {
  const { relayTokenFile } = read;
  const values: Record<string, unknown> = { ...running, relayTokenFile };
  const changed: string[] = [];
  const pending: string[] = [];
  for (
    const [key, { name, reread }] of Object.entries(table) as [keyof Config, Setting<unknown>][]
  ) {
    if (isSame(running[key], read[key])) continue;
    (reread ? changed : pending).push(name);
    if (reread) values[key] = read[key];
  }
  return { config: Object.freeze(values) as unknown as Config, changed, pending };
}

/** As it stands in the environment, else in the settings file; empty is unset. */
function given({ environment, file }: Sources, name: string): string | undefined {
  return environment.variables[name] || file[name] || undefined;
}

/** The file that SMTP_ENV_FILE names must be there; the one in the working directory may. */
function readSettingsFile(environment: Environment) {
  const named = environment.variables.SMTP_ENV_FILE ?? "";
  const fileName = named === "" ? STANDARD_FILE : named;
  const text = environment.readText(fileName);
  if (typeof text === "string") {
    const { values, unread } = parseEnvFile(text);
    const told = unread.map((line) => `${fileName}:${line}: no setting: write NAME=value`);
    return { file: values, fileName, unread: told };
  }
  const problem = named === "" && text.missing
    ? undefined
    : `${named === "" ? "settings" : "SMTP_ENV_FILE"}: cannot read ` +
      `${JSON.stringify(fileName)}: ${text.reason}`;
  return { file: {}, fileName, problem };
}
