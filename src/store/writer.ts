/**
 * The thread that changes the database, for the one daemon of a spool.
 *
 * When the disk fails, all that waited for that transaction is told so, and the database is
 * closed: after a failed sync nobody knows what the disk has, so it is opened anew from there
 * before anything else is written, and what was refused is removed should it be found. A
 * damaged database is set aside and what can be read of it goes into a new one.
 */

import type { Database } from "../ports/database.ts";
import type { Disk } from "../ports/files.ts";
import { SpoolError } from "../ports/store.ts";
import { Engine, type Operation, type Result, WriteError } from "./engine.ts";
import { Layout } from "./layout.ts";
import { type Times, timeSince } from "./look.ts";
import { finishSalvage, isCut, salvage, type Salvaged } from "./salvage.ts";
import { lock, openDatabase, prepareFolder } from "./spool.ts";

export type WriterQuestion =
  | {
    readonly kind: "open";
    readonly folder: string;
    readonly viewed: boolean;
    readonly wall: number;
  }
  | {
    readonly kind: "write";
    readonly operations: readonly Operation[];
    readonly octets: Uint8Array;
    readonly times: Times;
  }
  /** Whoever reads has met damage. */
  | { readonly kind: "salvage" }
  | { readonly kind: "poll" }
  | { readonly kind: "close" };

/** What happened besides, for the log. */
export type Notice =
  /** By the process before, it may be, which told nobody how much. */
  | { readonly about: "salvaged"; readonly salvaged: Salvaged | Pick<Salvaged, "path"> }
  | { readonly about: "opened anew" }
  | { readonly about: "not removed"; readonly path: string; readonly why: string };

export type WriterAnswer =
  | {
    readonly kind: "opened";
    /** By the store's own clock. */
    readonly time: number;
    /** The number of the last message, and of the last that has its names. */
    readonly last: number;
    readonly named: number;
    readonly notices: readonly Notice[];
  }
  | { readonly kind: "unusable"; readonly why: string }
  | {
    readonly kind: "written";
    readonly results: readonly Result[];
    readonly notices: readonly Notice[];
  }
  | {
    readonly kind: "failed";
    readonly full: boolean;
    readonly why: string;
    readonly notices: readonly Notice[];
  }
  | { readonly kind: "salvaged"; readonly notices: readonly Notice[] }
  | { readonly kind: "polled"; readonly changed: boolean }
  | { readonly kind: "closed" };

