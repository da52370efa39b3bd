/**
 * The database of a spool: everything that changes it, one transaction for all that is asked
 * together. The daemon has it in a thread of its own, a command of the command line at hand.
 *
 * Promises: what `write` returns is on stable storage. When it throws, nothing of it is kept,
 * as far as this process can tell; whoever has it must open the database anew, since after a
 * failed sync nobody knows what the disk has (`writer.ts`).
 */

import type { Database, DatabaseFailure } from "../ports/database.ts";
import type { Disk } from "../ports/files.ts";
import type { ClaimRequest, Selection } from "../ports/store.ts";
import type { Rest } from "../ports/thread.ts";
import { Claims } from "./claim.ts";
import { Commits, ownerOf, type Packed } from "./commit.ts";
import type { Kept } from "./journal_batch.ts";
import type { Layout } from "./layout.ts";
import { Ledger } from "./ledger.ts";
import { Looks, type Times } from "./look.ts";
import { type Order, Orders, type Place } from "./orders.ts";
import { type BareSettlement, Settlements } from "./settle.ts";
import { Sweeps } from "./sweep.ts";

export type Operation =
  | { readonly kind: "commit"; readonly message: Packed }
  /** From the journal: it was acknowledged. There may be some of them in the tables already. */
  | { readonly kind: "take"; readonly kept: Kept; readonly time: number }
  /** All of the journal up to this batch has been taken, or is not to be. */
  | { readonly kind: "taken"; readonly sequence: number }
  /**
   * Removes messages whose clients were told that they were not kept, and takes back what was
   * handed out to whoever did not hear of it: a failed sync says nothing of what the disk has.
   */
  | { readonly kind: "disown"; readonly ids: readonly string[]; readonly leases: readonly number[] }
  | { readonly kind: "claim"; readonly request: ClaimRequest }
  | {
    readonly kind: "settle";
    readonly settlement: BareSettlement;
    readonly generated: readonly Packed[];
  }
  | { readonly kind: "order"; readonly order: Order; readonly which: Selection; from?: Place }
  | { readonly kind: "quarantine"; readonly message: number; readonly reason: string }
  /** Nothing, but as safely as everything else: whether it can be written. */
  | { readonly kind: "probe" }
  | { readonly kind: "named"; readonly until: number }
  | { readonly kind: "sweep"; readonly before: number; readonly from: number };

/** What came of one operation. */
export type Result =
  | { readonly value: unknown }
  /** It cannot be done; others of its transaction were. */
  | { readonly refused: "limit" | "fault"; readonly why: string };

export interface Written {
  readonly results: readonly Result[];
  /** Large bodies that nobody needs any more, now that this is stable. */
  readonly released: readonly string[];
}

/** Nothing was written. */
export class WriteError extends Error {
  override name = "WriteError";

  constructor(readonly failure: DatabaseFailure, detail: string) {
    super(`write: ${detail}`);
  }
}

export class Engine {
  readonly looks: Looks;
  readonly #database: Database;
  readonly #disk: Disk;
  readonly #ledger: Ledger;
  readonly #commits: Commits;
  readonly #claims: Claims;
  readonly #settlements: Settlements;
  readonly #orders: Orders;
  readonly #sweeps: Sweeps;
  readonly #begin;
  readonly #commit;
  readonly #rollback;
  readonly #version;
  #seenVersion = 0;
  #released: string[] = [];

