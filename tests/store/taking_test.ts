/**
 * The tables take what the journal has: after a kill at any moment it is there, once; and whoever
 * asks sees what was committed before, whether they have taken it by then or not.
 */

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { disk } from "../../src/deno/files.ts";
import { type Entry, QueueLimitError, type Store } from "../../src/ports/store.ts";
import { Backlog } from "../../src/store/backlog.ts";
import { Batches, type Behind, pause } from "../../src/store/batches.ts";
import { Layout } from "../../src/store/layout.ts";
import type { WriterAnswer } from "../../src/store/questions.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { turn } from "../fakes/journal.ts";
import { commitAll, copyOf, idsIn, idsOf, inTables, lagging, sizes } from "../fakes/killed.ts";
import { delivered, settleAll } from "../fakes/outcomes.ts";
import { entryOf, TestStore, textOf } from "../fakes/store.ts";

const ALL = { free: 10_000, perDestination: 10_000, busy: [], lease: 60_000 };
const LARGEST = 256 * 1024;
const PAGE = 4096;

/** Another daemon, just as lagging. */
async function reopen(test: TestStore): Promise<void> {
  await test.reopen();
  await test.store.probe();
}

/** What the next daemon has, were this one killed now. */
async function afterKill(test: TestStore, harm: (folder: string) => void = () => {}) {
  const folder = copyOf(test);
  harm(folder);
  return await TestStore.open({ folder });
}

async function assertHas({ store }: TestStore, entries: readonly Entry[]): Promise<void> {
  assert.deepEqual(await idsOf(store), idsIn(entries));
  const counts = { accepted: 0, generated: 0, queued: 0, held: 0, captured: 0 };
  for (const { envelope, state, origin, subject, note } of entries) {
    const { id, client, sender, recipients, receivedAt, content } = envelope;
    const shown = (await store.show(id))!;
    assert.deepEqual(
      [shown.client, shown.wishes, shown.origin, shown.subject, shown.receivedAt, shown.size],
      [client, sender, origin, subject, receivedAt, content.size],
    );
    assert.deepEqual(
      shown.recipients.map(({ address, state, lastError }) => [address, state, lastError]),
      recipients.map(({ mailbox }) => [`${mailbox.local}@${mailbox.domain}`, state, note]),
    );
    assert.equal(await textOf(store.content(shown.number)), await textOf(Promise.resolve(content)));
    counts[origin] += recipients.length;
    counts[state] += recipients.length;
  }
  const { accepted, generated, queued, held, captured } = await store.stats();
  assert.deepEqual({ accepted, generated, queued, held, captured }, counts);
  assert.equal(await store.queuedBy(entryOf().envelope.client), queued + held);
}

const VARIOUS: readonly Entry[] = [
  entryOf({ to: ["a@x.example", "B@y.example"], from: "" }, { subject: "größe \ud83d\ude00" }),
  entryOf({ text: "x".repeat(LARGEST) }),
  entryOf({ text: "" }, { state: "held", note: "for a while" }),
  entryOf({}, { state: "captured", keys: "k".repeat(50_000) }),
  entryOf({}, { origin: "generated" }),
  ...Array.from({ length: 50 }, (_, i) => entryOf({ to: [`r${i}@d${i % 3}.example`] })),
];

Deno.test("what was committed when the daemon was killed is there, once, also for the next", async () => {
  await using test = await lagging();
  await commitAll(test.store, VARIOUS.slice(0, 10));
  for (const entry of VARIOUS.slice(10, 20)) await test.store.commit(entry);
  await commitAll(test.store, VARIOUS.slice(20));
  assert.deepEqual(await inTables(test), []);
  await using next = await afterKill(test);
  await assertHas(next, VARIOUS);
  assert.deepEqual(sizes(next), [0, 0], "begun anew");
  await next.reopen();
  await assertHas(next, VARIOUS);
  const { claims } = await next.store.claim(ALL);
  const queued = VARIOUS.filter(({ state }) => state === "queued");
  assert.deepEqual([...new Set(claims.map(({ id }) => id))].toSorted(), idsIn(queued));
  assert.deepEqual(next.logged, [], "nothing is wrong");
});

Deno.test("what the tables have taken already is not taken again", async () => {
  await using test = await lagging();
  const [before, since] = [VARIOUS.slice(5, 25), VARIOUS.slice(25)];
  for (const entry of before) await test.store.commit(entry);
  const [gone] = (await test.store.claim(ALL)).claims;
  await settleAll(test.store, gone, delivered);
  assert.equal((await test.store.sweep(-1)).messages, 1);
  await commitAll(test.store, since);
  assert.equal((await inTables(test)).length, before.length - 1);
  await using next = await afterKill(test);
  const left = [...before, ...since].filter(({ envelope }) => envelope.id !== gone.id);
  assert.deepEqual(await idsOf(next.store), idsIn(left));
  const { accepted, delivered: done, queued } = await next.store.stats();
  assert.deepEqual([accepted, done, queued], [left.length + 1, 1, left.length]);
  await next.store.commit(entryOf());
  await next.reopen();
  assert.equal((await idsOf(next.store)).length, left.length + 1);
});

