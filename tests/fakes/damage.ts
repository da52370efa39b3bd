/** What becomes of a spool on a disk that does not keep what was written. */

import { DatabaseSync } from "node:sqlite";

/** Done to a spool of this folder. */
export type Damage = (folder: string) => void;

export const PAGE = 4096;

export const overwrite = (name: string, at: number, octets: Uint8Array): Damage => (folder) => {
  using file = Deno.openSync(`${folder}/${name}`, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(octets);
};

export const inDatabase = (at: number, octets: Uint8Array): Damage =>
  overwrite("queue.db", at, octets);

/** Octets that nobody wrote, the same each time. */
export function garbage(octets: number, seed: number): Uint8Array {
  let state = seed * 2654435761 + 1;
  return Uint8Array.from({ length: octets }, () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0;
    return state >>> 16;
  });
}

export const garbagePage = (page: number): Damage =>
  inDatabase((page - 1) * PAGE, garbage(PAGE, page));

/** A page with rows of this table: the last, or one in the middle. */
export function leafOf(folder: string, table: string, which: "last" | "middle" = "last"): number {
  const database = new DatabaseSync(`${folder}/queue.db`);
  try {
    const pages = database.prepare(
      "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path",
    ).all(table);
    return Number(pages.at(which === "last" ? -1 : pages.length >> 1)!.pageno);
  } finally {
    database.close();
  }
}
