/** One start of the daemon that is killed: alone, or with all it does to its disk recorded. */

import { recording } from "../fakes/strace.ts";
import type { Given } from "./daemon.ts";

const DENO = Deno.realPathSync(Deno.execPath());
const DAEMON = new URL("daemon.ts", import.meta.url).pathname;

export interface Start {
  readonly number: number;
  readonly sink: number;
  readonly spool: string;
  /** Where strace is, and where it writes its record. */
  readonly recorded?: { readonly strace: string; readonly record: string };
}

export class Run {
  readonly number: number;
  /** The port it listens on; rejects where it ends before. */
  readonly ready: Promise<number>;
  /** Never rejects. */
  readonly ended: Promise<Deno.CommandStatus>;
  /** What it said on standard error; nothing is expected. */
  complaints = "";
  readonly #process: Deno.ChildProcess;
  readonly #isRecorded: boolean;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: string[] = [];
  #look: () => void = () => {};
  #silent = false;

  constructor({ number, sink, spool, recorded }: Start) {
    this.number = number;
    const [program, ...args] = [
      ...(recorded === undefined ? [] : recording(recorded.strace, recorded.record)),
      // Killed while it writes it, the cache of code would be of no use to anybody.
      ...[Deno.execPath(), "run", "--quiet", "--no-code-cache", "--allow-all", DAEMON],
    ];
    const given: Given = {
      CRASH_RUN: String(number),
      CRASH_SINK: String(sink),
      CRASH_SPOOL: spool,
    };
    this.#isRecorded = recorded !== undefined;
    this.#process = new Deno.Command(program, {
      args,
      env: { ...given, NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#orders = this.#process.stdin.getWriter();
    const { stdout, stderr, status } = this.#process;
    this.ended = Promise.all([
      status,
      each(stdout, (text) => this.#hear(text)),
      each(stderr, (text) => this.complaints += text),
    ]).then(([status]) => {
      this.#silent = true;
      this.#look();
      return status;
    });
    this.ready = this.#line().then((line) => Number(/^ready (\d+)$/.exec(line)![1]));
    // Whoever waits for it is told; it may be that nobody does.
    this.ready.catch(() => {});
  }

  /** Its answer to an order, one at a time. */
  async ask(order: string): Promise<string> {
    await this.order(order);
    return await this.#line();
  }

  async order(order: string): Promise<void> {
    await this.#orders.write(new TextEncoder().encode(`${order}\n`));
  }

  #text = "";

  #hear(text: string): void {
    this.#text += text;
    const lines = this.#text.split("\n");
    this.#text = lines.pop()!;
    this.#lines.push(...lines);
    this.#look();
  }

  async #line(): Promise<string> {
    while (this.#lines.length === 0) {
      if (this.#silent) throw new Error(`daemon ${this.number} ended: ${this.complaints}`);
      await new Promise<void>((resolve) => this.#look = resolve);
    }
    return this.#lines.shift()!;
  }

  /** Kills it in this moment; whether it was there. */
  strike(): boolean {
    // The recorder itself lives on: it writes down what there was to the last.
    const pids = this.#isRecorded ? daemonsOf(this.#process.pid) : [this.#process.pid];
    return pids.filter(killOne).length > 0;
  }

  /** At once; resolves when it has ended, and its record is whole. */
  async kill(): Promise<Deno.CommandStatus> {
    let over = false;
    void this.ended.then(() => over = true);
    while (!over) {
      this.strike();
      // In its first moments the recorder has no daemon yet.
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, 20);
      await Promise.race([this.ended, promise]);
      clearTimeout(timer);
    }
    await this.#orders.abort().catch(() => {});
    return await this.ended;
  }

  /**
   * Resolves when its queue is empty. What was put off is asked for again, for as long as it
   * takes.
   */
  async drained(sink: { idle(): Promise<void> }): Promise<void> {
    await this.ready;
    while (JSON.parse(await this.ask("requeue")).queued > 0) await sink.idle();
  }

  /** In good order. */
  async stop(): Promise<Deno.CommandStatus> {
    await this.order("stop");
    await this.#orders.close();
    return await this.ended;
  }
}

/** Those that are daemons already: at first the recorder has a child to try things out. */
function daemonsOf(pid: number): number[] {
  try {
    const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).match(/\d+/g) ?? [];
    return children.map(Number).filter((child) => Deno.readLinkSync(`/proc/${child}/exe`) === DENO);
  } catch {
    // One of them has ended.
    return [];
  }
}

function killOne(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGKILL");
    return true;
  } catch {
    // It has ended already.
    return false;
  }
}

async function each(stream: ReadableStream<Uint8Array>, take: (text: string) => void) {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) take(text);
}
