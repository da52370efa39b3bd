/** The store as its users see it, on a real disk: what is put in is there, in the right state. */

import assert from "node:assert/strict";
import { type Changed, QueueLimitError, type Store } from "../../src/ports/store.ts";
import { deferred, delivered, settleAll } from "../fakes/outcomes.ts";
import { entryOf, TestStore, textOf } from "../fakes/store.ts";

const ALL = { free: 1000, perDestination: 1000, busy: [], lease: 60_000 };
const LARGE = "Subject: large\r\n\r\n" + "x".repeat(300 * 1024);

const statesOf = async (store: Store, id: string) =>
  (await store.show(id))!.recipients.map(({ state }) => state);

Deno.test("what was committed is there again in the next daemon, small and large", async () => {
  await using test = await TestStore.open();
  const entries = [entryOf({ to: ["a@b.example", "C@d.example"] }), entryOf({ text: LARGE })];
  await Promise.all(entries.map((entry) => test.store.commit(entry)));
  await test.reopen();
  const rows = await test.store.list({ limit: 10 });
  assert.deepEqual(rows.map(({ id }) => id).sort(), entries.map(({ envelope }) => envelope.id));
  for (const { envelope } of entries) {
    const { number } = rows.find(({ id }) => id === envelope.id)!;
    const stored = await textOf(test.store.content(number));
    assert.equal(stored, await textOf(Promise.resolve(envelope.content)));
  }
  const shown = (await test.store.show(entries[0].envelope.id))!;
  assert.deepEqual(shown.recipients.map(({ address }) => address), ["a@b.example", "C@d.example"]);
  assert.deepEqual(shown.client, entries[0].envelope.client);
  assert.deepEqual(shown.wishes, entries[0].envelope.sender);
});

Deno.test("wishes of senders and recipients come back with the claim", async () => {
  await using test = await TestStore.open();
  const entry = entryOf({ from: "" });
  const sender = { ...entry.envelope.sender, ret: "HDRS", envid: "x y", utf8: true } as const;
  const recipient = {
    mailbox: { local: '"a@b"', domain: "[192.0.2.1]" },
    notify: ["DELAY", "SUCCESS"],
    orcpt: { type: "rfc822", address: "x@y" },
  } as const;
  await test.store.commit({
    ...entry,
    envelope: { ...entry.envelope, sender, recipients: [recipient] },
  });
  const [claim] = (await test.store.claim(ALL)).claims;
  assert.deepEqual(claim.sender, sender);
  assert.deepEqual(claim.recipients, [
    { ...recipient, position: 0, attempts: 0, delayTold: false },
  ]);
});

Deno.test("recipients of one domain share a claim, a hundred at most", async () => {
  await using test = await TestStore.open();
  const to = Array.from({ length: 150 }, (_, i) => `r${i}@B.example`);
  await test.store.commit(entryOf({ to: [...to, "x@c.example"] }));
  const { claims } = await test.store.claim(ALL);
  assert.deepEqual(claims.map(({ domain, recipients }) => [domain, recipients.length]), [
    ["b.example", 100],
    ["b.example", 50],
    ["c.example", 1],
  ]);
});

Deno.test("a claim is nobody else's until its lease ends, or its daemon", async () => {
  await using test = await TestStore.open();
  await test.store.commit(entryOf());
  const first = await test.store.claim({ ...ALL, lease: 0 });
  assert.equal(first.claims.length, 1);
  const second = await test.store.claim(ALL);
  assert.equal(second.claims.length, 1, "its lease had ended");
  assert.equal((await test.store.claim(ALL)).claims.length, 0);
  await test.reopen();
  const [again] = (await test.store.claim(ALL)).claims;
  assert.equal(again.id, first.claims[0].id, "its daemon had ended");
});

Deno.test("a settlement whose lease is another's undoes nothing, but what arrived has", async () => {
  await using test = await TestStore.open();
  await test.store.commit(entryOf());
  const [old] = (await test.store.claim({ ...ALL, lease: 0 })).claims;
  const [now] = (await test.store.claim(ALL)).claims;
  await settleAll(test.store, old, deferred, { state: "failed" });
  assert.deepEqual(await statesOf(test.store, old.id), ["queued"]);
  await settleAll(test.store, old, delivered);
  assert.deepEqual(await statesOf(test.store, old.id), ["delivered"]);
  await settleAll(test.store, now, deferred, { state: "failed" });
  assert.deepEqual(await statesOf(test.store, old.id), ["delivered"]);
  const { attempts } = (await test.store.show(old.id))!;
  assert.equal(attempts.length, 3, "each attempt is kept");
});

