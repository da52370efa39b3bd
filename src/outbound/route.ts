/**
 * Which hosts take mail for a domain, in the order in which they are to be tried (RFC 5321 §5.1):
 * those of a route, or of the relay of all, or those that DNS names.
 *
 * Promises: mail never goes to this host itself, nor, by what DNS says, into the networks behind
 * it, unless that is allowed; only what is certain fails mail, everything else defers it.
 */

import ipaddr from "ipaddr.js";
import type { Outcome } from "../mail/outcome.ts";
import type { Random } from "../ports.ts";
import type { Answer, Dns, Mx } from "../ports/dns.ts";
import { asciiDomain } from "../smtp/address.ts";
import { siteDeferred, siteFailed } from "./failure.ts";
import { type MtaSts, names as isNamed, type StsAnswer, type StsPolicy } from "./mta_sts.ts";
import type { Host, Policy, Target } from "./target.ts";

export type Rule =
  | { readonly kind: "mx" }
  | { readonly kind: "hold" }
  | { readonly kind: "reject" }
  | { readonly kind: "relay"; readonly host: Host };

export interface RouteRules {
  readonly hostname: string;
  /** By domain; a route of its own wins over the relay of all. */
  readonly routes: ReadonlyMap<string, Rule>;
  readonly relay?: Host;
  readonly deliveryPort: number;
  readonly allowLocalTargets: boolean;
  readonly ipPreference: "any" | "ipv4" | "ipv6";
  /** The addresses of this host. */
  readonly ownAddresses: ReadonlySet<string>;
  policy(domain: string): Policy;
  /** What domains have published is heeded. */
  readonly mtaSts: boolean;
}

export type Route =
  | { readonly targets: readonly Target[] }
  /** Nobody is to be tried. */
  | { readonly outcome: Outcome };

/** RFC 1035 §2.3.4, as it is written. */
const LONGEST_NAME = 253;
/** RFC 5321 §5.1 asks for all; whoever names more wants us to be busy. */
const MOST_HOSTS = 20;

type Found = { addresses: string[]; doubt?: string };

export class Router {
  readonly #dns: Dns;
  readonly #random: Random;
  readonly #rules: () => RouteRules;

  readonly #sts: Pick<MtaSts, "policy"> | undefined;

  constructor(
    dns: Dns,
    random: Random,
    rules: () => RouteRules,
    sts?: Pick<MtaSts, "policy">,
  ) {
    this.#sts = sts;
    this.#dns = dns;
    this.#random = random;
    this.#rules = rules;
  }

  /** `requireTls`: the sender wants it kept from everybody else (RFC 8689). */
  async route(domain: string, requireTls = false): Promise<Route> {
    const route = await this.#route(domain, requireTls);
    return requireTls ? requiring(route) : route;
  }