Deno.test("more than one transaction can take, in both files, is there after a kill", async () => {
  await using test = await lagging();
  const entries = Array.from({ length: 25 }, () => entryOf({ text: "x".repeat(LARGEST) }));
  for (const entry of entries) await test.store.commit(entry);
  assert.ok(sizes(test).every((size) => size > 8 * LARGEST));
  await using next = await afterKill(test);
  await assertHas(next, entries);
});

Deno.test("the tables take seldom under load, and more with how much there is, and how old", () => {
  const little = { octets: 0, messages: 0, rows: 0, age: 0 };
  const took = (behind: Partial<Behind>) =>
    pause({ took: 2, since: 0 }, { ...little, ...behind }, false);
  assert.deepEqual([took({}), took({ rows: 50_000 }), took({ age: 3_000 })], [32, 32, 32]);
  const MIB = 1024 * 1024;
  assert.deepEqual([took({ octets: 192 * MIB }), took({ octets: 256 * MIB })], [16, 0]);
  assert.equal(took({ octets: 600 * MIB }), 0);
  assert.deepEqual([took({ rows: 75_000 }), took({ rows: 100_000 })], [16, 0]);
  assert.deepEqual([took({ age: 4_000 }), took({ age: 5_000 }), took({ age: 60_000 })], [16, 0, 0]);
  assert.equal(took({ octets: 10 * MIB, rows: 75_000, age: 3_250 }), 16, "whatever is most");
});

Deno.test("of a burst the tables take nothing until it rests, or is old, or fills the room", () => {
  const MIB = 1024 * 1024;
  const rest = (behind: Partial<Behind>, since = 0) =>
    pause(
      { took: 2, since },
      { octets: 3 * MIB, messages: 500, rows: 1_000, age: 0, ...behind },
      false,
    );
  assert.deepEqual([rest({}), rest({ age: 1_000 }), rest({ age: 2_900 })], [3_000, 2_000, 100]);
  assert.deepEqual([rest({ age: 2_999 }), rest({ age: 4_000 })], [32, 16]);
  assert.deepEqual([rest({ age: 1_000 }, 900), rest({ age: 4_000 }, 10)], [2_000, 6]);
  assert.equal(rest({ octets: 2 * MIB }), 32, "no more than is taken at once");
  assert.equal(rest({ octets: 192 * MIB }), 16);
  assert.equal(rest({ rows: 75_000 }), 16);
});

Deno.test("where somebody delivers, nothing lies in the journal for long", () => {
  const burst = { octets: 3 * 1024 * 1024, messages: 500, rows: 1_000, age: 0 };
  const rest = (took: number, since = 0) => pause({ took, since }, burst, true);
  assert.deepEqual([rest(2), rest(10), rest(300)], [32, 160, 250]);
  assert.deepEqual([rest(10, 100), rest(300, 240), rest(300, 300)], [60, 10, -50]);
  assert.equal(pause({ took: 300, since: 0 }, { ...burst, age: 5_000 }, true), 0);
});

Deno.test("what is behind is counted from the oldest that was not taken", async () => {
  const clock = new TurnedClock();
  const begun = clock.monotonic();
  const asked: ((answer: WriterAnswer) => void)[] = [];
  const writer = {
    ask: () => new Promise<WriterAnswer>((resolve) => asked.push(resolve)),
    end() {},
  };
  const times = () => ({ time: clock.monotonic() - begun, wall: clock.now() });
  const isAwaited = () => false;
  const host = { writer, clock, times, isAwaited, notice() {}, taken() {}, notTaken() {} };
  const batches = new Batches(host);
  assert.deepEqual(batches.behind(), { octets: 0, messages: 0, rows: 0, age: 0 });
  const add = (sequence: number) => {
    const where = { file: 0, at: 0, length: 4096 } as const;
    batches.add({ ...where, messages: 3, rows: 7, sequence, time: times().time });
  };
  add(1);
  clock.turn(500);
  add(2);
  clock.turn(250);
  assert.deepEqual(batches.behind(), { octets: 8192, messages: 6, rows: 14, age: 750 });
  await turn();
  asked[0]({ kind: "written", results: [], notices: [], taken: { sequence: 1, last: 3 } });
  await turn();
  assert.deepEqual(batches.behind(), { octets: 4096, messages: 3, rows: 7, age: 250 });
  batches.close();
});

