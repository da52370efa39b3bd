/** B14, D8: commands on a damaged spool, and what a daemon then does. */

import assert from "node:assert/strict";
import { garbagePage, leafOf } from "../fakes/damage.ts";
import { entryOf } from "../fakes/store.ts";
import { TestSpool } from "./spool.ts";

const MESSAGES = 200;

/** Held mail that no daemon looks at by itself, without one, and with a page of it destroyed. */
async function damaged(table: string): Promise<TestSpool> {
  const spool = await TestSpool.open();
  for (let i = 0; i < MESSAGES; i++) {
    await spool.store.commit(entryOf({ to: ["a@x.example", "b@x.example"] }, { state: "held" }));
  }
  await spool.close();
  garbagePage(leafOf(spool.folder, table, "middle"))(spool.folder);
  return spool;
}

for (const table of ["message", "recipient"]) {
  Deno.test(`B14 a backup of a spool whose ${table}s are damaged is refused, and leaves nothing`, async () => {
    await using spool = await damaged(table);
    const copy = `${spool.folder}.copy`;
    const { code, stdout, stderr } = await spool.run("backup", copy);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^dinopost backup: spool .*: damaged: .*\n$/);
    assert.throws(() => Deno.statSync(copy), Deno.errors.NotFound);
  });
}

const listing = ["messages", "list", "--limit", "0"];

async function assertListed(spool: TestSpool): Promise<void> {
  const { code, stdout } = await spool.run(...listing, "--json");
  assert.equal(code, 0);
  const left = stdout.split("\n").length - 1;
  assert.ok(left > MESSAGES / 2 && left < MESSAGES, String(left));
}

async function assertDamageTold(spool: TestSpool): Promise<void> {
  const { code, stderr } = await spool.run(...listing);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^dinopost messages list: spool .*: damaged: the daemon looks for it .*\n$/,
  );
}

const salvagesOf = ({ test }: TestSpool) =>
  test.logged.filter(({ event }) => event === "damaged store set aside").length;

Deno.test("B14 damage that a command has met is set aside by the next daemon", async () => {
  await using spool = await damaged("message");
  await spool.test.reopen();
  await spool.store.probe();
  assert.equal(salvagesOf(spool), 0, "it does not come upon it by itself");
  await spool.close();
  await assertDamageTold(spool);
  await spool.test.reopen();
  assert.equal(salvagesOf(spool), 1);
  await assertListed(spool);
});

Deno.test("B14 damage that a command has met is set aside by the daemon that runs", async () => {
  await using spool = await damaged("message");
  await spool.test.reopen();
  await assertDamageTold(spool);
  for (let looks = 0; looks < 500 && salvagesOf(spool) === 0; looks++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await assertListed(spool);
  assert.equal(salvagesOf(spool), 1);
});

Deno.test("B14 a mark that somebody has left without reason does no harm", async () => {
  await using spool = await TestSpool.open();
  await spool.store.commit(entryOf());
  await spool.close();
  const mark = `${spool.folder}/damaged`;
  await Deno.writeTextFile(mark, "");
  await spool.test.reopen();
  assert.equal((await spool.json("messages", "list")).length, 1);
  assert.throws(() => Deno.statSync(mark), Deno.errors.NotFound);
  assert.equal(salvagesOf(spool), 0);
});

Deno.test("D11 what stands in the place of a mark keeps no daemon from its start", async () => {
  await using spool = await TestSpool.open();
  await spool.close();
  await Deno.mkdir(`${spool.folder}/damaged/x`, { recursive: true });
  await spool.test.reopen();
  await spool.store.commit(entryOf());
  for (let looks = 0; looks < 500 && spool.test.logged.length === 0; looks++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.deepEqual(spool.test.logged.map(({ event }) => event), ["damage not set aside"]);
});
