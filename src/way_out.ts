/** The way out as the settings have it: joins them with the stage that delivers. */

import type { Config } from "./config.ts";
import { MtaSts } from "./outbound/mta_sts.ts";
import { Names } from "./outbound/names.ts";
import { Outbound } from "./outbound/outbound.ts";
import { Router, type RouteRules } from "./outbound/route.ts";
import { hostOf, policyOf, ruleOf } from "./outbound/rules.ts";
import type { World } from "./ports.ts";
import type { Dns } from "./ports/dns.ts";
import type { Keepsake } from "./ports/keepsake.ts";
import type { WayOut } from "./relay.ts";

/** Addresses of this host change seldom. */
const LOOK_EVERY = 60_000;

/**
 * `current`: the settings are asked for at each attempt, they may change while the daemon runs.
 * `published`: where policies of others are kept over a restart.
 */
export function wayOut(
  config: Config,
  current: () => Config,
  dns: Dns,
  world: World,
  published?: Keepsake,
): WayOut {
  const own = ownAddresses(world);
  const rules = remembered((config: Config) => rulesOf(config, world));
  const names = new Names(dns, world);
  const rulesNow = () => ({
    ...rules(current()),
    ownAddresses: config.allowLocalTargets ? NONE : own(),
  });
  const sts = new MtaSts(names, world, published);
  const router = new Router(names, world.random, rulesNow, sts);
  const outbound = new Outbound(router, config.hostname, world);
  return {
    delivery: outbound,
    async close() {
      outbound.close();
      await sts.close();
    },
  };
}

const NONE: ReadonlySet<string> = new Set();

function rulesOf(config: Config, world: World): Omit<RouteRules, "ownAddresses"> {
  const policy = policyOf(config.tlsPolicy);
  const { hostname, routes = new Map<string, string>(), relayUrl } = config;
  return {
    hostname,
    routes: new Map([...routes].map(([domain, value]) => [domain, ruleOf(value, policy)])),
    relay: relayUrl === undefined ? undefined : hostOf(relayUrl, policy, tokenOf(config, world)),
    deliveryPort: config.deliveryPort,
    allowLocalTargets: config.allowLocalTargets,
    ipPreference: config.ipPreference,
    mtaSts: config.mtaSts,
    policy,
  };
}

/** A token does not last: whoever renews it writes the file. */
function tokenOf({ relayToken, relayTokenFile }: Config, { readText }: World) {
  if (relayToken === undefined) return undefined;
  return () => {
    const text = relayTokenFile === undefined ? relayToken : readText(relayTokenFile);
    return typeof text === "string" ? text.trim() : undefined;
  };
}

/** Computed anew only for another configuration. */
function remembered<T>(compute: (config: Config) => T): (config: Config) => T {
  let of: Config | undefined;
  let value: T;
  return (config) => {
    if (config !== of) {
      value = compute(config);
      of = config;
    }
    return value;
  };
}

function ownAddresses({ clock, outward }: World): () => ReadonlySet<string> {
  let known = NONE;
  let until = -Infinity;
  return () => {
    if (clock.monotonic() >= until) {
      known = new Set(outward.ownAddresses());
      until = clock.monotonic() + LOOK_EVERY;
    }
    return known;
  };
}
