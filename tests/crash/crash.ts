/**
 * Kills the daemon at random moments under load, starts it again on the same spool, and sees
 * that nothing that was acknowledged is lost, altered, or sent again without need. Some of the
 * kills come from the sink, just when it says that it has taken a message. Some are power
 * failures: the next daemon finds of the disk only what was synced for certain, and of the rest
 * what chance will have.
 *
 *     deno task test:crash [--kills 50] [--seed N] [--power | --no-power]
 */

import { find } from "../fakes/tools.ts";
import { Chance, newSeed } from "./chance.ts";
import { TRANSACTIONS } from "./daemon.ts";
import { Load } from "./load.ts";
import { Run } from "./run.ts";
import { Sink } from "./sink.ts";
import { Spools } from "./spools.ts";
import { judgeMail, judgeSpool } from "./verdict.ts";

export interface Plan {
  readonly kills: number;
  readonly seed: number;
  /** Every so many kills the power fails; 0 for never. */
  readonly powerEvery: number;
  readonly say?: (line: string) => void;
}

export interface Report {
  readonly problems: readonly string[];
  /** In words. */
  readonly figures: string;
}

const CLIENTS = 8;
/** Each third kill is the sink's: between its 250 and what the daemon makes of it. */
const UPON_250_EVERY = 3;
/** Of those, so many before the 250 is out, and so many later by some milliseconds. */
const BEFORE_250 = 0.3, LATER = 0.4;
const LATEST_UPON_250 = 6;
/** Of the others, so many come before the daemon is known to listen. */
const DURING_START = 0.2;
const LONGEST_START = 300;
/** And of those under load, so many just when a client has read its 250. */
const UPON_REPLY = 0.6;
const SOONEST = 50, LATEST = 600;
/** Milliseconds, beside those for each kill. */
const PATIENCE = 40_000;
const PATIENCE_PER_KILL = 4_000;

