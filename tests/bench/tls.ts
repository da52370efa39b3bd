/**
 * TLS as a server: sessions a second with a handshake each, and MB a second of one message,
 * beside a bare server of the runtime's own `node:net` and `node:tls`, in turns; and what AUTH
 * on each connection costs, with a password kept as a hash. `deno task bench tls`
 */

import { find } from "../fakes/tools.ts";

const ROUNDS = 5;
const SESSIONS = 1500;
const MAILS = 1500;
/** Of 10 MiB each. */
const LARGE_MAILS = 30;
/** Times the rate of the bare server. */
const AIM = 0.8;
/** What AUTH on each connection may cost of the rate. */
const AIM_OF_AUTH = 0.1;

const node = find("node");
if (node === undefined) throw new Error("bench: node is not installed");
const file = (name: string) => new URL(`tls/${name}`, import.meta.url).pathname;

class Serving implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly port: number;

  private constructor(process: Deno.ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  static async start(kind: "ours" | "bare"): Promise<Serving> {
    const args = ["run", "--quiet", "--allow-all", file("server.ts"), kind];
    const process = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
    const reader = process.stdout.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    await process.stdout.cancel();
    return new Serving(process, Number(new TextDecoder().decode(value)));
  }

  /** Seconds of the processor that it has used. */
  processor(): number {
    const fields = Deno.readTextFileSync(`/proc/${this.#process.pid}/stat`).split(") ")[1];
    const [user, system] = fields.split(" ").slice(11, 13).map(Number);
    return (user + system) / 100;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
  }
}

/** Seconds, and those of the server's processor. */
async function run(serving: Serving, amount: number, kind: string): Promise<[number, number]> {
  const before = serving.processor();
  const { success, stdout, stderr } = await new Deno.Command(node!, {
    args: [file("client.mjs"), `${serving.port}`, `${amount}`, kind],
    signal: AbortSignal.timeout(120_000),
  }).output();
  if (!success) throw new Error(`bench: ${new TextDecoder().decode(stderr)}`);
  return [Number(new TextDecoder().decode(stdout)), serving.processor() - before];
}

const median = (numbers: readonly number[]) =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function compare(kind: string, amount: number, unit: string, divisor: number): Promise<void> {
  await using ours = await Serving.start("ours");
  await using bare = await Serving.start("bare");
  const warmUp = Math.ceil(amount / 5);
  for (const serving of [ours, bare]) await run(serving, warmUp, kind);
  const ratios: number[] = [], processor: number[] = [], rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [seconds, busy] = await run(ours, amount, kind);
    const [secondsOfBare, busyOfBare] = await run(bare, amount, kind);
    rates.push(amount / divisor / seconds);
    ratios.push(secondsOfBare / seconds);
    processor.push(busyOfBare / busy);
  }
  console.log(
    `${unit.padEnd(12)} ${median(rates).toFixed(0).padStart(6)}   ratio ` +
      `${ratios.map((ratio) => ratio.toFixed(2)).join(" ")}   median ${median(ratios).toFixed(2)}` +
      `   aim: ${AIM}   by its processor time: ${median(processor).toFixed(2)}`,
  );
}

async function costOfAuth(): Promise<void> {
  await using ours = await Serving.start("ours");
  for (const kind of ["mail", "login"]) await run(ours, MAILS / 5, kind);
  const costs: number[] = [], rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [without] = await run(ours, MAILS, "mail");
    const [seconds] = await run(ours, MAILS, "login");
    rates.push(MAILS / seconds);
    costs.push(1 - without / seconds);
  }
  console.log(
    `with AUTH/s  ${median(rates).toFixed(0).padStart(6)}   costs ` +
      `${costs.map((cost) => cost.toFixed(2)).join(" ")}   median ${median(costs).toFixed(2)}` +
      `   aim: at most ${AIM_OF_AUTH}`,
  );
}

await compare("hello", SESSIONS, "sessions/s", 1);
await compare("bulk", LARGE_MAILS, "MB/s", 1 / 10.4);
await costOfAuth();
