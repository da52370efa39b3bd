/**
 * The thread that reads the database, so that nobody who looks delays a message: listings,
 * octets for delivery, the names in the spool, backups. It writes only files that can be
 * written again.
 */

import type { Database } from "../ports/database.ts";
import type { Disk } from "../ports/files.ts";
import type { Filter, MessageRow, ShownMessage, Tally } from "../ports/store.ts";
import type { Rest } from "../ports/thread.ts";
import { backup } from "./backup.ts";
import { Layout } from "./layout.ts";
import { Looks, type Times } from "./look.ts";
import { type Named, Names } from "./names.ts";
import { PLACE } from "./rows.ts";

export type ReaderQuestion =
  | { readonly kind: "open"; readonly folder: string }
  | { readonly kind: "list"; readonly filter: Filter; readonly times: Times }
  | { readonly kind: "show"; readonly id: string; readonly times: Times }
  | { readonly kind: "stats" }
  | { readonly kind: "queuedBy"; readonly owner: string }
  | { readonly kind: "content"; readonly message: number }
  | {
    readonly kind: "name";
    readonly after: number;
    readonly most: number;
    readonly gently: boolean;
  }
  | { readonly kind: "backup"; readonly folder: string }
  /** Whether all of the database can be read. */
  | { readonly kind: "check" };

/** The database is damaged; nothing was answered. */
export interface Corrupt {
  readonly corrupt: string;
}

/** The octets of a message, or why they are not to be had. */
export type Found =
  | { readonly octets: Uint8Array<ArrayBuffer> }
  | { readonly damaged: string }
  | { readonly gone: true };

export interface ReaderAnswers {
  readonly open: void;
  readonly list: readonly MessageRow[];
  readonly show: ShownMessage | undefined;
  readonly stats: Tally & { readonly oldest?: number; readonly due?: number };
  readonly queuedBy: number;
  readonly content: Found;
  readonly name: Named;
  readonly backup: void;
  readonly check: void;
}

export class Reader {
  readonly #disk: Disk;
  readonly #rest: Rest;
  #layout = new Layout("");
  #database: Database | undefined;
  #looks: Looks | undefined;
  #names: Names | undefined;

  constructor(disk: Disk, rest: Rest = () => {}) {
    this.#disk = disk;
    this.#rest = rest;
  }

  /** What else went wrong is thrown; the next question is answered by a database opened anew. */
  answer(question: ReaderQuestion): ReaderAnswers[ReaderQuestion["kind"]] | Corrupt {
    try {
      return this.#answer(question);
    } catch (error) {
      this.#close();
      if (this.#disk.databases.failure(error) === "corrupt") return { corrupt: String(error) };
      throw error;
    }
  }

  #answer(question: ReaderQuestion) {
    switch (question.kind) {
      case "open":
        this.#close();
        this.#layout = new Layout(question.folder);
        return void this.#open();
      case "list":
        return this.#look().list(question.filter, question.times);
      case "show":
        return this.#look().show(question.id, question.times);
      case "stats": {
        const looks = this.#look();
        return { ...looks.tally(), ...looks.ages() };
      }
      case "queuedBy":
        return this.#look().queuedBy(question.owner);
      case "content":
        return content(this.#look(), question.message, this.#layout, this.#disk);
      case "name":
        return this.#writeNames(question);
      case "backup":
        return backup(this.#open(), this.#layout, question.folder, this.#disk);
      case "check":
        return this.#look().checkSound();
    }
  }

  #writeNames({ after, most, gently }: ReaderQuestion & { kind: "name" }): Named {
    this.#names ??= new Names(this.#open(), this.#layout, this.#disk);
    return this.#names.write(after, most, gently ? this.#rest : undefined);
  }

  #look(): Looks {
    return this.#looks ??= new Looks(this.#open());
  }

  #open(): Database {
    return this.#database ??= this.#disk.databases.open(this.#layout.database, { readOnly: true });
  }

  #close(): void {
    try {
      this.#database?.close();
    } catch {
      // A database that fails is left behind.
    }
    this.#database = this.#looks = this.#names = undefined;
  }
}

export function content(looks: Looks, message: number, layout: Layout, disk: Disk): Found {
  const row = looks.body(message);
  if (row === undefined || row.place === PLACE.gone) return { gone: true };
  const path = layout.body(String(row.id));
  let octets: Uint8Array<ArrayBuffer>;
  if (row.place === PLACE.row) {
    if (!(row.body instanceof Uint8Array)) return { damaged: "its octets are missing" };
    octets = row.body as Uint8Array<ArrayBuffer>;
  } else {
    const found = disk.files.look(path);
    if (found === undefined) return { damaged: `its file is missing: ${path}` };
    if (found.kind !== "file") return { damaged: `${path} is a ${found.kind}, and not followed` };
    octets = disk.files.read(path);
  }
  if (octets.length !== row.size) {
    return { damaged: `it has ${octets.length} octets of ${row.size}` };
  }
  return disk.checksum(octets) === row.checksum
    ? { octets }
    : { damaged: "its octets are not those that were stored" };
}
