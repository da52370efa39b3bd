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
import type { Rest } from "../ports/thread.ts";
import { Backlog } from "./backlog.ts";
import { Engine, type Operation, type Result, WriteError } from "./engine.ts";
import { Layout } from "./layout.ts";
import { type Times, timeSince } from "./look.ts";
import { takeMark } from "./mark.ts";
import type { Notice, Taken, WriterAnswer, WriterQuestion } from "./questions.ts";
import { finishSalvage, isCut, isMissing, salvage } from "./salvage.ts";
import { ensureJournals, lock, openDatabase, prepareFolder } from "./spool.ts";

export class Writer {
  readonly #disk: Disk;
  readonly #rest: Rest;
  #layout = new Layout("");
  #viewed = true;
  #lock: Database | undefined;
  #engine: Engine | undefined;
  #backlog: Backlog;
  /** Messages that were refused in a transaction of which nobody knows. */
  #refused: string[] = [];
  /** Leases of claims in such a transaction: nobody has heard of them. */
  #unheard: number[] = [];
  /** Of the last claim that was answered. */
  #heard = 0;
  #notices: Notice[] = [];

  constructor(disk: Disk, rest: Rest = () => {}) {
    this.#disk = disk;
    this.#rest = rest;
    this.#backlog = new Backlog(this.#layout, disk);
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
        this.#backlog.close();
        this.#engine?.close();
        this.#lock?.close();
        return { kind: "closed" };
    }
  }

  #start({ folder, viewed, wall }: WriterQuestion & { kind: "open" }): WriterAnswer {
    this.#layout = new Layout(folder);
    this.#backlog = new Backlog(this.#layout, this.#disk);
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
    this.#takeUp(engine, { time, wall });
    engine.endLeases({ time, wall });
    const { last, named, journaled } = engine.looks.numbers();
    this.#clearBodies(engine, { isNew: last === 0 });
    return { kind: "opened", time, last, named, journaled, notices: this.#takeNotices() };
  }

  /** What a daemon that was killed has left in the journal. */
  #takeUp(engine: Engine, times: Times): void {
    ensureJournals(this.#layout, this.#disk);
    this.#notices.push(...this.#backlog.takeUp(engine.looks.numbers().journaled));
    while (!this.#backlog.isEmpty) {
      const { taken } = this.#carryOut(engine, [], new Uint8Array(0), times);
      if (taken === undefined) throw new Error("the journal cannot be read");
    }
    this.#carryOut(engine, knowing(engine), new Uint8Array(0), times);
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
    if (isMissing(this.#layout, this.#disk)) this.#notices.push({ about: "missing" });
    if (isCut(this.#layout, this.#disk)) this.#salvage();
    try {
      this.#engine = open();
    } catch (error) {
      if (databases.failure(error) !== "corrupt") throw error;
      this.#salvage();
      this.#engine = open();
    }
    if (this.#isDamaged(this.#engine)) {
      this.#poison([]);
      this.#salvage();
      this.#engine = open();
    }
    this.#heard = 0;
    return this.#engine;
  }

  /** A command has met damage, and it is there. */
  #isDamaged({ looks }: Engine): boolean {
    try {
      if (takeMark(this.#layout, this.#disk)) looks.checkSound();
      return false;
    } catch (error) {
      // What is wrong otherwise shows at the next write.
      return this.#disk.databases.failure(error) === "corrupt";
    }
  }

  #write(question: WriterQuestion & { kind: "write" }): WriterAnswer {
    const { operations, octets, places, times, gently } = question;
    this.#backlog.add(places);
    let tried: readonly Operation[] = [];
    try {
      const engine = this.#engine ?? this.#openAnew(times);
      tried = operations;
      const carriedOut = this.#carryOut(
        engine,
        operations,
        octets,
        times,
        gently ? this.#rest : undefined,
      );
      this.#heard = engine.lastLease;
      return { kind: "written", ...carriedOut, notices: this.#takeNotices() };
    } catch (error) {
      const failure = error instanceof WriteError
        ? error.failure
        : this.#disk.databases.failure(error);
      if (failure !== "full" && failure !== "locked") this.#poison(tried);
      const why = reasonOf(error) + (failure === "corrupt" ? this.#trySalvage() : "");
      return { kind: "failed", full: failure === "full", why, notices: this.#takeNotices() };
    }
  }

  /** First what the journal has, then what is asked, all in one transaction. */
  #carryOut(
    engine: Engine,
    operations: readonly Operation[],
    octets: Uint8Array,
    times: Times,
    rest?: Rest,
  ): { results: readonly Result[]; taken: Taken | undefined } {
    const first = this.#backlog.operations();
    const all = [...first, ...operations];
    const nothing = { results: [], released: [] };
    const { results, released } = all.length > 0 ? engine.write(all, octets, times, rest) : nothing;
    const { taken, notices } = this.#backlog.done(results);
    this.#notices.push(...notices);
    for (const id of released) this.#removeBody(id);
    return { results: results.slice(first.length), taken };
  }

  /** What the disk has of this transaction is not known. */
  #poison(operations: readonly Operation[]): void {
    for (const operation of operations) {
      if (operation.kind === "commit") this.#refused.push(operation.message.id);
      if (operation.kind === "settle") {
        this.#refused.push(...operation.generated.map(({ id }) => id));
      }
    }
    const lease = this.#engine?.lastLease ?? 0;
    if (lease > this.#heard) this.#unheard.push(lease);
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
      const nobodys = { kind: "disown", ids: this.#refused, leases: this.#unheard } as const;
      engine.write([nobodys, ...knowing(engine)], new Uint8Array(0), times);
    } catch (error) {
      this.#poison([]);
      throw error;
    }
    this.#refused = [];
    this.#unheard = [];
    this.#backlog.passOver(engine.looks.numbers());
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

/** Where the sums were lost nobody knew what of the journal had been taken; now all of it is. */
function knowing({ looks }: Engine): Operation[] {
  return looks.numbers().journaled < 0 ? [{ kind: "taken", sequence: 0 }] : [];
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