  /**
   * `keepsTime`: what is written also says how late it is. That is for the daemon alone: the
   * clock of another might be ahead of its own, and it must never see time run backwards.
   */
  constructor(
    database: Database,
    layout: Layout,
    disk: Disk,
    { viewed, keepsTime = true }: { viewed: boolean; keepsTime?: boolean },
  ) {
    this.#database = database;
    this.#disk = disk;
    this.#ledger = new Ledger(database, { keepsTime });
    this.#commits = new Commits(database, this.#ledger, disk.checksum);
    this.#settlements = new Settlements(database, this.#ledger, { viewed });
    this.#claims = new Claims(
      database,
      ({ message, reason }) => void this.#settlements.quarantine(message, reason),
    );
    this.#orders = new Orders(database, this.#ledger, this.#settlements);
    this.#sweeps = new Sweeps(database, layout, disk);
    this.looks = new Looks(database);
    this.#begin = database.prepare("BEGIN IMMEDIATE");
    this.#commit = database.prepare("COMMIT");
    this.#rollback = database.prepare("ROLLBACK");
    this.#version = database.prepare("PRAGMA data_version");
    this.changedByOthers();
  }

  /** With a rest, it is taken before each of them. */
  write(
    operations: readonly Operation[],
    octets: Uint8Array,
    times: Times,
    rest?: Rest,
  ): Written {
    try {
      return this.#transaction(operations, octets, times, rest);
    } catch (error) {
      if (error instanceof WriteError) throw error;
      const failure = this.#disk.databases.failure(error);
      if (failure !== "other") throw new WriteError(failure, String(error));
      // One of them is at fault: the others shall not suffer from it.
      if (operations.length === 1) {
        return { results: [{ refused: "fault", why: String(error) }], released: [] };
      }
      return this.#oneByOne(operations, octets, times);
    }
  }

  #oneByOne(operations: readonly Operation[], octets: Uint8Array, times: Times): Written {
    const results: Result[] = [];
    const released: string[] = [];
    for (const operation of operations) {
      try {
        const written = this.write([operation], octets, times);
        results.push(...written.results);
        released.push(...written.released);
      } catch (error) {
        if (results.length === 0) throw error;
        // Those before it are refused with it, and are in the tables.
        throw new WriteError("disk", String(error));
      }
    }
    return { results, released };
  }

  #transaction(
    operations: readonly Operation[],
    octets: Uint8Array,
    times: Times,
    rest?: Rest,
  ): Written {
    this.#released = [];
    let begun = false;
    let kept = false;
    try {
      this.#start();
      begun = true;
      const results = operations.map((operation) => {
        rest?.();
        return this.#carryOut(operation, octets, times);
      });
      this.#end(times);
      kept = true;
      return { results, released: this.#released };
    } finally {
      if (begun && !kept) this.#undo();
    }
  }

  /** Where not even that can be done no operation is at fault: the database is not as it should be. */
  #start(): void {
    try {
      this.#begin.run();
    } catch (error) {
      const failure = this.#disk.databases.failure(error);
      throw new WriteError(failure === "other" ? "disk" : failure, String(error));
    }
  }

  /** What is written here is no operation's own: if it cannot be, the tables are not ours. */
  #end(times: Times): void {
    try {
      this.#ledger.write(times);
      this.#commit.run();
    } catch (error) {
      if (this.#disk.databases.failure(error) !== "other") throw error;
      throw new Error(`database is corrupt: its sums cannot be written: ${error}`);
    }
  }

  #undo(): void {
    this.#commits.undo();
    this.#ledger.clear();
    try {
      this.#rollback.run();
    } catch {
      // The engine has rolled back by itself, as it does upon many a failure.
    }
  }

  #carryOut(operation: Operation, octets: Uint8Array, times: Times): Result {
    const { time } = times;
    switch (operation.kind) {
      case "commit":
        return this.#add(operation.message, octets, time);
      case "take": {
        const { message, octets } = operation.kept;
        const packed = { ...message, limit: undefined, body: { at: 0 } };
        return { value: this.#commits.add(packed, octets, operation.time) };
      }
      case "taken":
        this.#ledger.journaled(operation.sequence);
        return { value: undefined };
      case "disown":
        for (const id of operation.ids) this.#commits.remove(id);
        for (const lease of operation.leases) this.#endLeases(time, { first: lease, last: lease });
        return { value: undefined };
      case "claim":
        this.#ledger.writeDue();
        return { value: this.#claims.claim(operation.request, time) };
      case "settle": {
        const added = operation.generated.map((one) => this.#addNew(one, octets, time));
        this.#released.push(...this.#settlements.settle(operation.settlement));
        return { value: added.at(-1) };
      }
      case "order": {
        const { released, ...ordered } = this.#orders.carryOut(
          operation.order,
          operation.which,
          operation.from,
        );
        this.#released.push(...released);
        return { value: ordered };
      }
      case "quarantine":
        return { value: this.#settlements.quarantine(operation.message, operation.reason) };
      case "probe":
        return { value: undefined };
      case "named":
        this.#released.push(...this.#settlements.named(operation.until));
        return { value: undefined };
      case "sweep":
        return { value: this.#sweeps.sweep(operation.before, operation.from, times) };
    }
  }

  #add(packed: Packed, octets: Uint8Array, time: number): Result {
    const { limit, recipients } = packed;
    if (limit !== undefined) {
      const queued = this.#ledger.queuedBy(ownerOf(packed.client));
      if (queued + recipients.length > limit) {
        return { refused: "limit", why: `${queued} of ${limit} recipients are queued` };
      }
    }
    return { value: this.#addNew(packed, octets, time) };
  }

  #addNew(packed: Packed, octets: Uint8Array, time: number): number {
    const number = this.#commits.add(packed, octets, time);
    if (number === undefined) throw new Error(`message ${packed.id} is there already`);
    return number;
  }

  /** When a daemon starts: nobody delivers anything at this moment. */
  endLeases(times: Times): void {
    this.#begin.run();
    this.#endLeases(times.time);
    this.#end(times);
  }

  #endLeases(time: number, which?: { first: number; last: number }): void {
    for (const domain of this.#claims.endLeases(time, which)) this.#ledger.due(domain, time);
  }

  /** Of the last claim, answered or not. */
  get lastLease(): number {
    return this.#claims.lastLease;
  }

  /** Whether another process has written since this was asked last. */
  changedByOthers(): boolean {
    const version = Number(this.#version.get()!.data_version);
    const changed = version !== this.#seenVersion;
    this.#seenVersion = version;
    return changed;
  }

  close(): void {
    this.#database.close();
  }
}