Deno.test("the tables are told of any number of batches at once", () => {
  const backlog = new Backlog(new Layout("/nowhere"), disk);
  const place = { file: 0, at: 0, length: 4096, sequence: 1, time: 0 } as const;
  backlog.add(Array.from({ length: 1_000_000 }, () => place));
  assert.equal(backlog.isEmpty, false);
});

Deno.test("whoever waits for room is told when the journal cannot be read", async () => {
  const clock = new TurnedClock();
  const answer: WriterAnswer = { kind: "written", results: [], notices: [], taken: undefined };
  const writer = { ask: () => Promise.resolve(answer), end() {} };
  const told: string[] = [];
  const notTaken = (error: Error) => void told.push(error.message);
  const times = () => ({ time: 0, wall: 0 });
  const isAwaited = () => false;
  const batches = new Batches({
    ...{ writer, clock, times, isAwaited, notTaken },
    notice() {},
    taken() {},
  });
  batches.add({ file: 0, at: 0, length: 4096, messages: 1, rows: 2, sequence: 1, time: 0 });
  clock.turn(30);
  await turn();
  assert.deepEqual(told, ["journal: it cannot be read"]);
  batches.close();
});

Deno.test("how many messages the tables are still to take is told", async () => {
  await using test = await lagging();
  const behinds: number[] = [];
  const told = async () => behinds.push((await test.store.stats()).untaken);
  await told();
  await commitAll(test.store, VARIOUS.slice(0, 1));
  await commitAll(test.store, VARIOUS.slice(1, 7));
  await told();
  await told();
  assert.deepEqual(behinds, [0, 7, 0]);
});

const ASKING: Record<string, (store: Store, id: string) => Promise<unknown>> = {
  list: async (store, id) => assert.ok((await idsOf(store)).includes(id)),
  show: async (store, id) => assert.equal((await store.show(id))?.id, id),
  stats: async (store) => assert.equal((await store.stats()).accepted, 1),
  queuedBy: async (store) => assert.equal(await store.queuedBy(entryOf().envelope.client), 1),
  claim: async (store, id) => assert.equal((await store.claim(ALL)).claims[0].id, id),
  hold: async (store, id) => assert.equal((await store.hold({ ids: [id] })).recipients, 1),
  drop: async (store) => assert.equal((await store.drop({ all: true })).recipients, 1),
  requeue: async (store) =>
    assert.equal((await store.requeue({ domain: "example.net" })).messages, 1),
  backup: async (store, id) => {
    const folder = `${await Deno.makeTempDir()}/spool`;
    await store.backup(folder);
    await using backup = await TestStore.open({ folder });
    assert.deepEqual(await idsOf(backup.store), [id]);
  },
};
Deno.test("whoever asks sees what was committed before", async (t) => {
  for (const [what, ask] of Object.entries(ASKING)) {
    await t.step(what, async () => {
      await using test = await lagging();
      const entry = entryOf();
      await test.store.commit(entry);
      await ask(test.store, entry.envelope.id);
    });
  }
});

Deno.test("whoever asks sees all that was committed before, however much", async (t) => {
  const entries = Array.from({ length: 25 }, () => entryOf({ text: "x".repeat(LARGEST) }));
  const asking: Record<string, (store: Store) => Promise<number>> = {
    list: async (store) => (await store.list({ limit: 100 })).length,
    stats: async (store) => (await store.stats()).accepted,
    hold: async (store) => (await store.hold({ all: true })).messages,
    "claim, part by part": async (store) => {
      let claims = 0;
      for (let more = 0; more !== claims || claims === 0;) {
        more = claims;
        claims += (await store.claim(ALL)).claims.length;
      }
      return claims;
    },
  };
  for (const [what, ask] of Object.entries(asking)) {
    await t.step(what, async () => {
      await using test = await lagging();
      await commitAll(test.store, entries);
      assert.equal(await ask(test.store), 25);
    });
  }
});

Deno.test("whoever asks again and again sees each time what has come meanwhile", async () => {
  await using test = await lagging();
  for (let i = 1; i <= 20; i++) {
    await test.store.commit(entryOf());
    assert.equal((await test.store.stats()).accepted, i);
  }
});

for (const size of [10, LARGEST]) {
  Deno.test(`B8 a limit counts what is not in the tables yet: messages of ${size} octets`, async () => {
    await using test = await lagging();
    const text = "x".repeat(size);
    for (let i = 0; i < 12; i++) await test.store.commit(entryOf({ text }));
    assert.deepEqual(await inTables(test), []);
    await assert.rejects(test.store.commit(entryOf({}, { limit: 12 })), QueueLimitError);
    await test.store.commit(entryOf({ client: "192.0.2.2" }, { limit: 1 }));
    await test.store.commit(entryOf({}, { limit: 13 }));
  });
}

