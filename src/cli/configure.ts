/** The configuration of a command, or the problems with it, told to whoever started it. */

import { ConfigError, loadConfig, type LoadedConfig } from "../config.ts";
import { environment } from "../deno/environment.ts";
import { complain } from "../deno/process.ts";

/** `quiet`: warnings are left to the caller. */
export function configure(
  { dev, quiet = false }: { dev: boolean; quiet?: boolean },
): LoadedConfig | undefined {
  try {
    const loaded = loadConfig(environment, { dev });
    if (!quiet) warn(loaded);
    return loaded;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { problems } = error;
    complain(`dinopost: ${problems.length === 1 ? "a setting is" : "settings are"} wrong:`);
    for (const problem of problems) complain(`  ${problem}`);
    return undefined;
  }
}

export function warn({ warnings }: LoadedConfig): void {
  for (const warning of warnings) complain(`warning: ${warning}`);
}