export async function crash(plan: Plan): Promise<Report> {
  const work = await Deno.makeTempDir({ prefix: "dinopost-crash-" });
  const trial = new Trial(plan, work);
  const deadline = Promise.withResolvers<never>();
  const limit = PATIENCE + plan.kills * PATIENCE_PER_KILL;
  const timer = setTimeout(() => deadline.reject(new Error(`no end in ${limit} ms`)), limit);
  try {
    await Promise.race([trial.run(), deadline.promise]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    trial.problems.push(reason, ...trial.complaints);
  } finally {
    clearTimeout(timer);
    await trial.end();
    await Deno.remove(work, { recursive: true });
  }
  return { problems: trial.problems, figures: trial.figures };
}

class Trial {
  readonly problems: string[] = [];
  figures: string;
  readonly #plan: Plan;
  readonly #chance: Chance;
  readonly #sink: Sink;
  readonly #load: Load;
  readonly #spools: Spools;
  readonly #strace: string | undefined;
  #over = false;
  #run: Run | undefined;
  #runs = 0;
  #powerFailures = 0;
  #strokesDue = 0;
  /** Milliseconds from a start until a message was acknowledged. */
  #slowest = 0;

  constructor(plan: Plan, work: string) {
    this.#plan = plan;
    this.figures = `no end, seed ${plan.seed}`;
    this.#chance = new Chance(plan.seed);
    this.#sink = new Sink(new Chance(plan.seed + 1));
    this.#load = new Load(new Chance(plan.seed + 2), this.#sink, CLIENTS);
    this.#spools = new Spools(work, this.#chance);
    if (plan.powerEvery > 0) {
      this.#strace = find("strace");
      if (this.#strace === undefined) this.#say("strace is not installed: the power never fails");
    }
  }

  /** What the sink had to complain of. */
  get complaints(): readonly string[] {
    return this.#sink.complaints;
  }

  async run(): Promise<void> {
    const { kills, powerEvery } = this.#plan;
    const start = performance.now();
    for (let kill = 1; kill <= kills; kill++) {
      await this.#kill({
        power: powerEvery > 0 && kill % powerEvery === 0,
        upon250: kill % UPON_250_EVERY === 0,
      });
      if (kill % 10 === 0) this.#say(`${kill} kills, ${this.#load.ledger.length} acknowledged`);
    }
    await this.#load.stop();
    await this.#drain();
    await this.#sink.idle();
    const { ledger, surprises } = this.#load;
    const { receipts, complaints, tally } = this.#sink;
    const mail = judgeMail(this.#load, receipts);
    const struck = receipts.filter(({ killed }) => killed !== undefined);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const megabytes = ledger.reduce((sum, { octets }) => sum + octets, 0) / 2 ** 20;
    const recipients = ledger.reduce((sum, { recipients }) => sum + recipients.length, 0);
    this.figures =
      `${kills} kills, ${this.#powerFailures} of them power failures, ${struck.length} by the ` +
      `sink (${struck.filter(({ killed }) => killed === "before 250").length} before its 250, ` +
      `${struck.filter((receipt) => mail.repeated.has(receipt)).length} with a repetition); ` +
      `${ledger.length} messages of ${Math.round(megabytes)} MiB acknowledged for ` +
      `${recipients} recipients; ${receipts.length} transactions in ${tally.sessions} sessions ` +
      `at the sink, ${mail.repeated.size} repeated (at most ${kills * TRANSACTIONS}); put off ` +
      `${tally.putOff} recipients and ${tally.deferred} messages, ${tally.tooMany} too many, ` +
      `sessions ended ` +
      `${tally.ended} with 421 and ${tally.broken} without a word; first acknowledged within ` +
      `${Math.round(this.#slowest)} ms; ${seconds} s, seed ${this.#plan.seed}`;
    this.problems.push(...surprises, ...complaints, ...mail.problems);
    // A harness that has lost its sting proves nothing.
    if (this.#strokesDue > 0 && struck.length === 0) this.problems.push("the sink never killed");
    this.problems.push(...await judgeSpool(this.#spools.spool, this.#load));
  }

  async #kill({ power, upon250 }: { power: boolean; upon250: boolean }): Promise<void> {
    const strace = power ? this.#strace : undefined;
    if (strace !== undefined) this.#spools.remember();
    const run = this.#start(strace);
    this.#load.use(run);
    if (upon250) await this.#upon250(run);
    else if (this.#chance.happens(DURING_START)) {
      await pass(this.#chance.between(0, LONGEST_START));
    } else await this.#underLoad(run);
    await this.#end(run);
    if (strace === undefined || this.#over) return;
    this.#powerFailures++;
    this.#spools.failPower();
  }

  /** Some time after the first message was acknowledged. */
  async #busy({ ended }: Run): Promise<void> {
    const start = performance.now();
    await Promise.race([this.#load.acknowledged(), ended]);
    this.#slowest = Math.max(this.#slowest, performance.now() - start);
    await Promise.race([pass(this.#chance.between(SOONEST, LATEST)), ended]);
  }

  async #underLoad(run: Run): Promise<void> {
    await this.#busy(run);
    if (!this.#chance.happens(UPON_REPLY)) return;
    // What was said too early has no time to become true.
    await Promise.race([this.#load.acknowledged(), pass(LATEST), run.ended]);
  }

  async #upon250(run: Run): Promise<void> {
    await this.#busy(run);
    this.#strokesDue++;
    const stroke = this.#sink.strike({
      run: run.number,
      moment: this.#chance.happens(BEFORE_250) ? "before 250" : "upon 250",
      after: this.#chance.happens(LATER) ? this.#chance.between(1, LATEST_UPON_250) : 0,
      strike: () => run.strike(),
    });
    await Promise.race([stroke, pass(LATEST), run.ended]);
    this.#sink.spare();
  }

  #start(strace?: string): Run {
    if (this.#over) throw new Error("the trial is over");
    const { spool, record } = this.#spools;
    const recorded = strace === undefined ? undefined : { strace, record };
    return this.#run = new Run({
      number: ++this.#runs,
      sink: this.#sink.port,
      spool,
      recorded,
    });
  }

  async #end(run: Run): Promise<void> {
    const { code, signal } = await run.kill();
    if (signal !== "SIGKILL") this.problems.push(`daemon ${run.number} ended with ${code}`);
    this.#listen(run);
  }

  #listen({ number, complaints }: Run): void {
    for (const line of complaints.split("\n")) {
      // The recorder does without what it would like to have.
      if (line === "" || line.includes("seccomp filter is requested")) continue;
      this.problems.push(`daemon ${number} says: ${line}`);
    }
  }

  /** Until its queue is empty. */
  async #drain(): Promise<void> {
    const run = this.#start();
    await run.drained(this.#sink);
    const { code } = await run.stop();
    if (code !== 0) this.problems.push(`the last daemon ended with ${code}`);
    this.#listen(run);
  }

  #say(line: string): void {
    this.#plan.say?.(line);
  }

  /** In whatever state it is: no daemon is left. */
  async end(): Promise<void> {
    this.#over = true;
    await this.#run?.kill();
    await this.#load.stop();
    await this.#sink[Symbol.asyncDispose]();
  }
}

function pass(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

if (import.meta.main) {
  const after = (name: string) => {
    const at = Deno.args.indexOf(name);
    return at < 0 ? undefined : Number(Deno.args[at + 1]);
  };
  const has = (name: string) => Deno.args.includes(name);
  const kills = after("--kills") ?? 50;
  const seed = after("--seed") ?? newSeed();
  const powerEvery = has("--power") ? 1 : has("--no-power") ? 0 : 5;
  console.log(`seed ${seed}`);
  const { problems, figures } = await crash({ kills, seed, powerEvery, say: console.log });
  console.log(figures);
  for (const problem of problems.slice(0, 50)) console.log(`  ${problem}`);
  if (problems.length > 0) {
    console.log(`${problems.length} problems`);
    Deno.exit(1);
  }
}
