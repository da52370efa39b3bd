/** B13: what people order for messages in the queue, while a daemon has it open and after. */

import assert from "node:assert/strict";
import type { Changed, MessageRow, RecipientState, Tally } from "../../src/ports/store.ts";
import { deferred, settleAll } from "../fakes/outcomes.ts";
import { entryOf } from "../fakes/store.ts";
import { TestSpool } from "./spool.ts";

const ALL = { free: 1000, perDestination: 1000, busy: [], lease: 3_600_000 };
const DAY = 24 * 3_600_000;

async function states(spool: TestSpool): Promise<Record<string, RecipientState[]>> {
  const rows = await spool.json<MessageRow>("messages", "list", "--limit", "0");
  return Object.fromEntries(
    rows.map(({ id, recipients }) => [id, recipients.map(({ state }) => state)]),
  );
}

async function commit({ store }: TestSpool, messages: Record<string, string[]>): Promise<void> {
  for (const [id, to] of Object.entries(messages)) await store.commit(entryOf({ id, to }));
}

const good = (stdout: string) => ({ code: 0, stdout, stderr: "" });

for (const daemon of ["runs", "has stopped"]) {
  Deno.test(`B13 hold, release and drop do what they say where a daemon ${daemon}`, async () => {
    await using spool = await TestSpool.open();
    await commit(spool, {
      a: ["x@one.example", "y@Two.example"],
      b: ["z@two.example"],
      c: ["c@c.example"],
    });
    if (daemon !== "runs") await spool.close();
    assert.deepEqual(
      await spool.run("queue", "hold", "a", "b"),
      good("2 messages, 3 recipients held\n"),
    );
    assert.deepEqual(
      await spool.run("queue", "release", "--domain", "TWO.example"),
      good("2 messages, 2 recipients released\n"),
    );
    assert.deepEqual(await states(spool), { c: ["queued"], b: ["queued"], a: ["held", "queued"] });
    assert.deepEqual(
      await spool.run("queue", "drop", "c"),
      good("1 message, 1 recipient dropped\n"),
    );
    assert.deepEqual(await spool.run("queue", "hold", "c"), {
      code: 1,
      stdout: "0 messages, 0 recipients held\n",
      stderr: "dinopost queue hold: c: nothing to hold: it is dropped\n",
    });
    assert.deepEqual(
      await spool.run("queue", "drop", "--all"),
      good("2 messages, 3 recipients dropped\n"),
    );
    const [tally] = await spool.json<Tally>("queue", "count");
    assert.deepEqual([tally.accepted, tally.dropped, tally.queued, tally.held], [4, 4, 0, 0]);
  });
}

for (const args of [["retry", "a"], ["retry", "--all"], ["flush"]]) {
  Deno.test(`B13 queue ${args.join(" ")} makes due what was to wait, and the daemon hears of it`, async () => {
    await using spool = await TestSpool.open();
    const { store } = spool;
    await commit(spool, { a: ["x@one.example"] });
    const [claim] = (await store.claim(ALL)).claims;
    await settleAll(store, claim, deferred, { due: store.time() + DAY });
    assert.deepEqual((await store.claim(ALL)).claims, []);
    const news = Promise.withResolvers<void>();
    store.onNews(news.resolve);
    assert.deepEqual(
      await spool.run("queue", ...args),
      good("1 message, 1 recipient due now\n"),
    );
    await news.promise;
    const { claims } = await store.claim(ALL);
    assert.deepEqual(claims.map(({ id, recipients }) => [id, recipients[0].attempts]), [["a", 1]]);
  });
}

Deno.test("B13 what is being delivered is left alone, and told of", async () => {
  await using spool = await TestSpool.open();
  await commit(spool, { a: ["x@one.example", "y@one.example"], b: ["x@two.example"] });
  await spool.store.claim({ ...ALL, free: 2, perDestination: 1 });
  await commit(spool, { c: ["x@one.example"] });
  assert.deepEqual(
    await spool.run("queue", "hold", "--all"),
    good("1 message, 1 recipient held\n3 recipients are being delivered now and were left alone\n"),
  );
  assert.deepEqual(
    await spool.run("queue", "drop", "b"),
    good(
      "0 messages, 0 recipients dropped\n1 recipient is being delivered now and was left alone\n",
    ),
  );
});

Deno.test("B13 ids that no message has are told, and the others carried out", async () => {
  await using spool = await TestSpool.open();
  await commit(spool, { a: ["x@one.example"] });
  assert.deepEqual(await spool.run("queue", "hold", "x", "a", "\x1b"), {
    code: 1,
    stdout: "1 message, 1 recipient held\n",
    stderr: 'dinopost queue hold: no message "x", "\\u001b"\n',
  });
  const { code, stdout } = await spool.run("queue", "release", "--json", "a", "x");
  const changed: Changed = { messages: 1, recipients: 1, underway: 0, unknown: ["x"], unfit: [] };
  assert.deepEqual([code, JSON.parse(stdout)], [1, changed]);
});

