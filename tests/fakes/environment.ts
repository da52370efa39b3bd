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
    namesIn(folder) {
      const inside = Object.keys(files).filter((path) => path.startsWith(`${folder}/`));
      const names = inside.map((path) => path.slice(folder.length + 1).split("/")[0]);
      if (folder in files) return { file: true, reason: "it is no directory" };
      if (names.length === 0) return { file: false, reason: "no such file" };
      return [...new Set(names)];
    },
    faultOf: () => undefined,
    faultOfKey: () => undefined,
  };
}
