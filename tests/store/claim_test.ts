/** Who gets how much of what can be delivered at once. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { share } from "../../src/store/claim.ts";
import { deferred, settleAll } from "../fakes/outcomes.ts";
import { entryOf, TestStore } from "../fakes/store.ts";

Deno.test("whoever comes gets something as long as anything is free", () => {
  fc.assert(fc.property(fc.nat(1000), fc.nat(1000), fc.integer({ min: 1, max: 100 }), (f, b, m) => {
    const more = share(f, b, m);
    assert.ok(Number.isInteger(more) && more >= 0 && b + more <= Math.max(b, m));
    if (b === 0 && f > 0) assert.ok(more >= 1);
    if (more > 0 && b > 0) assert.ok(b + more <= f - more, "more than what stays free");
  }));
});

Deno.test("a destination alone gets half of what there is, up to its limit", () => {
  assert.deepEqual([share(40, 0, 20), share(40, 0, 100), share(1, 0, 20)], [20, 20, 1]);
  assert.deepEqual([share(20, 20, 20), share(0, 0, 20), share(10, 8, 20)], [0, 0, 1]);
});

Deno.test("the longest due comes first, each destination in its turn", async () => {
  await using test = await TestStore.open();
  for (const domain of ["c", "a", "b"]) {
    for (let i = 0; i < 3; i++) await test.store.commit(entryOf({ to: [`r@${domain}.example`] }));
  }
  const claimed = async (free: number) => {
    const { claims } = await test.store.claim({ free, perDestination: 1, busy: [], lease: 9e9 });
    return claims.map(({ domain, message }) => `${domain[0]}${message}`);
  };
  assert.deepEqual(await claimed(2), ["c1", "a4"]);
  assert.deepEqual(await claimed(9), ["c2", "a5", "b7"]);
});

Deno.test("those that are due together have the same, and what one leaves the others have", async () => {
  await using test = await TestStore.open();
  for (const [domain, count] of [["a", 30], ["b", 30], ["c", 2], ["d", 30]] as const) {
    for (let i = 0; i < count; i++) {
      await test.store.commit(entryOf({ to: [`r${i}@${domain}.example`] }));
    }
  }
  const { claims } = await test.store.claim({
    free: 40,
    perDestination: 20,
    busy: [],
    lease: 9e9,
  });
  const counts = Map.groupBy(claims, ({ domain }) => domain[0]);
  assert.equal(counts.get("c")?.length, 2);
  const [a, b, d] = ["a", "b", "d"].map((domain) => counts.get(domain)!.length);
  // As much as leaves room for one that comes.
  assert.ok(Math.min(a, b, d) >= 9 && Math.max(a, b, d) <= 12, `${a}, ${b}, ${d}`);
});

Deno.test("B20 domains whose mail a relay takes are one destination; the others wait for none of them", async () => {
  await using test = await TestStore.open();
  const { store } = test;
  for (let i = 0; i < 200; i++) await store.commit(entryOf({ to: [`r@d${i % 50}.example`] }));
  for (let i = 0; i < 5; i++) await store.commit(entryOf({ to: [`r${i}@apart.example`] }));
  const apart = ["apart.example", "other.example"];
  const request = { free: 40, perDestination: 10, apart, lease: 9e9 };
  const counts = ({ claims }: { claims: readonly { domain: string }[] }) => {
    const isApart = claims.filter(({ domain }) => domain === "apart.example").length;
    return [claims.length - isApart, isApart];
  };
  assert.deepEqual(counts(await store.claim({ ...request, busy: [] })), [10, 5]);
  await store.commit(entryOf({ to: ["x@apart.example"] }));
  const busy = [["*", 10], ["apart.example", 5]] as const;
  assert.deepEqual(counts(await store.claim({ ...request, free: 25, busy })), [0, 1]);
  const windows = [["*", 12]] as const;
  assert.deepEqual(counts(await store.claim({ ...request, free: 25, busy, windows })), [2, 0]);
  await store.commit(entryOf({ to: ["y@apart.example"] }));
  const one = await store.claim({ ...request, perDestination: 1, busy: [] });
  assert.deepEqual(counts(one), [1, 1]);
});

Deno.test("O6 a backlog of 50,000 for one domain keeps nobody waiting", async () => {
  await using test = await TestStore.open();
  const { store } = test;
  const to = Array.from({ length: 500 }, (_, i) => `r${i}@dead.example`);
  await Promise.all(Array.from({ length: 100 }, () => store.commit(entryOf({ to }))));
  const request = { free: 40, perDestination: 20, lease: 9e9 };
  const first = await store.claim({ ...request, busy: [] });
  assert.deepEqual([...new Set(first.claims.map(({ domain }) => domain))], ["dead.example"]);
  assert.equal(first.claims.length, 20);
  await store.commit(entryOf({ to: ["x@alive.example"] }));
  const busy = [["dead.example", 20]] as const;
  const second = await store.claim({ ...request, free: 20, busy });
  assert.deepEqual(second.claims.map(({ domain }) => domain), ["alive.example"]);
  // Nor does it when its recipients are all due again.
  for (const claim of first.claims) await settleAll(store, claim, deferred, { due: 0 });
  await store.commit(entryOf({ to: ["y@alive.example"] }));
  const third = await store.claim({ ...request, busy: [] });
  assert.ok(third.claims.some(({ domain }) => domain === "alive.example"));
});

Deno.test("many destinations of which none is due are passed over in one step", async () => {
  await using test = await TestStore.open();
  const { store } = test;
  const to = Array.from({ length: 2000 }, (_, i) => `r@d${i}.example`);
  await store.commit(entryOf({ to }));
  const all = { free: 5000, perDestination: 20, busy: [], lease: 9e9 };
  const { claims } = await store.claim(all);
  assert.equal(claims.length, 2000);
  const due = store.time() + 5_000;
  await Promise.all(claims.map((claim) => settleAll(store, claim, deferred, { due })));
  assert.deepEqual(await store.claim(all), { claims: [], next: due });
});
