/** S12: who may use the server. */

import assert from "node:assert/strict";
import { Access, type AccessList } from "../../src/inbound/access.ts";
import { LookupError, type Resolver } from "../../src/ports.ts";
import { resolver as systemResolver } from "../../src/deno/resolver.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { TestServer } from "../fakes/server.ts";
import { settled } from "../fakes/settled.ts";

/** Names made of a table; what is `null` cannot be looked up now. */
class Names implements Resolver {
  asked = 0;

  constructor(readonly table: Record<string, string[] | null>) {}

  addresses(host: string): Promise<readonly string[]> {
    return this.#find(host);
  }

  names(address: string): Promise<readonly string[]> {
    return this.#find(address);
  }

  #find(key: string): Promise<readonly string[]> {
    this.asked++;
    const found = Object.hasOwn(this.table, key) ? this.table[key] : [];
    return found === null ? Promise.reject(new LookupError(key)) : Promise.resolve(found);
  }
}

const networks = (...blocks: string[]) => ({
  hosts: [],
  networks: blocks.map((block) => {
    const [address, prefix] = block.split("/");
    return { address, prefix: Number(prefix ?? (address.includes(":") ? 128 : 32)) };
  }),
});

function around(resolver: Resolver, clock = new TurnedClock()) {
  return { resolver, clock, log: () => {} };
}

function accessOf(list: Partial<AccessList>, names: Resolver = new Names({})) {
  return new Access({ networks: [], hosts: [], ...list }, around(names));
}

Deno.test("S12 with neither list set, every client is refused", async () => {
  const access = accessOf({});
  for (const address of ["127.0.0.1", "::1", "192.0.2.1"]) {
    assert.equal(await access.check(address), "refused");
  }
});

Deno.test("S12 networks and addresses, in both families", async () => {
  const access = accessOf(networks("10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"));
  for (const address of ["10.255.0.1", "192.0.2.7", "2001:db8:1::2", "::1"]) {
    assert.equal(await access.check(address), "allowed", address);
  }
  for (const address of ["11.0.0.1", "192.0.2.8", "2001:db9::1", "::2", "fe80::1%eth0"]) {
    assert.equal(await access.check(address), "refused", address);
  }
});

Deno.test("T9 the ::ffff: form of an address has the verdict of the address", async () => {
  const v4 = accessOf(networks("192.0.2.0/24"));
  assert.equal(await v4.check("::ffff:192.0.2.9"), "allowed");
  assert.equal(await v4.check("::ffff:c000:209"), "allowed");
  assert.equal(await v4.check("::ffff:192.0.3.9"), "refused");
  const mapped = accessOf(networks("::ffff:192.0.2.0/120"));
  assert.equal(await mapped.check("192.0.2.9"), "allowed");
  assert.equal(await mapped.check("192.0.3.9"), "refused");
  const everyV6 = accessOf(networks("::/0"));
  assert.equal(await everyV6.check("::ffff:192.0.2.9"), "refused");
});

Deno.test("S12 a host name allows the addresses it resolves to; literals stand for themselves", async () => {
  const names = new Names({ "app.example": ["192.0.2.1", "2001:db8::1"] });
  const access = accessOf({ hosts: ["app.example", "192.0.2.50"] }, names);
  assert.equal(await access.check("192.0.2.1"), "allowed");
  assert.equal(await access.check("2001:DB8:0::1"), "allowed");
  assert.equal(await access.check("192.0.2.50"), "allowed");
  assert.equal(await access.check("192.0.2.2"), "refused");
});

Deno.test("S12 reverse DNS counts only where it is confirmed forward", async () => {
  const table: Record<string, string[]> = {
    "app.example": ["192.0.2.1"],
    "192.0.2.2": ["App.Example."],
    "192.0.2.3": ["other.example"],
    "192.0.2.4": ["app.example"],
  };
  const access = accessOf({ hosts: ["app.example"] }, new Names(table));
  assert.equal(await access.check("192.0.2.1"), "allowed");
  // The name has got another address since it was remembered.
  table["app.example"] = ["192.0.2.1", "192.0.2.2"];
  assert.equal(await access.check("192.0.2.2"), "allowed");
  assert.equal(await access.check("192.0.2.3"), "refused");
  assert.equal(await access.check("192.0.2.4"), "refused");
});

