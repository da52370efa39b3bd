/**
 * What it costs to be watched, while mail flows end to end at full rate: figures that are scraped
 * each second, and the audit log with one reader; and how long `/livez` takes meanwhile. What is
 * compared is messages a second, in turns, and the processor's time for a message, which is less
 * moved by whatever else goes on. `--against FOLDER`: beside the daemon of another checkout.
 * `deno task bench watch [--messages N] [--against FOLDER]`
 */

import { Daemon, dinopost } from "../fakes/daemon.ts";
import { find } from "../fakes/tools.ts";
import { run, Sink } from "./relay/flow.ts";

const ROUNDS = 7;
const WARM_UP = 2000;
const MESSAGES = Number(option("--messages") ?? 5000);
const AGAINST = option("--against");
/** Ticks of the processor's clock a second (`getconf CLK_TCK`). */
const TICKS = 100;
const SCRAPED_EVERY = 1000;
const ASKED_EVERY = 20;
/** Milliseconds. */
const AIM_OF_LIVEZ = 2;

const curl = find("curl");
if (curl === undefined) throw new Error("bench: curl is not installed");

interface Watched {
  readonly daemon: Daemon;
  /** How it is watched while a round lasts. */
  watch?(signal: AbortSignal): Promise<void>;
  readonly rates: number[];
  /** Microseconds of the processor for a message. */
  readonly costs: number[];
}

await using receiver = new Sink();
await using bare = await daemonWith();
await using scraped = await daemonWith();
await using audited = await daemonWith();
await ask(audited, "/api/audit", { method: "PUT", body: '{"on":true}' });
const all: Record<string, Watched> = {
  bare: entry(bare),
  scraped: entry(scraped, scrape),
  audited: entry(audited, follow),
};
await using before = AGAINST === undefined ? undefined : await daemonWith(AGAINST);
if (before !== undefined) all.before = entry(before);

for (const { daemon } of Object.values(all)) await run(daemon.port, receiver, WARM_UP);
for (let round = 0; round < ROUNDS; round++) {
  // Each comes first once in a while.
  const turn = Object.entries(all);
  turn.push(...turn.splice(0, round % turn.length));
  const shown: Record<string, string> = {};
  for (const [name, each] of turn) shown[name] = await measure(each);
  const line = Object.keys(all).map((name) => `${name} ${shown[name]}`).join("   ");
  console.log(`round ${round + 1}   ${line}`);
}
compare("scraped", "bare", 0.99);
compare("audited", "bare", 0.95);
if (before !== undefined) compare("bare", "before", 0.99);
await livez();

function entry(daemon: Daemon, watch?: Watched["watch"]): Watched {
  return { daemon, watch, rates: [], costs: [] };
}

/** Its relay is the receiver; its log is thrown away, not read by the bench. */
function daemonWith(folder?: string): Promise<Daemon> {
  const [deno, ...args] = dinopost("serve");
  if (folder !== undefined) {
    args.splice(1, 0, "--config", `${folder}/deno.json`);
    args[args.indexOf("src/main.ts")] = `${folder}/src/main.ts`;
  }
  return Daemon.start({
    command: ["sh", "-c", 'exec "$0" "$@" 2>/dev/null', deno, ...args],
    settings: {
      SMTP_LISTEN: "127.0.0.1",
      SMTP_HOSTNAME: "localhost",
      SMTP_ALLOW_NETWORKS: "127.0.0.0/8",
      SMTP_REQUIRE_LOCAL_DOMAIN: "false",
      SMTP_RELAY_URL: `smtp://127.0.0.1:${receiver.port}`,
      ...(folder === undefined
        ? { SMTP_HEALTH_DISABLE: "false", SMTP_HEALTH_ADDR: "127.0.0.1:0" }
        // It may not know them.
        : { SMTP_HEALTH_DISABLE: "", SMTP_HEALTH_ADDR: "", SMTP_LOG_FORMAT: "" }),
    },
  });
}

