/**
 * Which clients may use the server: by network, by address, or by host name (RFC 5321 §7.9
 * leaves it to the site).
 *
 * Promises: with nothing allowed, nobody is; an IPv4 client is the same whether it comes
 * over an IPv4 or an IPv6 socket; no verdict takes longer than ten seconds.
 *
 * A host name stands for the addresses it resolves to. A client that is none of them may
 * still have a name of the list by reverse DNS, if that name resolves back to it (RFC 8601
 * §3 calls it iprev). Both are remembered for a minute. When names cannot be looked up, old
 * answers go on counting; a client that only they could admit is told to come again.
 */

import ipaddr from "ipaddr.js";
import { type Clock, type Log, LookupError, type Resolver, type World } from "../ports.ts";

export type Verdict = "allowed" | "refused" | "unknown";

/** Says who may use a server. */
export interface AccessRule {
  check(address: string): Verdict | Promise<Verdict>;
}

/** A block of addresses. */
export interface Network {
  readonly address: string;
  readonly prefix: number;
}

export interface AccessList {
  readonly networks: readonly Network[];
  /** In lower case. */
  readonly hosts: readonly string[];
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

const REMEMBERED = 60_000;
/** Client addresses whose verdict is remembered. */
const MOST_REMEMBERED = 10_000;
const LONGEST = 10_000;
/** After a failure the name is asked for again sooner. */
const FAILURE_REMEMBERED = 5_000;

type Surroundings = Pick<World, "resolver" | "clock" | "log">;

interface Known {
  readonly addresses: readonly string[];
  readonly failed: boolean;
  readonly until: number;
}

export class Access implements AccessRule {
  readonly #networks: readonly [Address, number][];
  readonly #hosts: readonly string[];
  readonly #resolver: Resolver;
  readonly #clock: Clock;
  readonly #log: Log;
  #lastAllowed: string | undefined;
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<Known>>();
  readonly #judging = new Map<string, Promise<Verdict>>();
  readonly #verdicts = new Map<string, { verdict: Verdict; until: number }>();

  constructor({ networks, hosts }: AccessList, { resolver, clock, log }: Surroundings) {
    const literal = hosts.filter((host) => ipaddr.isValid(host));
    this.#hosts = hosts.filter((host) => !ipaddr.isValid(host));
    this.#networks = [
      ...networks.map(({ address, prefix }) => plainNetwork(address, prefix)),
      ...literal.map((address) => plainNetwork(address, 128)),
    ];
    this.#resolver = resolver;
    this.#clock = clock;
    this.#log = log;
  }

