/**
 * Messages a second that are accepted and durable: Dinopost beside Postfix, in turns, from the
 * same client. What of Dinopost is run is what DINOPOST_EXECUTABLE names, else the interpreted
 * daemon. `deno task bench accept [--messages N] [--sustained [N]]`
 *
 * TMPDIR says on which disk. Nothing is removed before the end, and it is well to wait a minute
 * between runs: ext4 does not take the inodes of files removed just now, and is slow to step
 * over them.
 */

import { Daemon, dinopost } from "../fakes/daemon.ts";
import { find } from "../fakes/tools.ts";
import { Postfix } from "../fakes/postfix.ts";

const ROUNDS = 3;
const WARM_UP = 1000;
const SESSIONS = 20;
const SIZE = 4096;
const MESSAGES = number("--messages") ?? 20_000;
/** Its rate is the same, it only takes less time. */
const MESSAGES_OF_POSTFIX = Math.min(MESSAGES, 5000);
const SUSTAINED = Deno.args.includes("--sustained") ? number("--sustained") ?? 300_000 : undefined;
/** No burst shall take longer than at this rate. */
const SLOWEST = 50;
const LONGEST_WAIT = 60_000;
/** Milliseconds without a new name, after which they are counted. */
const QUIET = 500;

const KINDS = ["reused", "a connection each"] as const;
type Kind = (typeof KINDS)[number];
/** Times the rate of Postfix. */
const AIMS: Record<Kind, number> = { "reused": 5, "a connection each": 3 };
const AIMS_SUSTAINED: Record<Kind, number> = { "reused": 3.5, "a connection each": 2 };
/** Times the length of a burst, until its names are there. */
const AIM_OF_NAMES = 3;

const source = find("smtp-source");
if (source === undefined) throw new Error("bench: smtp-source is not installed");
const executable = Deno.env.get("DINOPOST_EXECUTABLE");

/** Ctrl-C ends what was started, too. */
const interrupted = new AbortController();
const interrupt = () => interrupted.abort(new Error("bench: interrupted"));
Deno.addSignalListener("SIGINT", interrupt);
Deno.addSignalListener("SIGTERM", interrupt);

interface Named {
  readonly seconds: number;
  readonly unnamed: number;
}

/** Dinopost with a spool of its own. */
class Spooling implements AsyncDisposable {
  readonly port: number;
  readonly #daemon: Daemon;
  readonly #spool: string;
  #sent = 0;

  private constructor(daemon: Daemon, spool: string) {
    this.#daemon = daemon;
    this.#spool = spool;
    this.port = daemon.port;
  }

  /** The spool is in the folder, and stays when the daemon ends. */
  static async start(folder: string): Promise<Spooling> {
    const spool = await Deno.makeTempDir({ dir: folder });
    const settings: Record<string, string> = {
      SMTP_LISTEN: "127.0.0.1",
      // What is measured is to take mail; Postfix holds its own, too.
      SMTP_MODE: "capture",
      SMTP_HOSTNAME: "localhost",
      SMTP_ALLOW_NETWORKS: "127.0.0.0/8",
      SMTP_REQUIRE_LOCAL_DOMAIN: "false",
      SMTP_MAX_CLIENTS_PER_ADDRESS: "1000",
      SMTP_DEBUG: "false",
      SMTP_QUEUE_PATH: spool,
    };
    if (executable !== undefined) settings.SMTP_ENV_FILE = "";
    const command = executable === undefined ? dinopost("serve") : [executable, "serve"];
    return new Spooling(await Daemon.start({ settings, command }), spool);
  }

  /** Sends; how many seconds it took until all were accepted. */
  async burst(kind: Kind, messages: number): Promise<number> {
    this.#sent += messages;
    return await burst(this.port, kind, messages);
  }

  /** How many messages have no name yet. */
  unnamed(): number {
    const names = this.#days().flatMap((day) => entries(day)).filter((name) => /\.eml$/.test(name));
    return this.#sent - names.length;
  }