Deno.test("B13 why nothing was done is told of each message that was named, and of no other", async () => {
  await using spool = await TestSpool.open();
  await commit(spool, { a: ["x@one.example"], b: ["x@one.example", "y@two.example"] });
  await spool.run("queue", "hold", "a");
  await spool.run("queue", "drop", "--domain", "one.example");
  await spool.run("queue", "hold", "b");
  await commit(spool, { c: ["x@one.example"] });
  assert.deepEqual(await spool.run("queue", "retry", "a", "x", "b", "c"), {
    code: 1,
    stdout: "1 message, 1 recipient due now\n",
    stderr: 'dinopost queue retry: no message "x"; a: nothing to retry: it is dropped; ' +
      "b: nothing to retry: it is partly held, partly dropped\n",
  });
  // Something was done, if not for all of it.
  assert.deepEqual(
    await spool.run("queue", "release", "b"),
    good("1 message, 1 recipient released\n"),
  );
  const { code, stdout, stderr } = await spool.run("queue", "release", "--json", "c");
  const unfit = [{ id: "c", states: ["queued"] }];
  const nothing: Changed = { messages: 0, recipients: 0, underway: 0, unknown: [], unfit: [] };
  assert.deepEqual([code, JSON.parse(stdout)], [1, { ...nothing, unfit }]);
  assert.equal(stderr, "dinopost queue release: c: nothing to release: it is queued\n");
  for (const which of [["--all"], ["--domain", "one.example"]]) {
    assert.deepEqual(
      await spool.run("queue", "release", ...which),
      good("0 messages, 0 recipients released\n"),
    );
  }
});

Deno.test("B13 a message that is named twice is counted once", async () => {
  await using spool = await TestSpool.open();
  await commit(spool, { a: ["x@one.example"] });
  assert.deepEqual(
    await spool.run("queue", "hold", "a", "a"),
    good("1 message, 1 recipient held\n"),
  );
  assert.equal((await spool.run("queue", "count")).code, 0);
});

Deno.test("B13 an order for thousands goes part by part, and counts each message once", async () => {
  await using spool = await TestSpool.open();
  const to = Array.from({ length: 5000 }, (_, i) => `r${i}@example.net`);
  await commit(spool, { a: to, b: ["x@example.net"] });
  assert.deepEqual(
    await spool.run("queue", "hold", "--all"),
    good("2 messages, 5001 recipients held\n"),
  );
});

Deno.test("B13 what was dropped leaves nothing on the disk", async () => {
  await using spool = await TestSpool.open();
  const text = "Subject: large\r\n\r\n" + "x".repeat(300_000);
  await spool.store.commit(entryOf({ id: "large", text }));
  const bodies = () => [...Deno.readDirSync(`${spool.folder}/bodies`)].map(({ name }) => name);
  assert.deepEqual(bodies(), ["large"]);
  await spool.run("queue", "drop", "--all");
  assert.deepEqual(bodies(), []);
});

Deno.test("H5 an order leaves the store's clock to the daemon", async () => {
  await using spool = await TestSpool.open();
  await commit(spool, { a: ["x@one.example"] });
  await spool.close();
  // A clock that was wrong for hours: the command's guess of the time is ahead of any daemon's.
  spool.sql(`UPDATE tally SET seen_wall = seen_wall - ${DAY / 2}`);
  const seen = () => spool.sql("SELECT seen_time, seen_wall FROM tally");
  const before = seen();
  assert.equal((await spool.run("queue", "hold", "--all")).code, 0);
  assert.equal((await spool.run("queue", "release", "--all")).code, 0);
  assert.deepEqual(seen(), before);
});

Deno.test("B13 the accounting is shown, and is refused where it does not add up", async () => {
  await using spool = await TestSpool.open();
  await commit(spool, { a: ["x@one.example", "y@one.example"], b: ["x@one.example"] });
  await spool.store.commit(entryOf({ from: "" }, { origin: "generated", state: "held" }));
  await spool.run("queue", "drop", "b");
  await spool.close();
  const table = `\
accepted     3
generated    1  bounces and notices
             -
came         4
delivered    0
failed       0  0 bounced, 0 not to be
queued       2
held         1
captured     0
dropped      1
quarantined  0
             -
found        4
`;
  assert.deepEqual(await spool.run("queue", "count"), good(table));
  spool.sql("UPDATE tally SET accepted = accepted + 1");
  assert.deepEqual(await spool.run("queue", "count"), {
    code: 1,
    stdout: table.replace("ed     3", "ed     4").replace("came         4", "came         5"),
    stderr: "dinopost queue count: the sum does not hold: 5 came, 4 are somewhere\n",
  });
  spool.sql("UPDATE tally SET accepted = accepted - 1, bounced = 1");
  const { code, stdout, stderr } = await spool.run("queue", "count", "--json");
  assert.deepEqual([code, JSON.parse(stdout).holds], [1, false]);
  assert.match(stderr, /the sum does not hold: 0 failed, 1 of them/);
});

const GONE = [
  ["DELETE FROM recipient WHERE message = 2", "1 are said to be queued, 0 are there"],
  ["DELETE FROM recipient WHERE message = 3", "1 are said to be held, 0 are there"],
  ["DELETE FROM message WHERE number = 3", "there is no message of 1 recipient"],
  ["UPDATE recipient SET state = 3 WHERE message = 3", "1 are said to be held, 0 are there"],
  ["UPDATE recipient SET state = 3 WHERE message = 1", "0 are said to be delivered, 1 are there"],
] as const;
for (const [loss, problem] of GONE) {
  Deno.test(`B13 what the accounting says must be there: ${loss}`, async () => {
    await using spool = await TestSpool.open();
    await commit(spool, { a: ["x@one.example"], b: ["x@one.example"], c: ["x@one.example"] });
    await spool.run("queue", "hold", "c");
    await spool.run("queue", "drop", "a");
    await spool.close();
    assert.equal((await spool.run("queue", "count")).code, 0);
    spool.sql(loss);
    const { code, stderr } = await spool.run("queue", "count");
    assert.equal(code, 1);
    assert.equal(stderr, `dinopost queue count: the sum does not hold: ${problem}\n`);
  });
}
