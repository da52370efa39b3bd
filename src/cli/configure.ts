/** The configuration of a command, or the problems with it, told to whoever started it. */

import { type Config, ConfigError, loadConfig, type LoadedConfig } from "../config.ts";
import { environment } from "../deno/environment.ts";
import { isText, log, logAs, type LogRules } from "../deno/log.ts";
import { complain } from "../deno/process.ts";

/**
 * `quiet`: warnings are left to the caller. `logs`: the log is as the settings have it then, and
 * problems and warnings go there.
 */
export function configure(
  { dev, quiet = false, logs = false }: { dev: boolean; quiet?: boolean; logs?: boolean },
): LoadedConfig | undefined {
  try {
    const loaded = loadConfig(environment, { dev });
    if (logs) logAs(logRules(loaded.config));
    if (logs) { for (const warning of loaded.warnings) log("warning", warning); }
    else if (!quiet) warn(loaded);
    return loaded;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { problems, values } = error;
    if (logs) logAs(logRules(values));
    if (!isText()) {
      for (const problem of problems) log("error", "setting is wrong", { problem });
      return undefined;
    }
    complain(`dinopost: ${problems.length === 1 ? "a setting is" : "settings are"} wrong:`);
    for (const problem of problems) complain(`  ${problem}`);
    return undefined;
  }
}

export function warn({ warnings }: LoadedConfig): void {
  for (const warning of warnings) complain(`warning: ${warning}`);
}

/** Of what settings there are. */
export function logRules(
  { logFormat = "auto", logLevel = "info", logRedact = false }: Partial<Config>,
): LogRules {
  return { format: logFormat, level: logLevel, redact: logRedact };
}