Deno.test("S12 answers are remembered for a minute, and shared by those who come at once", async () => {
  const clock = new TurnedClock();
  const names = new Names({ "app.example": ["192.0.2.1"] });
  const access = new Access({ networks: [], hosts: ["app.example"] }, around(names, clock));
  await Promise.all(Array.from({ length: 50 }, () => access.check("192.0.2.1")));
  // Once forward, once reverse.
  assert.equal(names.asked, 2);
  clock.turn(59_000);
  await access.check("192.0.2.1");
  assert.equal(names.asked, 2);
  clock.turn(1_001);
  await access.check("192.0.2.1");
  assert.equal(names.asked, 3);
});

Deno.test("S12 a name that cannot be looked up refuses nobody for good", async () => {
  const clock = new TurnedClock();
  const names = new Names({ "app.example": ["192.0.2.1"], "192.0.2.9": [] });
  const access = new Access({ networks: [], hosts: ["app.example"] }, around(names, clock));
  assert.equal(await access.check("192.0.2.1"), "allowed");
  names.table["app.example"] = null;
  clock.turn(61_000);
  assert.equal(await access.check("192.0.2.1"), "allowed", "the old answer holds");
  assert.equal(await access.check("192.0.2.9"), "unknown");
  names.table["app.example"] = ["192.0.2.9"];
  clock.turn(5_001);
  assert.equal(await access.check("192.0.2.9"), "allowed");
  names.table["192.0.2.8"] = null;
  assert.equal(await access.check("192.0.2.8"), "unknown");
});

Deno.test("S12 reverse DNS is remembered too", async () => {
  const names = new Names({ "app.example": ["192.0.2.1"] });
  const access = accessOf({ hosts: ["app.example"] }, names);
  for (let i = 0; i < 50; i++) assert.equal(await access.check("192.0.2.9"), "refused");
  assert.equal(names.asked, 2);
});

Deno.test("S12 a name that does not answer holds up nobody whom another admits, others for 10 s", async () => {
  const clock = new TurnedClock();
  const never = new Promise<string[]>(() => {});
  const resolver: Resolver = {
    addresses: (host) => host === "dead.example" ? never : Promise.resolve(["192.0.2.1"]),
    names: () => Promise.resolve([]),
  };
  const access = new Access(
    { networks: [], hosts: ["dead.example", "good.example"] },
    around(resolver, clock),
  );
  assert.equal(await access.check("192.0.2.1"), "allowed");
  const stranger = access.check("192.0.2.9");
  clock.turn(10_000);
  assert.equal(await stranger, "unknown");
});

Deno.test("S12 clients whose names are looked up take no place from others, and may go", async () => {
  const pending = Promise.withResolvers<"refused">();
  let first = 3;
  await using server = new TestServer({
    maxClients: 3,
    access: { check: () => first-- > 0 ? pending.promise : "allowed" },
  });
  const strangers = [];
  for (let i = 0; i < 3; i++) strangers.push(await server.connect());
  await settled();
  using allowed = await server.connect();
  assert.match(await allowed.reply(), /^220/);
  strangers[0].close();
  await settled();
  assert.equal(server.server.activeClients, 3);
  pending.resolve("refused");
  assert.match(await strangers[1].rest(), /^554/);
  for (const stranger of strangers) stranger.close();
});

Deno.test("S12 a rule that fails turns away for now, and is logged", async () => {
  await using server = new TestServer({
    access: {
      check() {
        throw new Error("the rule is broken");
      },
    },
  });
  using client = await server.connect();
  assert.match(await client.rest(), /^421 4\.7\.0 /);
  assert.match(String(server.told[0].fields.error), /the rule is broken/);
});

Deno.test("S12 the system's names: localhost is this machine", async () => {
  const access = accessOf({ hosts: ["localhost"] }, systemResolver);
  assert.equal(await access.check("127.0.0.1"), "allowed");
});

for (
  const [verdict, pattern] of [
    ["refused", /^554 5\.7\.1 Client address 127\.0\.0\.1 is not allowed/],
    ["unknown", /^421 4\.7\.0 Cannot tell now whether 127\.0\.0\.1 is allowed/],
  ] as const
) {
  Deno.test(`S12 a client whose verdict is ${verdict} is closed before any banner`, async () => {
    const names = new Names({ "app.example": verdict === "unknown" ? null : [] });
    const access = accessOf({ hosts: ["app.example"] }, names);
    await using server = new TestServer({ access });
    using client = await server.connect();
    assert.match(await client.rest(), pattern);
  });
}