Deno.test("S22 attempts, last error and the next attempt are kept for each recipient", async () => {
  await using test = await TestStore.open();
  await test.store.commit(entryOf({ to: ["a@x.example", "b@y.example"] }));
  const { claims } = await test.store.claim(ALL);
  const due = test.store.time() + 30_000;
  await settleAll(test.store, claims[0], deferred, { due });
  await settleAll(test.store, claims[1], delivered);
  const { recipients } = (await test.store.show(claims[0].id))!;
  assert.equal(recipients[0].lastError, deferred.reply);
  assert.equal(recipients[0].attempts, 1);
  assert.ok(Math.abs(recipients[0].nextAttempt! - Date.now() - 30_000) < 5_000);
  assert.equal(recipients[1].state, "delivered");
  const { claims: none, next } = await test.store.claim(ALL);
  assert.deepEqual([none.length, next], [0, due]);
});

Deno.test("B8 a client has no more in the queue than it may, others have", async () => {
  await using test = await TestStore.open();
  const { store } = test;
  const limited = (client: string, to = 1) =>
    entryOf({ client, to: Array.from({ length: to }, (_, i) => `r${i}@b.example`) }, { limit: 3 });
  await Promise.all([store.commit(limited("192.0.2.1")), store.commit(limited("192.0.2.1"))]);
  await assert.rejects(store.commit(limited("192.0.2.1", 2)), QueueLimitError);
  await store.commit(limited("192.0.2.2", 3));
  await store.commit(limited("192.0.2.1"));
  const client = limited("192.0.2.1").envelope.client;
  assert.equal(await store.queuedBy(client), 3);
  const { claims } = await store.claim(ALL);
  await settleAll(store, claims.find(({ recipients }) => recipients.length === 1)!, delivered);
  assert.equal(await store.queuedBy(client), 2);
  await store.commit(limited("192.0.2.1"));
});

Deno.test("hold, release, drop and retry do what they say, but not to what is under way", async () => {
  await using test = await TestStore.open();
  const { store } = test;
  const [one, two] = [entryOf({ to: ["a@x.example", "b@y.example"] }), entryOf()];
  await store.commit(one);
  await store.commit(two);
  const ids = [one.envelope.id];
  const did = (changed: Changed) => [changed.messages, changed.recipients, changed.underway];
  assert.deepEqual(did(await store.hold({ ids })), [1, 2, 0]);
  const { claims } = await store.claim(ALL);
  assert.deepEqual(claims.map(({ id }) => id), [two.envelope.id]);
  assert.deepEqual(did(await store.hold({ all: true })), [0, 0, 1]);
  assert.deepEqual((await store.release({ ids: [...ids, "nobody"] })).unknown, ["nobody"]);
  await settleAll(store, claims[0], deferred, { due: store.time() + 1e9 });
  assert.equal((await store.claim({ ...ALL, lease: 0 })).claims.length, 2, "the released");
  assert.deepEqual(did(await store.requeue({ domain: "example.net" })), [1, 1, 0]);
  await test.reopen();
  assert.equal((await test.store.claim(ALL)).claims.length, 3);
  await test.reopen();
  assert.deepEqual(did(await test.store.drop({ all: true })), [2, 3, 0]);
  const { dropped, queued } = await test.store.stats();
  assert.deepEqual([dropped, queued], [3, 0]);
});

Deno.test("captured mail is not meant by an order for all, only by its id", async () => {
  await using test = await TestStore.open();
  const entry = entryOf({}, { state: "captured" });
  await test.store.commit(entry);
  for (const order of ["release", "drop"] as const) {
    assert.equal((await test.store[order]({ all: true })).recipients, 0);
    assert.equal((await test.store[order]({ domain: "example.net" })).recipients, 0);
  }
  assert.equal((await test.store.release({ ids: [entry.envelope.id] })).recipients, 1);
});

Deno.test("an order for all reaches thousands, part by part", async () => {
  await using test = await TestStore.open();
  const to = Array.from({ length: 900 }, (_, i) => `r${i}@b.example`);
  await Promise.all(Array.from({ length: 6 }, () => test.store.commit(entryOf({ to }))));
  const { messages, recipients } = await test.store.hold({ domain: "b.example" });
  // A message whose recipients fall into two parts is counted in both.
  assert.deepEqual([messages >= 6, recipients], [true, 5400]);
  assert.equal((await test.store.stats()).held, 5400);
});