export class Writer {
  readonly #disk: Disk;
  #layout = new Layout("");
  #viewed = true;
  #lock: Database | undefined;
  #engine: Engine | undefined;
  /** Messages that were refused in a transaction of which nobody knows. */
  #refused: string[] = [];
  #notices: Notice[] = [];

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  answer(question: WriterQuestion): WriterAnswer {
    switch (question.kind) {
      case "open":
        return this.#start(question);
      case "write":
        return this.#write(question);
      case "salvage":
        this.#poison([]);
        this.#salvage();
        return { kind: "salvaged", notices: this.#takeNotices() };
      case "poll":
        return { kind: "polled", changed: this.#poll() };
      case "close":
        this.#engine?.close();
        this.#lock?.close();
        return { kind: "closed" };
    }
  }

  #start({ folder, viewed, wall }: WriterQuestion & { kind: "open" }): WriterAnswer {
    this.#layout = new Layout(folder);
    this.#viewed = viewed;
    try {
      prepareFolder(this.#layout, this.#disk);
      this.#lock = lock(this.#layout, this.#disk);
      try {
        return this.#begin(wall);
      } catch (error) {
        if (this.#disk.databases.failure(error) !== "corrupt") throw error;
        this.#poison([]);
        this.#salvage();
        return this.#begin(wall);
      }
    } catch (error) {
      this.#lock?.close();
      const why = error instanceof SpoolError
        ? error.message
        : `spool ${folder}: cannot be opened: ${reasonOf(error)}: see to the disk and its ` +
          "permissions, or set SMTP_QUEUE_PATH";
      return { kind: "unusable", why };
    }
  }

  #begin(wall: number): WriterAnswer {
    const engine = this.#open();
    const time = timeSince(engine.looks.seen(), wall);
    engine.endLeases({ time, wall });
    const { last, named } = engine.looks.numbers();
    this.#clearBodies(engine, { isNew: last === 0 });
    return { kind: "opened", time, last, named, notices: this.#takeNotices() };
  }

  /**
   * Files that no message has: a daemon was killed before it kept the message, or after it had
   * let go of it. Where a database was lost they may be all that is left of one.
   */
  #clearBodies({ looks }: Engine, { isNew }: { isNew: boolean }): void {
    const { files } = this.#disk;
    const { bodies, quarantine } = this.#layout;
    const isWhole = !isNew && files.names(quarantine).length === 0;
    for (const id of files.names(bodies)) {
      if (!looks.hasFile(id)) this.#removeBody(id, isWhole ? undefined : `${quarantine}/${id}`);
    }
  }

  #open(): Engine {
    const { databases } = this.#disk;
    const open = () => {
      const database = openDatabase(this.#layout.database, this.#disk);
      return new Engine(database, this.#layout, this.#disk, { viewed: this.#viewed });
    };
    const path = finishSalvage(this.#layout, this.#disk);
    if (path !== undefined) this.#notices.push({ about: "salvaged", salvaged: { path } });
    if (isCut(this.#layout, this.#disk)) this.#salvage();
    try {
      this.#engine = open();
    } catch (error) {
      if (databases.failure(error) !== "corrupt") throw error;
      this.#salvage();
      this.#engine = open();
    }
    return this.#engine;
  }

  #write({ operations, octets, times }: WriterQuestion & { kind: "write" }): WriterAnswer {
    try {
      const engine = this.#engine ?? this.#openAnew(times);
      const { results, released } = engine.write(operations, octets, times);
      for (const id of released) this.#removeBody(id);
      return { kind: "written", results, notices: this.#takeNotices() };
    } catch (error) {
      const failure = error instanceof WriteError
        ? error.failure
        : this.#disk.databases.failure(error);
      if (failure !== "full" && failure !== "locked") this.#poison(operations);
      const why = reasonOf(error) + (failure === "corrupt" ? this.#trySalvage() : "");
      return { kind: "failed", full: failure === "full", why, notices: this.#takeNotices() };
    }
  }

  /** What the disk has of this transaction is not known. */
  #poison(operations: readonly Operation[]): void {
    for (const operation of operations) {
      if (operation.kind === "commit") this.#refused.push(operation.message.id);
      if (operation.kind === "settle") {
        this.#refused.push(...operation.generated.map(({ id }) => id));
      }
    }
    try {
      this.#engine?.close();
    } catch {
      // It could not even be closed; it is left as it is, and opened from the disk.
    }
    this.#engine = undefined;
  }

  #openAnew(times: Times): Engine {
    const engine = this.#open();
    try {
      engine.write([{ kind: "disown", ids: this.#refused }], new Uint8Array(0), times);
    } catch (error) {
      this.#poison([]);
      throw error;
    }
    this.#refused = [];
    this.#notices.push({ about: "opened anew" });
    return engine;
  }

  #salvage(): void {
    this.#notices.push({ about: "salvaged", salvaged: salvage(this.#layout, this.#disk) });
  }

  /** Where the disk fails for this too, it is tried again when the damage is met again. */
  #trySalvage(): string {
    try {
      this.#salvage();
      return "";
    } catch (error) {
      return `: it cannot be set aside: ${reasonOf(error)}`;
    }
  }

  /** It has left the queue in any case; the next sweep finds it again. */
  #removeBody(id: string, to?: string): void {
    const path = this.#layout.body(id);
    try {
      if (to === undefined) this.#disk.files.remove(path);
      else this.#disk.files.rename(path, to);
    } catch (error) {
      this.#notices.push({ about: "not removed", path, why: reasonOf(error) });
    }
  }

  #poll(): boolean {
    try {
      return this.#engine?.changedByOthers() ?? false;
    } catch {
      // What is wrong shows at the next write, to somebody who can be told.
      return false;
    }
  }

  #takeNotices(): Notice[] {
    return this.#notices.splice(0);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
