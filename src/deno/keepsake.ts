/** A text kept in a file that is its owner's alone; a link in its place is not followed. */

import type { Keepsake } from "../ports/keepsake.ts";
import { disk } from "./files.ts";

export function keepsake(path: string): Keepsake {
  const { files } = disk;
  const next = `${path}.new`;
  const folder = path.slice(0, path.lastIndexOf("/"));
  return {
    read() {
      const found = files.look(path);
      if (found === undefined) return undefined;
      if (found.kind !== "file") throw new Error(`read ${path}: it is a ${found.kind}`);
      return new TextDecoder().decode(files.read(path));
    },
    async write(text) {
      files.remove(next);
      await files.keep(next, [new TextEncoder().encode(text)]);
      files.rename(next, path);
      files.syncFolder(folder);
    },
  };
}