  check(address: string): Verdict | Promise<Verdict> {
    if (address === this.#lastAllowed) return "allowed";
    const client = ipaddr.process(address);
    if (isIn(client, this.#networks)) {
      this.#lastAllowed = address;
      return "allowed";
    }
    return this.#hosts.length === 0 ? "refused" : this.#checkHosts(client.toString());
  }

  #checkHosts(address: string): Verdict | Promise<Verdict> {
    for (const host of this.#hosts) {
      if (!this.#known.get(host)?.addresses.includes(address)) continue;
      // Perhaps an old answer: a newer one is fetched for those who come next.
      this.#lookUp(host).catch(() => {});
      return "allowed";
    }
    const remembered = this.#verdicts.get(address);
    if (remembered !== undefined && this.#clock.monotonic() < remembered.until) {
      return remembered.verdict;
    }
    let judging = this.#judging.get(address);
    if (judging === undefined) {
      judging = this.#inTime(this.#ask(address))
        .then((verdict) => this.#remember(address, verdict))
        .finally(() => this.#judging.delete(address));
      this.#judging.set(address, judging);
    }
    return judging;
  }

  /** Forward and reverse at once; the first that admits decides. */
  async #ask(address: string): Promise<Verdict> {
    const asked = [...this.#hosts.map((host) => this.#isOf(host, address)), this.#byName(address)];
    const admitted = asked.map(async (each) => {
      if (await each !== "allowed") throw new Error("not admitted by this one");
      return "allowed" as const;
    });
    return await Promise.any(admitted).catch(async () =>
      (await Promise.all(asked)).includes("unknown") ? "unknown" : "refused"
    );
  }

  async #isOf(host: string, address: string): Promise<Verdict> {
    const { addresses, failed } = await this.#lookUp(host);
    if (addresses.includes(address)) return "allowed";
    return failed ? "unknown" : "refused";
  }

  /** By reverse DNS, confirmed forward, and that newly asked. */
  async #byName(address: string): Promise<Verdict> {
    try {
      for (const given of await this.#resolver.names(address)) {
        const name = given.toLowerCase().replace(/\.$/, "");
        if (!this.#hosts.includes(name)) continue;
        if ((await this.#resolver.addresses(name)).map(plain).includes(address)) return "allowed";
      }
      return "refused";
    } catch (error) {
      if (!(error instanceof LookupError)) throw error;
      return "unknown";
    }
  }

  #inTime(verdict: Promise<Verdict>): Promise<Verdict> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.timer(LONGEST, () => resolve("unknown"));
      verdict.then(resolve, reject).finally(cancel);
    });
  }

  #remember(address: string, verdict: Verdict): Verdict {
    const time = verdict === "unknown" ? FAILURE_REMEMBERED : REMEMBERED;
    if (this.#verdicts.size >= MOST_REMEMBERED) {
      this.#verdicts.delete(this.#verdicts.keys().next().value!);
    }
    this.#verdicts.set(address, { verdict, until: this.#clock.monotonic() + time });
    return verdict;
  }

  /** Many clients that come at once ask once. */
  async #lookUp(host: string): Promise<Known> {
    const known = this.#known.get(host);
    if (known !== undefined && this.#clock.monotonic() < known.until) return known;
    let asking = this.#asking.get(host);
    if (asking === undefined) {
      asking = this.#resolve(host, known).finally(() => this.#asking.delete(host));
      this.#asking.set(host, asking);
    }
    return await asking;
  }

  async #resolve(host: string, before: Known | undefined): Promise<Known> {
    let found: Known;
    try {
      const addresses = (await this.#resolver.addresses(host)).map(plain);
      found = { addresses, failed: false, until: this.#clock.monotonic() + REMEMBERED };
      if (addresses.length === 0 && before?.addresses.length !== 0) {
        this.#log("warning", "allowed host has no address", { host });
      }
    } catch (error) {
      if (!(error instanceof LookupError)) throw error;
      const addresses = before?.addresses ?? [];
      found = { addresses, failed: true, until: this.#clock.monotonic() + FAILURE_REMEMBERED };
    }
    this.#known.set(host, found);
    return found;
  }
}

/** Whether an address, as `plain` gives it, is in one of the networks. */
export function isAmong(address: string, networks: readonly Network[]): boolean {
  return isIn(
    ipaddr.parse(address),
    networks.map(({ address, prefix }) => plainNetwork(address, prefix)),
  );
}

function isIn(client: Address, networks: readonly [Address, number][]): boolean {
  return networks.some(([network, prefix]) =>
    client.kind() === network.kind() && client.match(network, prefix)
  );
}

/**
 * What one client can have all of: an address of IPv4, and of IPv6 the 64 bits before those that
 * it gives itself (RFC 4291 §2.5.4).
 */
export function networkOf(address: string): string {
  if (!ipaddr.IPv6.isValid(address)) return address;
  const parts = ipaddr.IPv6.parse(address).parts.map((part, i) => i < 4 ? part : 0);
  return `${new ipaddr.IPv6(parts)}/64`;
}

/** `::ffff:192.0.2.1` is written `192.0.2.1`; every address has one spelling. */
export function plain(address: string): string {
  // Most connections are of whoever had the one before.
  if (address !== lastGiven) {
    lastGiven = address;
    lastPlain = ipaddr.isValid(address) ? ipaddr.process(address).toString() : address;
  }
  return lastPlain;
}

let lastGiven = "";
let lastPlain = "";

function plainNetwork(address: string, prefix: number): [Address, number] {
  const base = ipaddr.parse(address);
  if (base instanceof ipaddr.IPv6 && base.isIPv4MappedAddress() && prefix >= 96) {
    return [base.toIPv4Address(), prefix - 96];
  }
  return [base, Math.min(prefix, base.kind() === "ipv4" ? 32 : 128)];
}
