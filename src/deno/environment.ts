/** Environment variables and files, as `config.ts` wants them. */

import type { Environment } from "../ports.ts";

export const environment: Environment = {
  get variables() {
    return Deno.env.toObject();
  },
  get processors() {
    return navigator.hardwareConcurrency;
  },
  hostname() {
    try {
      return Deno.hostname();
    } catch {
      // Not permitted, or not known: the default will do.
      return undefined;
    }
  },
  readText(path) {
    try {
      return Deno.readTextFileSync(path);
    } catch (error) {
      // A file that an executable was not granted to read is no file of its settings.
      const missing = error instanceof Deno.errors.NotFound ||
        error instanceof Deno.errors.NotCapable;
      return { missing, reason: reasonOf(error) };
    }
  },
};

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "not permitted";
  if (error instanceof Deno.errors.NotCapable) return "the process was not granted to read it";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  return error instanceof Error ? error.message : String(error);
}
