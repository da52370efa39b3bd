/**
 * The store of the daemon: a journal that makes small messages safe at once, a database in a
 * thread of its own that takes them from there, another thread that reads it, and large bodies
 * in files beside it.
 */

import type { Meter } from "../meter.ts";
import type { Clock, Log, Random } from "../ports.ts";
import type { Client } from "../mail/envelope.ts";
import type { Disk, Files, Space } from "../ports/files.ts";
import {
  type Changed,
  type Claimed,
  type ClaimRequest,
  DamagedError,
  type Entry,
  type Filter,
  type MessageRow,
  type Selection,
  type Settlement,
  type ShownMessage,
  SpoolError,
  type Store,
  StoreError,
  type StoreStats,
  type Swept,
} from "../ports/store.ts";
import { type Thread, ThreadEndedError } from "../ports/thread.ts";
import type { Content } from "../smtp/content.ts";
import { Batches } from "./batches.ts";
import type { ClaimedPart } from "./claim.ts";
import { ownerOf, pack } from "./commit.ts";
import type { Operation } from "./engine.ts";
import { Fresh } from "./fresh.ts";
import { Keeping } from "./keeping.ts";
import { Layout } from "./layout.ts";
import type { Times } from "./look.ts";
import { type Order, type Ordered, wholeOrder } from "./orders.ts";
import { type ReaderThread, Reading } from "./reading.ts";
import { Room } from "./room.ts";
import type { SweptPart } from "./sweep.ts";
import { tell } from "./telling.ts";
import { View } from "./view.ts";
import type { Notice, Taken, WriterAnswer, WriterQuestion } from "./questions.ts";

export interface StoreParts {
  readonly folder: string;
  /** Whether the names in the spool are written. */
  readonly viewed: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly random: Random;
  readonly files: Files;
  readonly checksum: Disk["checksum"];
  startWriter(): Thread<WriterQuestion, WriterAnswer>;
  startReader(): ReaderThread;
}

/** A command of the command line is noticed within this time. */
const POLL = 500;

export class SqliteStore implements Store {
  readonly #parts: StoreParts;
  readonly #reading: Reading;
  readonly #writer: Thread<WriterQuestion, WriterAnswer>;
  readonly #batches: Batches;
  readonly #keeping: Keeping;
  readonly #view: View | undefined;
  readonly #timeAtStart: number;
  readonly #monotonicAtStart: number;
  readonly #room: Room;
  readonly #fresh: Fresh;
  #news: (() => void) | undefined;
  #broken: (error: Error) => void = () => {};
  #cancelPoll: () => void = () => {};
  #closed = false;