  async #route(domain: string, requireTls: boolean): Promise<Route> {
    const { routes, relay } = this.#rules();
    const rule = routes.get(domain) ?? (relay && { kind: "relay", host: relay });
    switch (rule?.kind) {
      case "hold":
        return {
          outcome: { kind: "held", scope: "site", reply: "held by a route", status: "4.7.1" },
        };
      case "reject":
        return { outcome: siteFailed(`mail for ${domain} is rejected by a route`, "5.7.1") };
      case "relay":
        return await this.#byRelay(rule.host);
      default:
        return await this.#byMx(domain, requireTls);
    }
  }

  /** Named by the operator: it may be anywhere. */
  async #byRelay(host: Host): Promise<Route> {
    const { addresses, doubt } = await this.#addressesOf(host.name);
    if (addresses.length > 0) {
      return { targets: addresses.map((address) => ({ ...host, address })) };
    }
    const why = doubt ?? "it has no address";
    // A wrong setting is no reason to give mail back.
    return { outcome: siteDeferred(`relay ${host.name} cannot be found: ${why}`, "4.4.4") };
  }

  async #byMx(given: string, requireTls: boolean): Promise<Route> {
    const literal = /^\[(?:IPv6:)?([^\]]+)\]$/i.exec(given)?.[1];
    if (literal !== undefined) {
      return this.#allowed(given, [this.#target(given, literal, literal)]);
    }
    const domain = asciiDomain(given);
    if (domain === undefined || domain.length > LONGEST_NAME) {
      return { outcome: siteFailed(`${given} can be no domain of DNS`, "5.1.2") };
    }
    const answer = await this.#dns.mx(domain);
    if (answer.kind === "unknown") {
      return {
        outcome: siteDeferred(`MX of ${domain} is not known now: ${answer.reason}`, "4.4.3"),
      };
    }
    if (answer.kind === "nonexistent") {
      return { outcome: siteFailed(`domain ${domain} does not exist`, "5.1.2") };
    }
    const hosts = this.#hostsOf(domain, answer);
    if ("outcome" in hosts) return hosts;
    const sts = await this.#stsOf(domain);
    // RFC 8689 §4.2.1: whoever could forge the MX could name a host of their own.
    const refusal = requireTls && answer.kind === "found" ? unvouched(domain, sts) : undefined;
    if (refusal !== undefined) return { outcome: refusal };
    // RFC 8461 §5: a policy that is only tested is not held to.
    if (!isPolicy(sts) || sts.mode !== "enforce" && !requireTls) {
      return await this.#targetsOf(domain, hosts.hosts);
    }
    const named = hosts.hosts.filter(({ host }) => isNamed(sts, host));
    if (named.length === 0) {
      return {
        outcome: siteDeferred(`no host for ${domain} is one of its MTA-STS policy`, "4.7.5"),
      };
    }
    return requiring(await this.#targetsOf(domain, named));
  }

  async #stsOf(domain: string): Promise<StsAnswer> {
    const { mtaSts, policy } = this.#rules();
    return mtaSts && policy(domain) !== "none" ? await this.#sts?.policy(domain) : undefined;
  }

  /** In their order, without us and those behind us (RFC 5321 §5.1). */
  #hostsOf(domain: string, answer: Answer<Mx>): { hosts: Mx[] } | { outcome: Outcome } {
    // RFC 5321 §5.1: without any, the domain itself is the host.
    const known = answer.kind === "found" ? answer.records : [{ preference: 0, host: domain }];
    const records = shuffled(known, this.#random)
      .sort((a, b) => a.preference - b.preference);
    // RFC 7505 §3.
    if (records.every(({ host }) => host === "")) {
      return { outcome: siteFailed(`domain ${domain} takes no mail (null MX)`, "5.1.10") };
    }
    const own = records.find(({ host }) => host.toLowerCase() === this.#rules().hostname);
    const better = records.filter(({ host, preference }) =>
      host !== "" && preference < (own?.preference ?? Infinity)
    );
    return better.length === 0
      ? { outcome: siteFailed(`mail for ${domain} loops back to this host`, "5.4.6") }
      : { hosts: better.slice(0, MOST_HOSTS) };
  }

  async #targetsOf(domain: string, hosts: readonly Mx[]): Promise<Route> {
    const { ownAddresses } = this.#rules();
    const found = await Promise.all(hosts.map(async ({ host, preference }) => ({
      host,
      preference,
      ...await this.#addressesOf(host),
    })));
    const own = found.find(({ addresses }) =>
      addresses.some((address) => ownAddresses.has(address))
    );
    const better = found.filter(({ preference }) => preference < (own?.preference ?? Infinity));
    const targets = better.flatMap(({ host, addresses }) =>
      addresses.map((address) => this.#target(domain, host, address))
    );
    if (targets.length > 0) return this.#allowed(domain, targets);
    if (better.length === 0) {
      return { outcome: siteFailed(`mail for ${domain} loops back to this host`, "5.4.6") };
    }
    const doubt = better.find(({ doubt }) => doubt !== undefined)?.doubt;
    return doubt === undefined
      ? { outcome: siteFailed(`no host for ${domain} has an address`, "5.4.4") }
      : { outcome: siteDeferred(`hosts for ${domain} are not known now: ${doubt}`, "4.4.3") };
  }

  #allowed(domain: string, targets: readonly Target[]): Route {
    if (this.#rules().allowLocalTargets) return { targets };
    const outside = targets.filter(({ address }) => isPublic(address));
    return outside.length > 0
      ? { targets: outside }
      : { outcome: siteFailed(`hosts for ${domain} have local addresses only`, "5.4.6") };
  }

  #target(domain: string, name: string, address: string): Target {
    const { deliveryPort, policy } = this.#rules();
    return { name, address, port: deliveryPort, policy: policy(domain), implicitTls: false };
  }

  async #addressesOf(name: string): Promise<Found> {
    if (ipaddr.isValid(name)) return { addresses: [name] };
    const { ipPreference } = this.#rules();
    const families = ipPreference === "ipv4"
      ? ["ipv4", "ipv6"] as const
      : ["ipv6", "ipv4"] as const;
    const answers = await Promise.all(
      families.map((family) => this.#dns.addresses(name, family)),
    );
    const lists = answers.map((answer) =>
      answer.kind === "found" ? shuffled(answer.records, this.#random) : []
    );
    // Where any will do, one of each in turn: a family that leads nowhere costs one attempt.
    const addresses = ipPreference === "any" ? alternating(lists) : lists.flat();
    const unknown = answers.find((answer) => answer.kind === "unknown");
    return { addresses, doubt: unknown?.kind === "unknown" ? unknown.reason : undefined };
  }
}

function isPolicy(sts: StsAnswer): sts is StsPolicy {
  return sts !== undefined && sts !== "unknown" && sts.mode !== "none";
}

/** Why the hosts of a domain cannot be told from others, if they cannot. */
function unvouched(domain: string, sts: StsAnswer): Outcome | undefined {
  if (isPolicy(sts)) return undefined;
  return sts === "unknown"
    ? siteDeferred(`MTA-STS policy of ${domain} is not known now, and TLS is required`, "4.4.3")
    : siteFailed(`TLS is required, and ${domain} has no MTA-STS policy for its hosts`, "5.7.30");
}

/** TLS, and a certificate that is valid. */
function requiring(route: Route): Route {
  if ("outcome" in route) return route;
  return { targets: route.targets.map((target) => ({ ...target, policy: "require" })) };
}

function isPublic(address: string): boolean {
  return ipaddr.process(address).range() === "unicast";
}

function alternating(lists: readonly (readonly string[])[]): string[] {
  const longest = Math.max(...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, i) => lists.map((list) => list[i]))
    .flat().filter((each) => each !== undefined);
}

/** RFC 5321 §5.1: equal ones at random, to spread the load. */
function shuffled<T>(records: readonly T[], random: Random): T[] {
  const chance = new Uint8Array(records.length * 4);
  random.fill(chance);
  const view = new DataView(chance.buffer);
  return records.map((record, i) => ({ record, at: view.getUint32(i * 4) }))
    .sort((a, b) => a.at - b.at).map(({ record }) => record);
}
