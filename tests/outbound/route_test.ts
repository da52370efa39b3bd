/** S26, B17, B19, O5: which hosts take mail for a domain, and what is decided without any. */

import assert from "node:assert/strict";
import { random } from "../../src/deno/random.ts";
import { Meter } from "../../src/meter.ts";
import { Names } from "../../src/outbound/names.ts";
import { type Route, Router, type RouteRules } from "../../src/outbound/route.ts";
import { hostOf, policyOf, ruleOf } from "../../src/outbound/rules.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { ListedNames, type Records } from "../fakes/names.ts";
import { RULES } from "../fakes/outbound.ts";

const policy = policyOf({ standard: "verify", domains: new Map([["strict.example", "require"]]) });

function routed(
  domain: string,
  zone: Record<string, Records>,
  rules: Partial<RouteRules> = {},
): Promise<Route> {
  return new Router(new ListedNames(zone), random, () => ({ ...RULES, policy, ...rules })).route(
    domain,
  );
}

async function targets(...given: Parameters<typeof routed>): Promise<string[]> {
  const route = await routed(...given);
  assert.ok("targets" in route, JSON.stringify(route));
  return route.targets.map(({ name, address, port }) => `${name} ${address} ${port}`);
}

async function outcome(...given: Parameters<typeof routed>) {
  const route = await routed(...given);
  assert.ok("outcome" in route, JSON.stringify(route));
  return `${route.outcome.kind} ${route.outcome.status}`;
}

const one = (address: string): Records => ({ a: [address] });

Deno.test("S26 hosts come by preference, equal ones in any order, all of them", async () => {
  const zone = {
    "d.example": { mx: [[20, "c.example"], [10, "a.example"], [10, "b.example"]] as const },
    "a.example": one("203.0.114.1"),
    "b.example": one("203.0.114.2"),
    "c.example": one("203.0.114.3"),
  };
  const orders = new Set<string>();
  for (let i = 0; i < 64; i++) orders.add((await targets("d.example", zone)).join());
  const [a, b, c] = [
    "a.example 203.0.114.1 25",
    "b.example 203.0.114.2 25",
    "c.example 203.0.114.3 25",
  ];
  assert.deepEqual([...orders].sort(), [[a, b, c].join(), [b, a, c].join()].sort());
});

Deno.test("S26 without MX the domain itself is the host", async () => {
  assert.deepEqual(await targets("d.example", { "d.example": one("203.0.114.9") }), [
    "d.example 203.0.114.9 25",
  ]);
  assert.equal(await outcome("d.example", { "d.example": { txt: ["x"] } }), "failed 5.4.4");
});

Deno.test("O5 what is certain fails, and what is not known defers", async () => {
  const mx = (host: string): Record<string, Records> => ({ "d.example": { mx: [[10, host]] } });
  assert.equal(await outcome("d.example", {}), "failed 5.1.2");
  assert.equal(await outcome("d.example", mx("")), "failed 5.1.10");
  assert.equal(await outcome("d.example", { "d.example": { fails: true } }), "deferred 4.4.3");
  assert.equal(await outcome("d.example", mx("a.example")), "failed 5.4.4");
  const failing = { ...mx("a.example"), "a.example": { fails: true } };
  assert.equal(await outcome("d.example", failing), "deferred 4.4.3");
  assert.equal(await outcome("d.example", mx("relay.example")), "failed 5.4.6");
  for (const address of ["127.0.0.1", "10.0.0.1", "169.254.1.1", "0.0.0.0", "192.168.0.1"]) {
    const local = { ...mx("a.example"), "a.example": one(address) };
    assert.equal(await outcome("d.example", local), "failed 5.4.6", address);
    assert.equal((await targets("d.example", local, { allowLocalTargets: true })).length, 1);
  }
  for (const address of ["::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1"]) {
    const local = { ...mx("a.example"), "a.example": { aaaa: [address] } };
    assert.equal(await outcome("d.example", local), "failed 5.4.6", address);
  }
});

