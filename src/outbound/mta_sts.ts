/**
 * MTA-STS (RFC 8461): what a domain has published of its hosts and their TLS.
 *
 * Promises: a policy that was once had holds for its whole time, whatever stands between us and
 * the domain then; memory is bounded; a policy that cannot be had delays nothing but its mail.
 */

import type { Clock, Log } from "../ports.ts";
import type { Dns } from "../ports/dns.ts";
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

/** RFC 8461 §3.2: about a year. */
const LONGEST_AGE = 31_557_600_000;
/** RFC 8461 §3.3. */
const TRY_AGAIN = 5 * 60_000;
const MOST_KEPT = 10_000;

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
  readonly #outward: Pick<Outward, "fetchText">;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #log: Log;
  readonly #kept = new Map<string, Kept>();
  readonly #failed = new Map<string, number>();
  readonly #fetching = new Map<string, Promise<StsPolicy | undefined>>();

  constructor(
    dns: Dns,
    world: { outward: Pick<Outward, "fetchText">; clock: Pick<Clock, "monotonic">; log: Log },
  ) {
    this.#dns = dns;
    this.#outward = world.outward;
    this.#clock = world.clock;
    this.#log = world.log;
  }

  /** What holds for a domain now. */
  async policy(domain: string): Promise<StsPolicy | undefined> {
    const now = this.#clock.monotonic();
    const kept = this.#kept.get(domain);
    const valid = kept !== undefined && now < kept.until ? kept : undefined;
    const answer = await this.#dns.texts(`_mta-sts.${domain}`);
    const id = answer.kind === "found" ? idOf(answer.records) : undefined;
    if (id === undefined || id === valid?.id) return valid?.policy;
    if (now < (this.#failed.get(domain) ?? -Infinity)) return valid?.policy;
    let fetching = this.#fetching.get(domain);
    if (fetching === undefined) {
      fetching = this.#fetch(domain, id).finally(() => this.#fetching.delete(domain));
      this.#fetching.set(domain, fetching);
    }
    return await fetching ?? valid?.policy;
  }

  async #fetch(domain: string, id: string): Promise<StsPolicy | undefined> {
    const url = `https://mta-sts.${domain}/.well-known/mta-sts.txt`;
    let problem: string;
    try {
      const policy = parsePolicy(await this.#outward.fetchText(url));
      if (policy !== undefined) {
        keep(this.#kept, domain, { id, policy, until: this.#clock.monotonic() + policy.maxAge });
        this.#failed.delete(domain);
        return policy;
      }
      problem = "it is no policy";
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    keep(this.#failed, domain, this.#clock.monotonic() + TRY_AGAIN);
    this.#log("warning", "MTA-STS policy cannot be had", { domain, problem });
    return undefined;
  }
}

function keep<T>(all: Map<string, T>, domain: string, value: T): void {
  all.delete(domain);
  all.set(domain, value);
  if (all.size > MOST_KEPT) all.delete(all.keys().next().value!);
}
