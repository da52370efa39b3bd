/** B13: `queue list` and `queue show`, for people and as JSON. */

import assert from "node:assert/strict";
import type { MessageRow, ShownMessage } from "../../src/ports/store.ts";
import { dinopost } from "../fakes/daemon.ts";
import { deferred, delivered, settleAll } from "../fakes/outcomes.ts";
import { entryOf } from "../fakes/store.ts";
import { testWith } from "../fakes/tools.ts";
import { TestSpool } from "./spool.ts";

const ALL = { free: 1000, perDestination: 1000, busy: [], lease: 3_600_000 };
const MINUTE = 60_000;

/** Escape codes, line ends, turns of direction and nothing, from a remote server or a client. */
const HOSTILE = "\x1b[2J\x07 \u009b31m \r\nx \u2028\u202eevil\u2066 \x7f\u200b\u{e0041}";
// deno-lint-ignore no-control-regex -- these must not come out
const DANGEROUS = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\p{Cf}]/u;

/** Bob's is to be tried again, Carol's has arrived, another message is held. */
async function fill({ store }: TestSpool): Promise<void> {
  await store.commit(entryOf({
    id: "first000000000000000",
    to: ["bob@example.net", "carol@example.org"],
    receivedAt: Date.now() - 90 * MINUTE,
    text: "Subject: x\r\n\r\n" + "x".repeat(3500),
  }));
  for (const claim of (await store.claim(ALL)).claims) {
    if (claim.domain === "example.org") await settleAll(store, claim, delivered);
    else await settleAll(store, claim, deferred, { due: store.time() + 12.5 * MINUTE });
  }
  const held = { state: "held", origin: "generated", note: "for the operator" } as const;
  await store.commit(
    entryOf({ id: "second00000000000000", from: "", to: ["dave@x.example"] }, held),
  );
}

const TABLE = `\
ID                      AGE         SIZE  FROM
first000000000000000     1h      3.4 KiB  alice@example.com
  bob@example.net                 queued, 1 attempt, next in 12m
    451 4.3.0 later
  and 1 other recipient
second00000000000000     0s         17 B  <>
  dave@x.example                  held
    for the operator

recipients: 1 queued, 1 held, 0 quarantined
`;

Deno.test("B13 queue list shows people what is in the queue, oldest first", async () => {
  await using spool = await TestSpool.open();
  await fill(spool);
  const list = async () => {
    const ran = await spool.run("queue", "list");
    return { ...ran, stdout: ran.stdout.replace(/ +[0-9]+s /, "     0s ") };
  };
  assert.deepEqual(await list(), { code: 0, stdout: TABLE, stderr: "" });
  await spool.close();
  assert.deepEqual(await list(), { code: 0, stdout: TABLE, stderr: "" });
});

