/**
 * MTA-STS (RFC 8461): what a domain has published of its hosts and their TLS.
 *
 * Promises: a policy that was once had holds for its whole time, whatever stands between us and
 * the domain then, and over a restart; memory is bounded; a policy that cannot be had delays
 * nothing but its mail.
 */

import type { Clock, Log } from "../ports.ts";
import type { Dns } from "../ports/dns.ts";
import type { Keepsake } from "../ports/keepsake.ts";
import type { Outward } from "../ports/outward.ts";

export interface StsPolicy {
  readonly mode: "enforce" | "testing" | "none";
  /** Host names, or `*.` and a domain. */
  readonly mx: readonly string[];
  /** Milliseconds. */
  readonly maxAge: number;
}

interface Kept {
  readonly id: string;
  readonly policy: StsPolicy;
  readonly until: number;
}

/** As it is written down; `until` by the clock on the wall. */
interface Written extends Kept {
  readonly domain: string;
}

/** `unknown`: it is not known now whether there is one. */
export type StsAnswer = StsPolicy | "unknown" | undefined;

interface Surroundings {
  readonly outward: Pick<Outward, "fetchText">;
  readonly clock: Clock;
  readonly log: Log;
}

/** RFC 8461 §3.2: about a year. */
const LONGEST_AGE = 31_557_600_000;
/** RFC 8461 §3.3. */
const TRY_AGAIN = 5 * 60_000;
const MOST_KEPT = 10_000;
/** Those that come together are written down together. */
const WRITTEN_AFTER = 5_000;

/** The id of the record, of which there must be one (RFC 8461 §3.1). */
export function idOf(texts: readonly string[]): string | undefined {
  const records = texts.filter((text) => /^v=STSv1 *;/.test(text));
  return records.length === 1
    ? /; *id *= *([A-Za-z0-9]{1,32}) *(?:;|$)/.exec(records[0])?.[1]
    : undefined;
}

export function parsePolicy(text: string): StsPolicy | undefined {
  const fields = text.split(/\r?\n/).map((line) => /^([A-Za-z0-9_]+) *: *(.*?) *$/.exec(line))
    .filter((field) => field !== null).map(([, name, value]) => [name, value] as const);
  const first = (name: string) => fields.find(([each]) => each === name)?.[1];
  const mode = first("mode");
  const maxAge = first("max_age") ?? "";
  const mx = fields.filter(([name]) => name === "mx").map(([, host]) => host.toLowerCase());
  const isWhole = first("version") === "STSv1" && /^[0-9]{1,10}$/.test(maxAge) &&
    (mode === "none" || mx.length > 0);
  return isWhole && (mode === "enforce" || mode === "testing" || mode === "none")
    ? { mode, mx, maxAge: Math.min(Number(maxAge) * 1000, LONGEST_AGE) }
    : undefined;
}

/** RFC 8461 §4.1: `*.` stands for one label. */
export function names({ mx }: StsPolicy, host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, "");
  return mx.some((pattern) =>
    pattern.startsWith("*.")
      ? name.slice(name.indexOf(".")) === pattern.slice(1) && name.includes(".")
      : name === pattern
  );
}

export class MtaSts {
  readonly #dns: Dns;
  readonly #world: Surroundings;
  readonly #keepsake: Keepsake | undefined;
  readonly #kept = new Map<string, Kept>();
  readonly #failed = new Map<string, number>();
  readonly #fetching = new Map<string, Promise<StsAnswer>>();
  #cancelWriting: (() => void) | undefined;
  #writing = Promise.resolve();

  /** Without a keepsake, what was had is forgotten at the end. */
  constructor(dns: Dns, world: Surroundings, keepsake?: Keepsake) {
    this.#dns = dns;
    this.#world = world;
    this.#keepsake = keepsake;
    this.#remember();
  }

  /** What holds for a domain now. */
  async policy(domain: string): Promise<StsAnswer> {
    const now = this.#world.clock.monotonic();
    const kept = this.#kept.get(domain);
    const valid = kept !== undefined && now < kept.until ? kept : undefined;
    const answer = await this.#dns.texts(`_mta-sts.${domain}`);
    const id = answer.kind === "found" ? idOf(answer.records) : undefined;
    if (id === undefined) {
      return valid?.policy ?? (answer.kind === "unknown" ? "unknown" : undefined);
    }
    if (id === valid?.id) return valid.policy;
    if (now < (this.#failed.get(domain) ?? -Infinity)) return valid?.policy ?? "unknown";
    let fetching = this.#fetching.get(domain);
    if (fetching === undefined) {
      fetching = this.#fetch(domain, id).finally(() => this.#fetching.delete(domain));
      this.#fetching.set(domain, fetching);
    }
    const fetched = await fetching;
    return fetched === "unknown" ? valid?.policy ?? fetched : fetched;
  }

  /** Writes down what has not been. */
  async close(): Promise<void> {
    if (this.#cancelWriting !== undefined) this.#write();
    await this.#writing;
  }

  async #fetch(domain: string, id: string): Promise<StsAnswer> {
    const { outward, clock, log } = this.#world;
    const url = `https://mta-sts.${domain}/.well-known/mta-sts.txt`;
    let problem: string;
    try {
      const policy = parsePolicy(await outward.fetchText(url));
      if (policy !== undefined) {
        keep(this.#kept, domain, { id, policy, until: clock.monotonic() + policy.maxAge });
        this.#failed.delete(domain);
        this.#writeSoon();
        return policy;
      }
      problem = "it is no policy";
    } catch (error) {
      problem = messageOf(error);
    }
    keep(this.#failed, domain, clock.monotonic() + TRY_AGAIN);
    log("warning", "MTA-STS policy cannot be had", { domain, problem });
    return "unknown";
  }

  #remember(): void {
    const { clock, log } = this.#world;
    try {
      const text = this.#keepsake?.read();
      if (text === undefined) return;
      for (const { domain, id, policy, until } of JSON.parse(text) as Written[]) {
        // The clock on the wall may have been set: none lasts longer than it was to.
        const left = Math.min(until - clock.now(), policy.maxAge);
        if (left > 0) keep(this.#kept, domain, { id, policy, until: clock.monotonic() + left });
      }
    } catch (error) {
      // They can be had again; until then their domains are as if never written to.
      log("warning", "MTA-STS policies of before cannot be read", { problem: messageOf(error) });
    }
  }

  #writeSoon(): void {
    if (this.#keepsake === undefined) return;
    this.#cancelWriting ??= this.#world.clock.timer(WRITTEN_AFTER, () => this.#write());
  }

  #write(): void {
    const { clock, log } = this.#world;
    this.#cancelWriting?.();
    this.#cancelWriting = undefined;
    const ahead = clock.now() - clock.monotonic();
    const written = [...this.#kept].map(([domain, { id, policy, until }]): Written => ({
      domain,
      id,
      policy,
      until: Math.round(until + ahead),
    }));
    this.#writing = this.#writing.then(() => this.#keepsake!.write(JSON.stringify(written)))
      .catch((error) => {
        log("warning", "MTA-STS policies not written down", { problem: messageOf(error) });
      });
  }
}

const messageOf = (error: unknown) => error instanceof Error ? error.message : String(error);

function keep<T>(all: Map<string, T>, domain: string, value: T): void {
  all.delete(domain);
  all.set(domain, value);
  if (all.size > MOST_KEPT) all.delete(all.keys().next().value!);
}