  private constructor(
    parts: StoreParts,
    writer: Thread<WriterQuestion, WriterAnswer>,
    opened: WriterAnswer & { kind: "opened" },
    monotonicAtStart: number,
  ) {
    this.#parts = parts;
    this.#writer = writer;
    this.#room = new Room(parts);
    this.#fresh = new Fresh(parts.clock);
    this.#reading = new Reading({
      ...parts,
      caughtUp: () => this.#batches.caughtUp(),
      salvage: () => this.#salvage(),
    });
    this.#timeAtStart = opened.time;
    this.#monotonicAtStart = monotonicAtStart;
    this.#batches = new Batches({
      writer,
      clock: parts.clock,
      times: this.#times,
      isAwaited: () => this.#news !== undefined,
      notice: (notice) => this.#notice(notice),
      taken: (taken) => this.#taken(taken),
      notTaken: (error) => this.#keeping.journal.notTaken(error),
    });
    this.#keeping = new Keeping({
      ...parts,
      layout: new Layout(parts.folder),
      batches: this.#batches,
      time: () => this.time(),
      notice: (notice) => this.#notice(notice),
    }, opened.journaled);
    for (const notice of opened.notices) this.#notice(notice);
    if (parts.viewed) this.#view = this.#newView(opened);
    this.#poll();
  }

  /** Rejects with a SpoolError where the spool cannot be used. */
  static async open(parts: StoreParts): Promise<SqliteStore> {
    const writer = parts.startWriter();
    const { folder, viewed, clock } = parts;
    const monotonic = clock.monotonic();
    const opened = await writer.ask({ kind: "open", folder, viewed, wall: clock.now() });
    if (opened.kind === "opened") return new SqliteStore(parts, writer, opened, monotonic);
    writer.end();
    throw new SpoolError(opened.kind === "unusable" ? opened.why : `spool: ${opened.kind}`);
  }

  #newView(opened: WriterAnswer & { kind: "opened" }): View {
    return new View({
      ...this.#parts,
      time: () => this.time(),
      idleFor: () => this.#batches.idleFor(),
      write: (after, most, gently) => this.#reading.ask({ kind: "name", after, most, gently }),
      release: (until) => this.#batches.put(() => ({ kind: "named", until })),
      damaged: (message) => this.#quarantine(message, "its octets are not those that were stored"),
    }, opened);
  }

  time(): number {
    const passed = this.#parts.clock.monotonic() - this.#monotonicAtStart;
    return Math.floor(this.#timeAtStart + passed);
  }

  readonly #times = (): Times => ({ time: this.time(), wall: this.#parts.clock.now() });

  async commit(entry: Entry): Promise<void> {
    const { clock, meter } = this.#parts;
    const start = clock.monotonic();
    const late = this.#view?.keepUp();
    if (late !== undefined) await late;
    const number = await this.#keeping.keep(entry);
    meter.commits.observe((clock.monotonic() - start) / 1000);
    if (entry.state === "queued") this.#fresh.keep(entry.envelope.id, entry.envelope.content);
    if (number !== undefined) this.#added(number);
  }

  #added(number: number): void {
    this.#view?.added(number);
    this.#news?.();
  }

  #taken({ sequence, last }: Taken): void {
    this.#keeping.journal.taken(sequence);
    if (last !== undefined) this.#added(last);
  }

  async claim(request: ClaimRequest): Promise<Claimed> {
    const claimed = await this.#batches.put(() => ({ kind: "claim", request }));
    const { damaged, ...rest } = claimed as ClaimedPart;
    for (const damage of damaged) this.#parts.log("error", "message quarantined", { ...damage });
    return rest;
  }

  async settle({ generated, ...settlement }: Settlement): Promise<void> {
    const contents = generated.map(({ envelope }) => envelope.content);
    const last = await this.#batches.put((at) => {
      const packed = generated.map((entry) => {
        const message = { ...pack(entry), limit: undefined, body: { at } };
        at += entry.envelope.content.size;
        return message;
      });
      return { kind: "settle", settlement, generated: packed };
    }, contents);
    if (generated.length > 0) this.#added(last as number);
  }

  async content(message: number, id = ""): Promise<Content> {
    const fresh = this.#fresh.take(id);
    if (fresh !== undefined) return fresh;
    const found = await this.#reading.ask({ kind: "content", message });
    if ("octets" in found) return { chunks: [found.octets], size: found.octets.length };
    if ("gone" in found) throw new StoreError(`read message ${message}: it has left the queue`);
    await this.#quarantine(message, found.damaged);
    throw new DamagedError(`read message ${message}: ${found.damaged}`);
  }

  async #quarantine(message: number, reason: string): Promise<void> {
    const { log } = this.#parts;
    try {
      const id = await this.#batches.put(() => ({ kind: "quarantine", message, reason }));
      log("error", "message quarantined", { id: id as string | undefined, message, reason });
    } catch (error) {
      // It is found damaged again when it is tried again.
      log("error", "message not quarantined", { message, reason, error: String(error) });
    }
  }

  async #salvage(): Promise<void> {
    const answer = await this.#writer.ask({ kind: "salvage" });
    if (answer.kind === "salvaged") answer.notices.forEach((notice) => this.#notice(notice));
  }

  list = (filter: Filter): Promise<readonly MessageRow[]> =>
    this.#reading.ask({ kind: "list", filter, times: this.#times() });
  show = (id: string): Promise<ShownMessage | undefined> =>
    this.#reading.ask({ kind: "show", id, times: this.#times() });

  hold = (which: Selection): Promise<Changed> => this.#order("hold", which);
  release = (which: Selection): Promise<Changed> => this.#order("release", which);
  drop = (which: Selection): Promise<Changed> => this.#order("drop", which);
  requeue = (which: Selection): Promise<Changed> => this.#order("requeue", which);

  async #order(order: Order, which: Selection): Promise<Changed> {
    await this.#batches.caughtUp();
    const done = await wholeOrder(async (from) =>
      await this.#batches.put(() => ({ kind: "order", order, which, from })) as Ordered
    );
    this.#news?.();
    return done;
  }

  async sweep(age: number): Promise<Swept> {
    const before = this.time() - age;
    let messages = 0;
    const problems: string[] = [];
    for (let from: number | undefined = 0; from !== undefined;) {
      const start: number = from;
      const make = (): Operation => ({ kind: "sweep", before, from: start });
      const swept = await this.#batches.put(make) as SweptPart;
      messages += swept.messages;
      problems.push(...swept.problems);
      from = swept.next;
    }
    return { messages, problems };
  }

  async stats(): Promise<StoreStats> {
    const { messages: untaken } = this.#batches.behind();
    const { oldest, due, ...tally } = await this.#reading.ask({ kind: "stats" });
    const time = this.time();
    const since = (then = time) => Math.max(0, time - then);
    const lag = this.#view?.lag ?? 0;
    return { ...tally, age: since(oldest), overdue: since(due), lag, untaken };
  }

  async probe(): Promise<void> {
    await this.#batches.put(() => ({ kind: "probe" }));
  }

  queuedBy = (client: Client): Promise<number> =>
    this.#reading.ask({ kind: "queuedBy", owner: ownerOf(client) });
  backup = (folder: string): Promise<void> => this.#reading.ask({ kind: "backup", folder });
  space = (): Space => this.#room.space;

  onNews = (call: () => void): void => void (this.#news = call);
  onBroken = (call: (error: Error) => void): void => void (this.#broken = call);

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelPoll();
    this.#view?.close();
    // What it has and the tables do not is taken up by the next daemon.
    await this.#batches.caughtUp().catch(() => {});
    this.#batches.close();
    this.#keeping.close();
    this.#reading.end();
    // Where it has broken there is nothing to close.
    await this.#writer.ask({ kind: "close" }).catch(() => {});
    this.#writer.end();
  }

  #poll(): void {
    this.#cancelPoll = this.#parts.clock.timer(POLL, async () => {
      const answer = await this.#writer.ask({ kind: "poll" }).catch((error) => error);
      if (this.#closed) return;
      if (answer instanceof ThreadEndedError) return this.#broken(answer);
      await this.#reading.tend();
      if (answer.kind === "polled" && answer.changed) this.#news?.();
      await this.#keeping.tend();
      if (this.#closed) return;
      this.#poll();
    });
  }

  #notice(notice: Notice): void {
    if (notice.about === "salvaged") this.#reading.openAnew();
    tell(notice, this.#parts.log);
  }
}
