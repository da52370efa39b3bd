/** Variables and files of which nothing is real. */

import type { Environment } from "../../src/ports.ts";

export function environmentOf(
  variables: Record<string, string>,
  files: Record<string, string> = {},
  hostname?: string,
): Environment {
  return {
    variables,
    processors: 4,
    hostname: () => hostname,
    readText: (path) => files[path] ?? { missing: true, reason: "no such file" },
    faultOf: () => undefined,
  };
}