Deno.test("a store that is closed has all in its tables, and nothing in its journal", async () => {
  await using test = await lagging();
  const entries = Array.from({ length: 15 }, () => entryOf({ text: "x".repeat(LARGEST) }));
  for (const entry of entries) await test.store.commit(entry);
  assert.ok(sizes(test).every((size) => size > 0));
  await test.close();
  assert.deepEqual(sizes(test), [0, 0]);
  assert.deepEqual(await inTables(test), idsIn(entries));
});

Deno.test("what is under way when a store is closed is kept or refused, and nothing goes on", async () => {
  const clock = new TurnedClock();
  await using test = await lagging(clock);
  const entries = Array.from({ length: 40 }, () => entryOf());
  const kept: string[] = [];
  const commits: Promise<unknown>[] = [];
  for (const { envelope, ...entry } of entries) {
    const keep = test.store.commit({ envelope, ...entry });
    commits.push(keep.then(() => kept.push(envelope.id), () => {}));
    await undefined;
  }
  await test.close();
  await Promise.all(commits);
  await turn();
  assert.equal(clock.timers, 0, "a timer is left, which would not let the process end");
  await test.reopen();
  const ids = await idsOf(test.store);
  assert.ok(kept.every((id) => ids.includes(id)));
  assert.deepEqual(test.logged, []);
});

type Harm = (folder: string) => void;
const inFile = (name: string, at: number, octets: Uint8Array): Harm => (folder) => {
  using file = Deno.openSync(`${folder}/${name}`, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(octets);
};
const errorsOf = ({ logged }: TestStore) =>
  logged.filter(({ level }) => level === "error").map(({ event }) => event);

const DAMAGES: Record<string, Harm> = {
  "its first page is garbage": inFile("queue.db", 0, new Uint8Array(PAGE).fill(0x5a)),
  "its sums are gone": (folder) => {
    const database = new DatabaseSync(`${folder}/queue.db`);
    database.exec("DELETE FROM tally");
    database.close();
  },
};
for (const [what, harm] of Object.entries(DAMAGES)) {
  Deno.test(`D8 a database of which ${what}: nothing is lost that the journal has`, async () => {
    await using test = await lagging();
    const before = VARIOUS.slice(0, 10);
    await commitAll(test.store, before);
    await reopen(test);
    await commitAll(test.store, VARIOUS.slice(10));
    assert.deepEqual(await inTables(test), idsIn(before));
    await using next = await afterKill(test, harm);
    await assertHas(next, VARIOUS);
    await next.reopen();
    await assertHas(next, VARIOUS);
    assert.deepEqual(errorsOf(next), ["damaged store set aside"], "nothing else is damaged");
  });
}

Deno.test("D8 a database that has forgotten what it has taken: all is there, and once", async () => {
  await using test = await lagging();
  await commitAll(test.store, VARIOUS.slice(0, 20));
  await idsOf(test.store);
  await commitAll(test.store, VARIOUS.slice(20));
  await using next = await afterKill(test, DAMAGES["its sums are gone"]);
  await assertHas(next, VARIOUS);
});

Deno.test("D8 a database that is gone: nothing is lost that the journal has", async () => {
  await using test = await lagging();
  await commitAll(test.store, VARIOUS.slice(0, 10));
  await reopen(test);
  await commitAll(test.store, VARIOUS.slice(10));
  await using next = await afterKill(test, (folder) => {
    for (const suffix of ["", "-wal", "-shm"]) Deno.removeSync(`${folder}/queue.db${suffix}`);
  });
  await assertHas(next, VARIOUS.slice(10));
});

Deno.test("D8 damage that is met while running: nothing is lost that the journal has", async () => {
  await using test = await lagging();
  for (let i = 0; i < 100; i++) await test.store.commit(entryOf({ id: `before${i}` }));
  await reopen(test);
  await commitAll(test.store, VARIOUS);
  const database = new DatabaseSync(`${test.folder}/queue.db`);
  const [{ pageno }] = database.prepare(
    "SELECT pageno FROM dbstat WHERE name = 'message' AND pagetype = 'leaf' ORDER BY 1 DESC",
  ).all();
  database.close();
  inFile("queue.db", (Number(pageno) - 1) * PAGE, new Uint8Array(PAGE).fill(0x5a))(test.folder);
  const ids = new Set(await idsOf(test.store));
  for (const id of idsIn(VARIOUS)) assert.ok(ids.has(id), id);
  assert.deepEqual(errorsOf(test), ["damaged store set aside"]);
});
