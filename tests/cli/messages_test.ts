/** `messages list`, `show` and `export`: what is in the store, whatever became of it. */

import assert from "node:assert/strict";
import type { MessageRow, ShownMessage } from "../../src/ports/store.ts";
import { dinopost } from "../fakes/daemon.ts";
import { delivered, settleAll } from "../fakes/outcomes.ts";
import { contentFrom, entryOf } from "../fakes/store.ts";
import { testWith } from "../fakes/tools.ts";
import { TestSpool } from "./spool.ts";

const ALL = { free: 1000, perDestination: 1000, busy: [], lease: 3_600_000 };

Deno.test("messages list shows all of them with their subjects, newest first", async () => {
  await using spool = await TestSpool.open();
  const { store } = spool;
  await store.commit(entryOf({ id: "a" }, { subject: "first", keys: "first" }));
  for (const claim of (await store.claim(ALL)).claims) await settleAll(store, claim, delivered);
  await store.commit(
    entryOf({ id: "b" }, { subject: "second", keys: "second", state: "captured" }),
  );
  const { stdout } = await spool.run("messages", "list");
  assert.match(
    stdout,
    /^ID .*\nb .*\n {2}subject: second\n.* captured\na .*\n {2}subject: first\n.* delivered, 1 attempt\n$/,
  );
  const ids = async (...args: string[]) =>
    (await spool.json<MessageRow>("messages", "list", ...args)).map(({ id }) => id);
  assert.deepEqual(await ids("FIRST"), ["a"]);
  assert.deepEqual(await ids("--limit", "1"), ["b"]);
  assert.deepEqual(await ids("nowhere"), []);
  assert.equal((await spool.run("messages", "list", "nowhere")).stdout, "nothing to list\n");
});

Deno.test("messages list goes on from page to page", async () => {
  await using spool = await TestSpool.open();
  const entries = Array.from({ length: 170 }, () => entryOf());
  await Promise.all(entries.map((entry) => spool.store.commit(entry)));
  const listed = await spool.json<MessageRow>("messages", "list", "--limit", "0");
  assert.deepEqual(listed.map(({ number }) => number), entries.map((_, i) => 170 - i));
});

Deno.test("messages show has the subject and the header, as long as there is one", async () => {
  await using spool = await TestSpool.open();
  const text =
    "Received: from x\r\n\tby y; now\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\nX: \x1b[2J\u00e9\r\n" +
    "no field\r\n\r\nNot-This: one\r\n";
  await spool.store.commit(entryOf({ id: "a", text }, { subject: "café" }));
  const { stdout } = await spool.run("messages", "show", "a");
  assert.match(stdout, /^subject +café$/m);
  assert.match(stdout, /\n1 recipient\n {2}bob@example\.net {2}queued, next now\n/);
  const header = "Received: from x by y; now\n  Subject: =?utf-8?q?caf=C3=A9?=\n  X: \\u001b[2Jé\n";
  assert.ok(stdout.endsWith(`\nheader\n  ${header}`), stdout);
  const [shown] = await spool.json<ShownMessage & { header: unknown }>("messages", "show", "a");
  assert.deepEqual(shown.header, [
    { name: "Received", value: "from x by y; now" },
    { name: "Subject", value: "=?utf-8?q?caf=C3=A9?=" },
    { name: "X", value: "\x1b[2Jé" },
  ]);
  await spool.run("queue", "drop", "a");
  const later = await spool.run("messages", "show", "a");
  assert.match(later.stdout, /its octets have left the store/);
  assert.doesNotMatch(later.stdout, /\nheader\n/);
});

for (const [what, size] of [["small", 100_000], ["of 100 MB", 100_000_000]] as const) {
  Deno.test(`messages export writes the octets of a message ${what} as they are`, async () => {
    await using spool = await TestSpool.open();
    const text = new Uint8Array(size);
    for (let i = 0; i < size; i++) text[i] = (i * 7) ^ (i >> 9);
    const entry = entryOf({ id: "a" });
    const envelope = { ...entry.envelope, content: contentFrom(text) };
    await spool.store.commit({ ...entry, envelope });
    const copy = `${spool.folder}/../copy`;
    // Through a pipe, which takes little at once.
    const { code, stderr } = await spool.shell(
      `set -o pipefail; $dinopost messages export a | cat > ${copy}`,
    );
    assert.deepEqual([code, stderr], [0, ""]);
    const octets = await Deno.readFile(copy);
    assert.equal(octets.length, size);
    const digest = async (of: Uint8Array<ArrayBuffer>) =>
      new Uint8Array(await crypto.subtle.digest("SHA-256", of));
    assert.deepEqual(await digest(octets), await digest(text));

    const cut = await spool.shell(
      "$dinopost messages export a | head -c 10 | wc -c; echo ${PIPESTATUS[0]}",
    );
    assert.deepEqual(cut, { code: 0, stdout: "10\n0\n", stderr: "" });
    const full = await spool.shell("$dinopost messages export a > /dev/full");
    assert.equal(full.code, 1);
    assert.match(full.stderr, /^dinopost messages export: standard output: No space left.*\n$/);
  });
}

Deno.test("messages export falls back on a name in the spool, if it holds what was stored", async () => {
  await using spool = await TestSpool.open();
  await spool.test.reopen({ viewed: true });
  const { store } = spool.test;
  const text = "Subject: x\r\n\r\nOnly here\r\n";
  await store.commit(entryOf({ id: "a", text, to: ["Bob@example.net", "c@example.net"] }));
  while ((await store.stats()).lag > 0);
  await spool.close();
  spool.sql("UPDATE message SET place = 2, body = NULL");
  assert.deepEqual(await spool.run("messages", "export", "a"), {
    code: 0,
    stdout: text,
    stderr: "",
  });
  const [day] = [...Deno.readDirSync(spool.folder)].filter(({ name }) => /^\d{4}-/.test(name));
  const [name] = [...Deno.readDirSync(`${spool.folder}/${day.name}`)];
  // The same length, and links to it.
  const path = `${spool.folder}/${day.name}/${name.name}`;
  await Deno.writeTextFile(path, text.replace("Only", "Over"));
  assert.deepEqual(await spool.run("messages", "export", "a"), {
    code: 1,
    stdout: "",
    stderr: "dinopost messages export: a: its octets are no longer kept\n",
  });
});

Deno.test("messages export does not hand out what is damaged", async () => {
  await using spool = await TestSpool.open();
  await spool.store.commit(entryOf({ id: "a", text: "Subject: x\r\n\r\nx\r\n" }));
  await spool.close();
  spool.sql(
    "UPDATE message SET body = CAST('Subject: y' || x'0d0a0d0a' || 'x' || x'0d0a' AS BLOB)",
  );
  assert.deepEqual(await spool.run("messages", "export", "a"), {
    code: 1,
    stdout: "",
    stderr: "dinopost messages export: a: its octets are not those that were stored\n",
  });
});

testWith("script", "messages export escapes what would speak to a terminal", async () => {
  await using spool = await TestSpool.open();
  await spool.store.commit(entryOf({ id: "a", text: "X:\t\x1b[2J\r\n\r\ncaf\u00e9\r\n" }));
  const command = dinopost("messages", "export", "a").join(" ");
  const { stdout } = await spool.shell(`script -qec "${command}" /dev/null`);
  assert.match(stdout, /X:\t\\u001b\[2J\r\n\r\ncafé\r\n/);
});
