/**
 * The names of messages in the spool, one for each recipient: a view of the store for people
 * and their programs. They are written behind the store, and can be written again at any time.
 *
 * Promises: one copy of the octets whatever the number of names; whatever stood under a name
 * is replaced, never followed or written into.
 */

import type { Database, Row } from "../ports/database.ts";
import type { Disk } from "../ports/files.ts";
import type { Rest } from "../ports/thread.ts";
import type { Layout } from "./layout.ts";
import { PLACE } from "./rows.ts";

/** Read at once, with their octets. */
const MOST_ROWS = 16;
/** Many messages are for the same few recipients. */
const DIGESTS = 1000;

export interface Named {
  /** All messages up to this one have their names. */
  readonly until: number;
  /** When that one came, in the store's time. */
  readonly reached: number;
  readonly messages: number;
  /** Messages whose octets are not what was stored. */
  readonly damaged: readonly number[];
  /** Where something stood that nobody but Dinopost should make, and it did not. */
  readonly replaced: readonly string[];
  /** Why it did not go on. */
  readonly problem?: string;
}

export class Names {
  readonly #layout: Layout;
  readonly #disk: Disk;
  readonly #next;
  /** Folders of days that were looked at and are good. */
  readonly #days = new Set<string>();
  readonly #digests = new Map<string, string>();
  #replaced: string[] = [];
  #rest: Rest | undefined;

  constructor(database: Database, layout: Layout, disk: Disk) {
    this.#layout = layout;
    this.#disk = disk;
    this.#next = database.prepare(
      // No address has a line feed in it.
      "SELECT number, id, received_at, entered_at, size, checksum, place, body, " +
        "(SELECT group_concat(address, char(10)) FROM recipient WHERE message = number) " +
        "AS addresses FROM message WHERE number > ? ORDER BY number LIMIT ?",
    );
  }

  /** Writes the names of the next messages; with a rest, it is taken behind each of them. */
  write(after: number, most: number, rest?: Rest): Named {
    this.#rest = rest;
    let until = after;
    let reached = 0;
    let messages = 0;
    const damaged: number[] = [];
    const replaced = this.#replaced = [];
    // They are looked at anew: one may have been taken away, or something put in its place.
    this.#days.clear();
    try {
      for (const row of this.#rows(after, most)) {
        const number = Number(row.number);
        if (!this.#writeOne(row)) damaged.push(number);
        until = number;
        reached = Number(row.entered_at);
        messages++;
      }
    } catch (error) {
      if (this.#disk.databases.failure(error) === "corrupt") throw error;
      const problem = error instanceof Error ? error.message : String(error);
      return { until, reached, messages, damaged, replaced, problem };
    }
    return { until, reached, messages, damaged, replaced };
  }

  *#rows(after: number, most: number): Generator<Row> {
    for (let left = most; left > 0;) {
      const wanted = Math.min(left, MOST_ROWS);
      const rows = this.#next.all(after, wanted);
      yield* rows;
      if (rows.length < wanted) return;
      after = Number(rows.at(-1)!.number);
      left -= wanted;
    }
  }

  #writeOne({ id, received_at, size, checksum, place, body, addresses: all }: Row): boolean {
    if (place === PLACE.gone) return true;
    const receivedAt = Number(received_at);
    const addresses = all === null ? [] : String(all).split("\n");
    const { files } = this.#disk;
    const names = this.#layout.names({ id: String(id), receivedAt, addresses }, this.#digest);
    this.#prepareDay(this.#layout.day(receivedAt));
    if (place === PLACE.file) {
      const file = this.#layout.body(String(id));
      const found = files.look(file);
      // Else the names of all that came later would wait for it for ever.
      if (found?.kind !== "file" || found.size !== size) return false;
      for (const name of names) this.#make(name, () => files.link(file, name));
      return true;
    }
    const octets = body instanceof Uint8Array ? body : undefined;
    if (octets === undefined || this.#disk.checksum(octets) !== checksum) return false;
    const [first, ...others] = names;
    this.#make(first, () => files.write(first, octets));
    for (const name of others) this.#make(name, () => files.link(first, name));
    return true;
  }

  readonly #digest = (text: string): string => {
    const known = this.#digests.get(text);
    if (known !== undefined) return known;
    const digest = this.#disk.digest(text);
    if (this.#digests.size === DIGESTS) this.#digests.clear();
    this.#digests.set(text, digest);
    return digest;
  };

  /** Names are there already after a crash, or because somebody planted them. */
  #make(name: string, make: () => void): void {
    try {
      make();
    } catch (error) {
      const found = this.#disk.files.look(name);
      if (found === undefined) throw error;
      if (found.kind === "file") this.#disk.files.remove(name);
      else this.#setAside(name);
      make();
    }
    this.#rest?.();
  }

  /** Moved and not removed: it may be a folder with something in it. */
  #setAside(path: string): void {
    const { files } = this.#disk;
    const to = `${this.#layout.quarantine}/${path.slice(path.lastIndexOf("/") + 1)}`;
    let number = 1;
    while (files.look(`${to}-${number}`) !== undefined) number++;
    files.rename(path, `${to}-${number}`);
    this.#replaced.push(path);
  }

  #prepareDay(day: string): void {
    if (this.#days.has(day)) return;
    const { files } = this.#disk;
    const { folder } = this.#layout;
    // To make it again would hide where the spool has gone.
    if (files.look(folder) === undefined) throw new Error(`spool ${folder}: it is not there`);
    const found = files.look(day);
    // A link in the place of the folder would lead the mail elsewhere.
    if (found !== undefined && found.kind !== "folder") this.#setAside(day);
    files.makeFolder(day);
    this.#days.add(day);
  }
}