  /** Waits until all have names, or for too long; how many seconds, and how many have none. */
  async named(longest = LONGEST_WAIT): Promise<Named> {
    const start = Date.now();
    let counted = 0;
    for (;;) {
      // Counting takes the processor from what writes them, so they are counted when it rests;
      // the folder tells when the last was written.
      const last = Math.max(start, ...this.#days().map(changed));
      const now = Date.now();
      if (now - start > longest) return { seconds: (now - start) / 1000, unnamed: this.unnamed() };
      if (last !== counted && now - last > QUIET) {
        counted = last;
        if (this.unnamed() <= 0) return { seconds: (last - start) / 1000, unnamed: 0 };
      }
      await pause(50);
    }
  }

  #days(): string[] {
    return entries(this.#spool).filter((name) => /^\d{4}-\d\d-\d\d$/.test(name))
      .map((name) => `${this.#spool}/${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]();
  }
}

async function burst(port: number, kind: Kind, messages: number): Promise<number> {
  interrupted.signal.throwIfAborted();
  // What the one has left unwritten shall not burden the other.
  await new Deno.Command("sync").output();
  const limit = AbortSignal.timeout(60_000 + messages / SLOWEST * 1000);
  const command = new Deno.Command(source!, {
    args: [
      ...["-s", `${SESSIONS}`, "-l", `${SIZE}`, "-m", `${messages}`],
      ...["-f", "a@example.com", "-t", "b@example.invalid"],
      ...(kind === "reused" ? ["-d"] : []),
      `127.0.0.1:${port}`,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
    signal: AbortSignal.any([limit, interrupted.signal]),
  });
  const start = performance.now();
  const { success } = await command.spawn().status;
  const seconds = (performance.now() - start) / 1000;
  interrupted.signal.throwIfAborted();
  if (!success) throw new Error(`bench: smtp-source failed after ${seconds.toFixed(1)} s`);
  return seconds;
}

/** Messages a second that Postfix accepts. */
async function rateOf(postfix: Postfix, kind: Kind): Promise<number> {
  const before = postfix.held();
  const seconds = await burst(postfix.port, kind, MESSAGES_OF_POSTFIX);
  if (postfix.held() - before !== MESSAGES_OF_POSTFIX) throw new Error("bench: Postfix lost mail");
  return MESSAGES_OF_POSTFIX / seconds;
}

/** What was measured of a kind, a number a round. */
class Results {
  readonly dinopost: number[] = [];
  readonly postfix: number[] = [];
  /** How long the names took, as times of the burst. */
  readonly names: number[] = [];

  async measure(round: number, kind: Kind, own: Spooling, other: Postfix): Promise<void> {
    const seconds = await own.burst(kind, MESSAGES);
    const named = await own.named();
    this.dinopost.push(MESSAGES / seconds);
    this.names.push(named.seconds / seconds);
    const said = `${rate(MESSAGES / seconds)}   ${inWords(named, seconds)}`;
    line(`round ${round}`, kind, "Dinopost", said);

    const value = await rateOf(other, kind);
    this.postfix.push(value);
    line(`round ${round}`, kind, "Postfix", rate(value));
  }

  tell(kind: Kind): void {
    line("", kind, "Dinopost", `${spread(this.dinopost)}   least / median / most`);
    line("", kind, "Postfix", spread(this.postfix));
    compare(kind, median(this.dinopost), median(this.postfix), AIMS[kind]);
    const most = Math.max(...this.names).toFixed(2);
    line("", kind, "names", `${most.padStart(7)} of the burst at most   aim: ${AIM_OF_NAMES}`);
  }
}

async function rounds(folder: string, other: Postfix): Promise<void> {
  const results = { "reused": new Results(), "a connection each": new Results() };
  await using own = await Spooling.start(folder);
  for (const kind of KINDS) {
    await own.burst(kind, WARM_UP);
    await own.named();
    await burst(other.port, kind, WARM_UP);
  }
  for (let round = 1; round <= ROUNDS; round++) {
    for (const kind of KINDS) await results[kind].measure(round, kind, own, other);
  }
  console.log();
  for (const kind of KINDS) results[kind].tell(kind);
}

/** It takes long: Postfix is measured before it and behind it, as machines change their pace. */
async function sustained(
  folder: string,
  kind: Kind,
  messages: number,
  other: Postfix,
): Promise<void> {
  await using own = await Spooling.start(folder);
  const before = await rateOf(other, kind);
  const seconds = await own.burst(kind, messages);
  const behind = own.unnamed();
  const named = await own.named(Math.max(LONGEST_WAIT, (AIM_OF_NAMES + 1) * seconds * 1000));
  const after = await rateOf(other, kind);
  line("sustained", kind, "Dinopost", `${rate(messages / seconds)}   ${messages} messages`);
  line("", kind, "Postfix", `${rate(before)} before, ${rate(after)} after`);
  compare(kind, messages / seconds, (before + after) / 2, AIMS_SUSTAINED[kind]);
  line("", kind, "names", `${behind} behind at the end, ${inWords(named, seconds)}`);
}

async function run(folder: string): Promise<void> {
  const [load] = Deno.loadavg();
  await using postfix = await Postfix.start();
  console.log(`Dinopost   ${executable ?? "interpreted"}, bursts of ${MESSAGES}`);
  console.log(
    `Postfix    ${postfix.version} that holds its mail, bursts of ${MESSAGES_OF_POSTFIX}`,
  );
  console.log(`client     ${SESSIONS} sessions, ${SIZE} octets a message; load ${load.toFixed(1)}`);
  console.log();
  await rounds(folder, postfix);
  if (SUSTAINED === undefined) return;
  console.log();
  for (const kind of KINDS) await sustained(folder, kind, SUSTAINED, postfix);
}

const folder = await Deno.makeTempDir({ prefix: "dinopost-accept-" });
try {
  await run(folder);
} finally {
  await Deno.remove(folder, { recursive: true });
  Deno.removeSignalListener("SIGINT", interrupt);
  Deno.removeSignalListener("SIGTERM", interrupt);
}

function compare(kind: Kind, own: number, other: number, aim: number): void {
  line("", kind, "ratio", `${(own / other).toFixed(2).padStart(7)}   aim: ${aim}`);
}

function inWords({ seconds, unnamed }: Named, length: number): string {
  if (unnamed > 0) return `${unnamed} names missing ${seconds.toFixed(1)} s after`;
  return `names after ${seconds.toFixed(1)} s, ${(seconds / length).toFixed(2)} of the burst`;
}

function line(when: string, kind: string, what: string, said: string): void {
  console.log(`${when.padEnd(11)}${kind.padEnd(20)}${what.padEnd(11)}${said}`);
}

function rate(value: number): string {
  return `${String(Math.round(value)).padStart(5)}/s`;
}

function spread(values: number[]): string {
  return [Math.min(...values), median(values), Math.max(...values)].map(rate).join(" / ");
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

function changed(path: string): number {
  return Deno.statSync(path).mtime!.getTime();
}

function entries(folder: string): string[] {
  return Deno.readDirSync(folder).toArray().map(({ name }) => name);
}

async function pause(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  interrupted.signal.throwIfAborted();
}

/** The number after a flag, if there is one. */
function number(flag: string): number | undefined {
  const at = Deno.args.indexOf(flag);
  const value = at < 0 ? NaN : Number(Deno.args[at + 1]);
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}
