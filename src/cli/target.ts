/** A place where a command makes something new, and why it cannot, in words for people. */

import { disk, isNotGranted } from "../deno/files.ts";

/** The runtime speaks of its flags where nobody can give any, and where they would not help. */
export function whyNotMade(path: string, error: unknown): string {
  const above = noFolderAbove(path);
  if (above !== undefined) return `${above} is no folder: name another place`;
  if (isNotGranted(error)) return "this process was not granted to write there: name another place";
  return error instanceof Error ? error.message : String(error);
}

/** The first thing above it that is there, if there can be nothing in it. */
function noFolderAbove(path: string): string | undefined {
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
    const above = path.slice(0, end);
    try {
      const found = disk.files.look(above);
      if (found === undefined) continue;
      return found.kind === "file" || found.kind === "other" ? above : undefined;
    } catch {
      // What is above this may tell.
    }
  }
  return undefined;
}
