/** Environment variables and files, as `config.ts` wants them. */

import { parseEnv } from "node:util";
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
      return { missing: error instanceof Deno.errors.NotFound, reason: reasonOf(error) };
    }
  },
  parseLines: (text) => ({ ...parseEnv(text) } as Record<string, string>),
};

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "not permitted";
  if (error instanceof Deno.errors.NotCapable) return "the process was not granted to read it";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  return error instanceof Error ? error.message : String(error);
}