Deno.test("search finds by subject, address, id; and pages go on where they ended", async () => {
  await using test = await TestStore.open();
  const { store } = test;
  await store.commit(entryOf({ from: "Zoe@q.example" }, { keys: "größe der dinge" }));
  for (let i = 0; i < 5; i++) await store.commit(entryOf({ to: [`R${i}@b.example`] }));
  const found = async (text: string) => (await store.list({ text, limit: 10 })).length;
  assert.deepEqual(
    await Promise.all(["GRÖSSE", "größe", "zoe@", "r3@B", "%", "'"].map(found)),
    [0, 1, 1, 1, 0, 0],
  );
  const [first, second] = await store.list({ limit: 2 });
  assert.deepEqual([first.number, second.number], [6, 5]);
  const older = await store.list({ limit: 2, before: 5 });
  assert.deepEqual(older.map(({ number }) => number), [4, 3]);
  const newer = await store.list({ limit: 2, after: 2, states: ["queued"] });
  assert.deepEqual(newer.map(({ number }) => number), [3, 4]);
});

Deno.test("B11 a body stays until its last recipient has left, and no longer", async () => {
  await using test = await TestStore.open();
  const { store } = test;
  for (const text of ["Subject: small\r\n\r\n", LARGE]) {
    await store.commit(entryOf({ text, to: ["a@x.example", "b@y.example"] }));
    const { claims } = await store.claim(ALL);
    await settleAll(store, claims[0], delivered);
    assert.equal((await store.content(claims[0].message)).size, text.length);
    await settleAll(store, claims[1], delivered);
    await assert.rejects(store.content(claims[0].message), /it has left the queue/);
    assert.deepEqual([...Deno.readDirSync(`${test.folder}/bodies`)], []);
  }
});

Deno.test("S24 the sweep removes what has left and is old, never what is queued or held", async () => {
  await using test = await TestStore.open();
  const { store } = test;
  const [gone, waits, held, captured] = [entryOf(), entryOf(), entryOf(), entryOf()];
  for (const entry of [gone, waits]) await store.commit(entry);
  await store.commit({ ...held, state: "held" });
  await store.commit({ ...captured, state: "captured" });
  const { claims } = await store.claim({ ...ALL, free: 2 });
  await settleAll(store, claims.find(({ id }) => id === gone.envelope.id)!, delivered);
  assert.equal((await store.sweep(60_000)).messages, 0, "nothing is that old");
  assert.equal((await store.sweep(-60_000)).messages, 2);
  const left = (await store.list({ limit: 10 })).map(({ id }) => id);
  assert.deepEqual(left.sort(), [waits.envelope.id, held.envelope.id].sort());
  const { accepted, delivered: done, captured: kept } = await store.stats();
  assert.deepEqual([accepted, done, kept], [4, 1, 1], "the accounting forgets nothing");
  await store.commit(entryOf());
  assert.equal((await store.list({ limit: 1 }))[0].number, 5, "no number is used again");
});

Deno.test("B14 a backup made while mail comes in is whole, and can take the spool's place", async () => {
  await using test = await TestStore.open();
  const { store } = test;
  for (let i = 0; i < 20; i++) await store.commit(entryOf({ text: i % 5 ? "x" : LARGE }));
  const copy = `${await Deno.makeTempDir()}/copy`;
  const more = Array.from({ length: 20 }, () => store.commit(entryOf({ text: LARGE })));
  await store.backup(copy);
  await Promise.all(more);
  await test.close();
  await using restored = await TestStore.open({ folder: copy });
  const rows = await restored.store.list({ limit: 100 });
  assert.ok(rows.length >= 20);
  for (const { number, size } of rows) {
    assert.equal((await restored.store.content(number)).size, size);
  }
  await assert.rejects(restored.store.backup(copy), /it is there already/);
});

for (
  const [what, pragmas, why] of [
    ["of a later version", "user_version=99", /a later Dinopost has used it .* run that version/],
    [
      "of a version that never was",
      "user_version=-5",
      /no Dinopost has made it so .* move it away$/,
    ],
    [
      "whose version was taken away",
      "user_version=0",
      /no Dinopost has made it so .* move it away$/,
    ],
    [
      "of another program, which counts no versions",
      "user_version=0; PRAGMA application_id=0",
      /it is the database of another program$/,
    ],
  ] as const
) {
  Deno.test(`a database ${what} is refused, and left untouched`, async () => {
    await using test = await TestStore.open();
    await test.store.commit(entryOf());
    await test.close();
    const { DatabaseSync } = await import("node:sqlite");
    const path = `${test.folder}/queue.db`;
    const database = new DatabaseSync(path);
    database.exec(`PRAGMA journal_mode=DELETE; PRAGMA ${pragmas}`);
    database.close();
    const before = await Deno.readFile(path);
    await assert.rejects(test.reopen(), ({ message }: Error) => {
      assert.match(message, /^open .*queue\.db: [^\n]*$/);
      assert.match(message, why);
      return true;
    });
    assert.deepEqual(await Deno.readFile(path), before);
  });
}
