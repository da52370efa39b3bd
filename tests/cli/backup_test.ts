/** B14: `dinopost backup`, with the permissions that the daemon has. */

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { MessageRow } from "../../src/ports/store.ts";
import { dinopost, runToEnd } from "../fakes/daemon.ts";
import { deferred, settleAll } from "../fakes/outcomes.ts";
import { entryOf } from "../fakes/store.ts";
import { TestSpool } from "./spool.ts";

Deno.test("B14 backup makes a copy that can take the spool's place, and says how", async () => {
  await using spool = await TestSpool.open();
  const large = "Subject: large\r\n\r\n" + "x".repeat(300_000);
  await spool.store.commit(entryOf({ id: "a" }));
  await spool.store.commit(entryOf({ id: "b", text: large }));
  const folder = `${spool.folder}.copy`;
  assert.deepEqual(await spool.run("backup", `${folder}/`), {
    code: 0,
    stdout: `${spool.folder} is copied into ${folder}\n` +
      "recipients: 2 queued, 0 held, 0 quarantined\n" +
      `to restore: stop the daemon, move ${spool.folder} away, cp -a ${folder} ${spool.folder}, ` +
      "start it: what it sent since is sent again\n",
    stderr: "",
  });
  await spool.store.drop({ all: true });
  await spool.close();
  await Deno.rename(spool.folder, `${spool.folder}.old`);
  assert.equal((await runToEnd(["cp", "-a", folder, spool.folder])).code, 0);
  await spool.test.reopen();
  const listed = await spool.json<MessageRow>("queue", "list");
  assert.deepEqual(listed.map(({ id }) => id), ["a", "b"]);
  assert.equal((await spool.run("messages", "export", "b")).stdout, large);
});

Deno.test("B14 a backup that cannot be made is told in a line, and leaves nothing", async () => {
  await using spool = await TestSpool.open();
  const copy = `${spool.folder}.copy`;
  await Deno.mkdir(copy);
  assert.deepEqual(await spool.run("backup", copy), {
    code: 1,
    stdout: "",
    stderr: `dinopost backup: ${copy}: it is there already: name a new folder\n`,
  });
  for (const above of [`${spool.folder}/queue.db`, "/dev/null"]) {
    for (const folder of [`${above}/x`, `${above}/x/y`]) {
      assert.deepEqual(await spool.run("backup", folder), {
        code: 1,
        stdout: "",
        stderr: `dinopost backup: ${folder}: ${above} is no folder: name another place\n`,
      });
    }
  }
  // As an executable that may write to its spool and nowhere else.
  const elsewhere = `${spool.folder}.elsewhere`;
  const granted = dinopost("backup", elsewhere)
    .map((word) => word === "--allow-write" ? `${word}=${spool.folder}` : word);
  assert.deepEqual(await runToEnd(granted, spool.settings), {
    code: 1,
    stdout: "",
    stderr: `dinopost backup: ${elsewhere}: this process was not granted to write there: ` +
      "name another place\n",
  });
});

Deno.test("B14 a backup for which there is no room leaves nothing", async () => {
  await using spool = await TestSpool.open();
  await spool.store.commit(entryOf({ text: "x".repeat(200_000) }));
  const copy = `${spool.folder}.copy`;
  // No file may grow beyond 100 KiB, for want of a disk that is full.
  const script = `trap "" XFSZ; ulimit -f 100; exec ${dinopost("backup", copy).join(" ")}`;
  const { code, stdout, stderr } = await spool.shell(script);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /^dinopost backup: .*\n$/);
  assert.throws(() => Deno.statSync(copy), Deno.errors.NotFound);
});

Deno.test("B14 a backup that lies in the spool is moved out of it first, whatever its name", async () => {
  await using spool = await TestSpool.open();
  await spool.store.commit(entryOf({ id: "a" }));
  const [above, name] = [spool.folder.slice(0, spool.folder.lastIndexOf("/")), "spool"];
  for (const [i, folder] of [`${spool.folder}/copy`, `${above}/./${name}/copy`].entries()) {
    const { code, stdout } = await spool.run("backup", `${folder}${i}`);
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`move ${folder}${i} out of ${spool.folder}, then`));
  }
});

Deno.test("B14 a backup has every row", async () => {
  await using spool = await TestSpool.open();
  const to = ["x@one.example", "y@two.example"];
  for (let i = 0; i < 150; i++) await spool.store.commit(entryOf({ to, client: `192.0.2.${i}` }));
  const claimed = await spool.store.claim({ free: 99, perDestination: 99, busy: [], lease: 9e9 });
  for (const claim of claimed.claims) await settleAll(spool.store, claim, deferred);
  await spool.close();
  const folder = `${spool.folder}.copy`;
  assert.equal((await spool.run("backup", folder)).code, 0);
  for (const table of ["message", "recipient", "attempt", "destination", "owner"]) {
    const all = `SELECT * FROM ${table} ORDER BY 1, 2`;
    const rows = spool.sql(all);
    assert.ok(rows.length > (table === "destination" ? 0 : 64), table);
    const copy = new DatabaseSync(`${folder}/queue.db`, { readOnly: true });
    assert.deepEqual(copy.prepare(all).all(), rows);
    copy.close();
  }
});
