/** The configuration of a command, or the problems with it, told to whoever started it. */

import { ConfigError, loadConfig, type LoadedConfig } from "../config.ts";
import { environment } from "../deno/environment.ts";
import { complain } from "../deno/process.ts";

export function configure(options: { dev: boolean }): LoadedConfig | undefined {
  try {
    const loaded = loadConfig(environment, options);
    for (const warning of loaded.warnings) complain(`warning: ${warning}`);
    return loaded;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { problems } = error;
    complain(`dinopost: ${problems.length === 1 ? "a setting is" : "settings are"} wrong:`);
    for (const problem of problems) complain(`  ${problem}`);
    return undefined;
  }
}
