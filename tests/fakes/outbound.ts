/** A way out to servers of a test: by the name of `d.example`, at addresses of loopback. */

import { world as realWorld } from "../../src/deno/world.ts";
import type { Outcome } from "../../src/mail/outcome.ts";
import { Meter } from "../../src/meter.ts";
import { Outbound } from "../../src/outbound/outbound.ts";
import type { StsPolicy } from "../../src/outbound/mta_sts.ts";
import { Router, type RouteRules } from "../../src/outbound/route.ts";
import type { Credentials, Policy } from "../../src/outbound/target.ts";
import type { World } from "../../src/ports.ts";
import type { Claim } from "../../src/ports/store.ts";
import { parseMailbox } from "../../src/smtp/address.ts";
import type { Sender } from "../../src/smtp/transaction.ts";
import { ListedNames } from "./names.ts";

export interface Way {
  readonly addresses?: readonly string[];
  readonly policy?: Policy;
  readonly world?: Partial<World>;
  /** What the domain has published. */
  readonly sts?: StsPolicy;
  /** By a relay, in place of what names say. */
  readonly relay?: { readonly implicitTls?: boolean; readonly credentials?: Credentials };
}

/** As the settings have them where nothing is set. */
export const RULES: RouteRules = {
  hostname: "relay.example",
  routes: new Map(),
  deliveryPort: 25,
  allowLocalTargets: false,
  ipPreference: "any",
  mtaSts: true,
  ownAddresses: new Set(["198.51.100.1"]),
  policy: () => "verify",
};

export function claimOf(to: readonly string[], sender: Partial<Sender> = {}): Claim {
  return {
    message: 1,
    id: "m",
    domain: "d.example",
    sender: { mailbox: parseMailbox("a@example.com")!, body: "7BIT", utf8: false, ...sender },
    recipients: to.map((local, position) => ({
      mailbox: parseMailbox(`${local}@d.example`)!,
      position,
      attempts: 0,
      delayTold: false,
    })),
    size: 20,
    enteredAt: 0,
    lease: 1,
  };
}

export function outboundTo(port: number, way: Way = {}): Outbound {
  const { addresses = ["127.0.0.1"], policy = "none", world, relay, sts } = way;
  const names = new ListedNames({ "d.example": { a: addresses }, "localhost": { a: addresses } });
  const router = new Router(names, world?.random ?? realWorld.random, () => ({
    ...RULES,
    relay: relay && { name: "localhost", port, policy, implicitTls: false, ...relay },
    deliveryPort: port,
    allowLocalTargets: true,
    ipPreference: "ipv4",
    ownAddresses: new Set(),
    policy: () => policy,
  }), { policy: () => Promise.resolve(sts) });
  return new Outbound(router, "relay.example", { ...realWorld, meter: new Meter(), ...world });
}

const SHORT = "Subject: x\r\n\r\nx\r\n";

/** The outcomes, in words. */
export async function deliver(outbound: Outbound, claim: Claim, content = SHORT) {
  return (await delivered(outbound, claim, content)).map((outcome) =>
    outcome === undefined ? "not tried" : inWords(outcome)
  );
}

/** All of them were tried. */
export async function outcomes(outbound: Outbound, claim: Claim, content = SHORT) {
  return (await delivered(outbound, claim, content)).map((outcome) => {
    if (outcome === undefined) throw new Error("somebody was not tried");
    return outcome;
  });
}

async function delivered(outbound: Outbound, claim: Claim, content: string) {
  const octets = new TextEncoder().encode(content);
  return await outbound.deliver(
    claim,
    () => Promise.resolve({ chunks: [octets], size: octets.length }),
    new AbortController().signal,
  );
}

const inWords = ({ kind, scope, command, status, reply }: Outcome) =>
  `${kind} ${scope} ${command}: ${status} ${reply}`;
