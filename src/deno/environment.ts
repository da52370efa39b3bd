/** Environment variables and files, as `config.ts` wants them. */

import type { Environment } from "../ports.ts";
import { CertificateError } from "../ports/tls.ts";
import { faultOfKey } from "./signing.ts";
import { tls } from "./tls.ts";

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
  namesIn(folder) {
    try {
      return [...Deno.readDirSync(folder)].map(({ name }) => name);
    } catch (error) {
      return { file: error instanceof Deno.errors.NotADirectory, reason: reasonOf(error) };
    }
  },
  faultOfKey,
  faultOf(pair) {
    try {
      tls.context(pair);
      return undefined;
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      return error.message;
    }
  },
};

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "not permitted";
  if (error instanceof Deno.errors.NotCapable) return "the process was not granted to read it";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (error instanceof Deno.errors.NotADirectory) return "it is no directory";
  return error instanceof Error ? error.message : String(error);
}