Deno.test("B17 this host and those behind it are left out, by name and by address", async () => {
  const zone = (own: string): Record<string, Records> => ({
    "d.example": { mx: [[10, "a.example"], [20, own], [20, "b.example"], [30, "c.example"]] },
    "a.example": one("203.0.114.1"),
    "b.example": one("203.0.114.2"),
    "c.example": one("203.0.114.3"),
    "own.example": one("198.51.100.1"),
    "relay.example": one("203.0.114.4"),
  });
  assert.deepEqual(await targets("d.example", zone("relay.example")), ["a.example 203.0.114.1 25"]);
  assert.deepEqual(await targets("d.example", zone("own.example")), ["a.example 203.0.114.1 25"]);
});

Deno.test("B17 addresses of both families, in the order that is wished for", async () => {
  const zone = { "d.example": { a: ["203.0.114.1"], aaaa: ["2a00::1", "2a00::1"] } };
  const families = async (ipPreference: RouteRules["ipPreference"]) =>
    (await targets("d.example", zone, { ipPreference })).map((each) => each.includes(":") ? 6 : 4);
  assert.deepEqual(await families("any"), [6, 4, 6]);
  assert.deepEqual(await families("ipv4"), [4, 6, 6]);
  assert.deepEqual(await families("ipv6"), [6, 6, 4]);
});

Deno.test("B17 an address literal is its own host, if it may be", async () => {
  assert.deepEqual(await targets("[203.0.114.7]", {}), ["203.0.114.7 203.0.114.7 25"]);
  assert.deepEqual(await targets("[IPv6:2a00::7]", {}), ["2a00::7 2a00::7 25"]);
  assert.equal(await outcome("[127.0.0.1]", {}), "failed 5.4.6");
});

Deno.test("RFC 6531 §3.2 a domain in UTF-8 is asked for in A-labels, and its host verified so", async () => {
  const zone = { "xn--bcher-kva.example": one("203.0.114.9") };
  assert.deepEqual(await targets("bücher.example", zone), [
    "xn--bcher-kva.example 203.0.114.9 25",
  ]);
});

Deno.test("B19 a relay takes all mail but that which has a route of its own", async () => {
  const relay = hostOf("smtp://user:p%40ss@smart.example", policy);
  const routes = new Map([
    ["held.example", ruleOf("hold", policy)],
    ["no.example", ruleOf("reject", policy)],
    ["direct.example", ruleOf("mx", policy)],
    ["side.example", ruleOf("smtps://[::1]:4650", policy)],
  ]);
  const zone = { "smart.example": one("10.0.0.5"), "direct.example": one("203.0.114.9") };
  const rules = { relay, routes };
  assert.deepEqual(await targets("d.example", zone, rules), ["smart.example 10.0.0.5 587"]);
  assert.deepEqual(await targets("side.example", zone, rules), ["::1 ::1 4650"]);
  assert.deepEqual(await targets("direct.example", zone, rules), ["direct.example 203.0.114.9 25"]);
  assert.equal(await outcome("held.example", zone, rules), "held 4.7.1");
  assert.equal(await outcome("no.example", zone, rules), "failed 5.7.1");
  // A relay that is not found is a wrong setting: no mail is given back for it.
  assert.equal(await outcome("d.example", {}, rules), "deferred 4.4.4");
  assert.deepEqual(relay.credentials, { user: "user", password: "p@ss" });
});

Deno.test("B18 a domain has the policy that is named for it", async () => {
  const of = async (domain: string) => {
    const route = await routed(domain, { [domain]: one("203.0.114.9") });
    assert.ok("targets" in route);
    return route.targets[0].policy;
  };
  assert.deepEqual([await of("d.example"), await of("strict.example")], ["verify", "require"]);
});

Deno.test("what was asked is remembered for a minute, what is unknown for seconds", async () => {
  const clock = new TurnedClock();
  const listed = new ListedNames({ "d.example": one("203.0.114.9"), "x.example": { fails: true } });
  const names = new Names(listed, { clock, meter: new Meter() });
  const ask = () =>
    Promise.all(
      ["D.example", "d.example", "x.example"].map((name) => names.addresses(name, "ipv4")),
    );
  const count = async () => {
    await ask();
    return listed.asked.splice(0).length;
  };
  assert.equal(await count(), 2);
  assert.equal(await count(), 0);
  clock.turn(6_000);
  assert.equal(await count(), 1);
  clock.turn(60_000);
  assert.equal(await count(), 2);
});
