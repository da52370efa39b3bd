/**
 * A file by which a command that has met damage tells the daemon, which may never come upon it by
 * itself.
 */

import type { Disk } from "../ports/files.ts";
import type { Layout } from "./layout.ts";

export function leaveMark({ mark }: Layout, { files }: Pick<Disk, "files">): void {
  try {
    files.write(mark, new Uint8Array(0));
  } catch {
    // It is there already, or nothing can be written here: the daemon has other troubles then.
  }
}

/**
 * Whether there was one. The damage is looked for once for each: where it cannot be set aside,
 * mail must not wait for that again and again.
 */
export function takeMark({ mark }: Layout, { files }: Pick<Disk, "files">): boolean {
  return files.look(mark) !== undefined && files.remove(mark);
}