async function measure({ daemon, watch, rates, costs }: Watched): Promise<string> {
  const over = new AbortController();
  const watching = watch?.call({ daemon }, over.signal);
  const start = ticks(daemon.pid);
  const rate = MESSAGES / await run(daemon.port, receiver, MESSAGES);
  const cost = (ticks(daemon.pid) - start) / TICKS * 1e6 / MESSAGES;
  over.abort();
  await watching;
  rates.push(rate);
  costs.push(cost);
  return `${rate.toFixed(0)}/s ${cost.toFixed(0)} us`;
}

/** Of all its threads, in user and kernel. */
function ticks(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1].split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

async function scrape(this: Pick<Watched, "daemon">, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await ask(this.daemon, "/metrics/prometheus");
    await pause(SCRAPED_EVERY, signal);
  }
}

async function follow(this: Pick<Watched, "daemon">, signal: AbortSignal): Promise<void> {
  const args = ["-sN", "-o", "/dev/null", `${http(this.daemon)}/healthz`];
  await new Deno.Command(curl!, { args, signal }).spawn().status;
}

function compare(name: string, with_: string, aim: number): void {
  const [a, b] = [all[name], all[with_]];
  const each = a.rates.map((rate, i) => rate / b.rates[i]);
  const costs = a.costs.map((cost, i) => cost / b.costs[i]);
  console.log(
    `${name} beside ${with_}: messages ${median(each).toFixed(3)}   aim: ${aim}   ` +
      `processor ${median(costs).toFixed(3)} (${spread(costs)})`,
  );
}

/** Each on a connection of its own, as probes come. */
async function livez(): Promise<void> {
  const times: number[] = [];
  const over = new AbortController();
  const flowing = run(bare.port, receiver, 3 * MESSAGES).finally(() => over.abort());
  while (!over.signal.aborted) {
    const start = performance.now();
    await ask(bare, "/livez");
    times.push(performance.now() - start);
    await pause(ASKED_EVERY, over.signal);
  }
  await flowing;
  times.sort((a, b) => a - b);
  const at = (part: number) => times[Math.floor(times.length * part)].toFixed(2);
  console.log(
    `livez beside mail, ${times.length} times: median ${at(0.5)} ms   p90 ${at(0.9)}   ` +
      `p99 ${at(0.99)}   aim: median ${AIM_OF_LIVEZ}`,
  );
}

async function ask(
  daemon: Daemon,
  path: string,
  { method = "GET", body = "" }: { method?: string; body?: string } = {},
): Promise<void> {
  const { hostname, port } = new URL(http(daemon));
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const head = `${method} ${path} HTTP/1.1\r\nHost: ${hostname}\r\n`;
  const text = `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
  await connection.write(new TextEncoder().encode(text));
  const answer = await whole(connection);
  if (!answer.startsWith("HTTP/1.1 200 ")) throw new Error(`bench: ${path}: ${answer}`);
}

/** Until as much has come as was told. */
async function whole(connection: Deno.TcpConn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(64 * 1024);
  let text = "";
  for (;;) {
    const got = await connection.read(buffer);
    if (got === null) return text;
    text += decoder.decode(buffer.subarray(0, got), { stream: true });
    const [, fields, body] = /^([^]*?)\r\n\r\n([^]*)$/.exec(text) ?? [];
    const length = /^content-length: (\d+)$/im.exec(fields ?? "")?.[1];
    if (length !== undefined && body.length >= Number(length)) return text;
  }
}

function http({ output }: Daemon): string {
  return /^or at +(http:\S+)/m.exec(output)![1];
}

function pause(time: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, time);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}

function option(name: string): string | undefined {
  const at = Deno.args.indexOf(name);
  return at < 0 ? undefined : Deno.args[at + 1];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

function spread(values: readonly number[]): string {
  return `${Math.min(...values).toFixed(3)} to ${Math.max(...values).toFixed(3)}`;
}