Deno.test("B13 S25 queue list as JSON has the names of the store, and times of ISO 8601", async () => {
  await using spool = await TestSpool.open();
  await fill(spool);
  const listed = await spool.json<Record<keyof MessageRow, unknown>>("queue", "list");
  const stored = [...await spool.store.list({ limit: 10 })].reverse();
  assert.equal(listed.length, 2);
  for (const [i, { number, id, receivedAt, sender, subject, size }] of stored.entries()) {
    const { recipients: _, ...message } = listed[i];
    assert.deepEqual(message, {
      number,
      id,
      receivedAt: new Date(receivedAt).toISOString(),
      sender,
      subject,
      size,
    });
  }
  const [bob, carol] = listed[0].recipients as Record<string, unknown>[];
  const { nextAttempt, ...rest } = bob;
  assert.match(String(nextAttempt), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(rest, {
    address: "bob@example.net",
    state: "queued",
    attempts: 1,
    underway: false,
    lastError: "451 4.3.0 later",
  });
  assert.deepEqual(carol, {
    address: "carol@example.org",
    state: "delivered",
    attempts: 1,
    underway: false,
  });
});

Deno.test("B13 queue list finds by state, domain and text", async () => {
  await using spool = await TestSpool.open();
  const { store } = spool;
  const commit = (id: string, to: string[], subject: string, state: "queued" | "captured") =>
    store.commit(entryOf({ id, to }, { subject, keys: subject, state }));
  await commit("a", ["x@Example.NET", "y@other.example"], "invoice", "queued");
  await commit("b", ["x@sub.example.net"], "invoice", "queued");
  await commit("c", ["x@example.network"], "example.net", "queued");
  await commit("d", ["x@example.net"], "greetings", "captured");
  const ids = async (...args: string[]) =>
    (await spool.json<MessageRow>("queue", "list", ...args)).map(({ id }) => id);
  assert.deepEqual(await ids(), ["a", "b", "c"]);
  assert.deepEqual(await ids("--domain", "example.NET"), ["a"]);
  assert.deepEqual(await ids("--domain=example.net", "--state", "captured,queued"), ["a", "d"]);
  assert.deepEqual(await ids("--domain", "example.net", "x@"), ["a"]);
  assert.deepEqual(await ids("--state=captured"), ["d"]);
  assert.deepEqual(await ids("INVOICE"), ["a", "b"]);
  assert.match((await spool.run("queue", "list", "--", "--json")).stdout, /^nothing to list\n/);
  const { stdout } = await spool.run("queue", "list", "--domain", "example.net");
  assert.match(stdout, /^ {2}x@Example\.NET +queued, next now\n {2}and 1 other recipient\n/m);
  assert.match(
    stdout,
    /\nrecipients: 4 queued, 0 held, .*; 1 captured: see dinopost messages list\n$/,
  );
});

Deno.test("B13 an empty queue is said to be so", async () => {
  await using spool = await TestSpool.open();
  assert.deepEqual(await spool.run("queue", "list"), {
    code: 0,
    stdout: "nothing to list\nrecipients: 0 queued, 0 held, 0 quarantined\n",
    stderr: "",
  });
  assert.deepEqual(await spool.json("queue", "list"), []);
});

Deno.test("B13 what is being delivered is shown to be", async () => {
  await using spool = await TestSpool.open();
  await spool.store.commit(entryOf());
  await spool.store.claim(ALL);
  const { stdout } = await spool.run("queue", "list");
  assert.match(stdout, /bob@example\.net +queued, being delivered\n/);
});

const HOUR = 60 * MINUTE;

for (
  const [what, due, gone, shown] of [
    ["hours ago", 29.5 * HOUR, 10 * HOUR, "next in 19h"],
    ["days ago: a day of them counts", 29.5 * HOUR, 72 * HOUR, "next in 5h"],
    ["later, by a clock that was wrong", 23.5 * HOUR, -HOUR, "next in 23h"],
  ] as const
) {
  Deno.test(`B13 the next attempt is told where the daemon was seen ${what}`, async () => {
    await using spool = await TestSpool.open();
    const { store } = spool;
    await store.commit(entryOf());
    const [claim] = (await store.claim(ALL)).claims;
    await settleAll(store, claim, deferred, { due: store.time() + due });
    await spool.close();
    spool.sql(`UPDATE tally SET seen_wall = seen_wall - ${gone}`);
    const { stdout } = await spool.run("queue", "list");
    assert.match(stdout, new RegExp(`attempt, ${shown}\n`));
  });
}

Deno.test("B13 three thousand messages are listed whole, or as many as are asked for", async () => {
  await using spool = await TestSpool.open();
  const { store } = spool;
  const subject = "x".repeat(500);
  const entries = Array.from(
    { length: 3000 },
    (_, i) =>
      entryOf({ id: `m${String(i).padStart(19, "0")}`, to: [`r${i}@example.net`] }, { subject }),
  );
  await Promise.all(entries.map((entry) => store.commit(entry)));
  const all = await spool.json<MessageRow>("queue", "list", "--limit", "0");
  assert.equal(all.length, 3000);
  assert.ok(all.every(({ number }, i) => number === i + 1));

  const few = await spool.run("queue", "list", "--json");
  assert.equal(few.stdout.split("\n").length, 101);
  assert.equal(few.stderr, "there are more: --limit 0 lists all\n");
  const seven = await spool.run("queue", "list", "--limit=7");
  assert.equal(seven.stdout.match(/^m0/gm)?.length, 7);
  assert.match(seven.stdout, /\nthere are more: --limit 0 lists all\n\nrecipients: 3000 queued/);
  const exact = await spool.run("queue", "list", "--limit", "3000");
  assert.equal(exact.stdout.match(/^m0/gm)?.length, 3000);
  assert.doesNotMatch(exact.stdout, /there are more/);

  // Whoever has seen enough closes the pipe.
  const piped = await spool.shell(
    "$dinopost queue list --json --limit 0 | head -n 2; echo ${PIPESTATUS[0]}",
  );
  assert.deepEqual([piped.stdout.split("\n").length, piped.stderr], [4, ""]);
  assert.match(piped.stdout, /\n0\n$/);
  const full = await spool.shell("$dinopost queue list > /dev/full");
  assert.deepEqual([full.code, full.stderr.split("\n").length], [1, 2]);
  assert.match(full.stderr, /^dinopost queue list: standard output: No space left/);
});

Deno.test("B15 a queue larger than memory is listed", async () => {
  await using spool = await TestSpool.open();
  const subject = "x".repeat(400_000);
  for (let i = 0; i < 300; i++) await spool.store.commit(entryOf({}, { subject }));
  const script = "${dinopost/ run / run --v8-flags=--max-old-space-size=60 } " +
    "queue list --json --limit 0 | wc -l";
  assert.deepEqual(await spool.shell(script), { code: 0, stdout: "300\n", stderr: "" });
});

Deno.test("H7 what comes from outside cannot speak to the terminal", async () => {
  await using spool = await TestSpool.open();
  const { store } = spool;
  const entry = entryOf({ id: "evil" }, { subject: HOSTILE });
  const client = { ...entry.envelope.client, helo: HOSTILE };
  await store.commit({ ...entry, envelope: { ...entry.envelope, client } });
  const [claim] = (await store.claim(ALL)).claims;
  await settleAll(store, claim, { ...deferred, host: HOSTILE, command: HOSTILE, reply: HOSTILE });
  for (
    const args of [["queue", "list"], ["queue", "show", "evil"], ["messages", "list"], [
      "messages",
      "show",
      "evil",
    ]]
  ) {
    const people = await spool.run(...args);
    assert.equal(people.code, 0);
    assert.match(people.stdout, /\\u001b\[2J\\u0007 \\u009b31m \\u000d\\u000ax \\u2028\\u202eevil/);
    assert.doesNotMatch(people.stdout, DANGEROUS);
    const { stdout } = await spool.run(...args, "--json");
    assert.doesNotMatch(stdout, DANGEROUS);
    const { subject, recipients } = JSON.parse(stdout) as MessageRow;
    assert.deepEqual([subject, recipients[0].lastError], [HOSTILE, HOSTILE]);
  }
});

testWith("script", "B13 on a terminal lines are cut to its width, but not as JSON", async () => {
  await using spool = await TestSpool.open();
  const reply = "451 4.3.0 " + "later ".repeat(50);
  await spool.store.commit(entryOf());
  const [claim] = (await spool.store.claim(ALL)).claims;
  await settleAll(spool.store, claim, { ...deferred, reply });
  let terminal = "cols 60";
  const onTerminal = async (...args: string[]) => {
    const command = `stty ${terminal}; exec ${dinopost(...args).join(" ")}`;
    const { stdout } = await spool.shell(`script -qec "${command}" /dev/null`);
    return stdout.split("\r\n");
  };
  const shown = (await onTerminal("queue", "list")).find((line) => line.includes("451"))!;
  assert.equal(shown, "    451 4.3.0 later later later later later later later lat…");
  assert.equal(shown.length, 60);
  const json = (await onTerminal("queue", "list", "--json")).find((line) => line.includes("451"))!;
  assert.equal(JSON.parse(json).recipients[0].lastError, reply);
  // One that does not know its width is not taken for one without any.
  terminal = "cols 0";
  const standard = (await onTerminal("queue", "list")).find((line) => line.includes("451"))!;
  assert.equal(standard.length, 80);
});

Deno.test("B13 queue show tells everything of a message", async () => {
  await using spool = await TestSpool.open();
  await fill(spool);
  const { code, stdout, stderr } = await spool.run("queue", "show", "first000000000000000");
  assert.deepEqual([code, stderr], [0, ""]);
  const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g;
  assert.equal(
    stdout.replace(time, "TIME"),
    `\
id         first000000000000000
received   TIME, 1h ago
origin     accepted
client     127.0.0.1 port 4711, EHLO client
from       alice@example.com
wishes     7BIT
size       3.4 KiB

2 recipients
  bob@example.net  queued, 1 attempt, next in 12m
    451 4.3.0 later
    TIME  deferred  mx.example DATA: 451 4.3.0 later
  carol@example.org  delivered, 1 attempt
    TIME  delivered  mx.example DATA: 250 2.0.0 OK
`,
  );
  const [shown] = await spool.json<ShownMessage>("queue", "show", "first000000000000000");
  const stored = (await spool.store.show("first000000000000000"))!;
  const { client, origin, wishes, attempts } = shown;
  assert.deepEqual({ client, origin, wishes }, {
    client: stored.client,
    origin: stored.origin,
    wishes: stored.wishes,
  });
  assert.deepEqual(
    attempts,
    stored.attempts.map((attempt) => ({ ...attempt, at: new Date(attempt.at).toISOString() })),
  );
});

Deno.test("B13 a message that is not there is said not to be", async () => {
  await using spool = await TestSpool.open();
  assert.deepEqual(await spool.run("queue", "show", "no\nbody"), {
    code: 1,
    stdout: "",
    stderr: 'dinopost queue show: no message "no\\nbody"\n',
  });
});
