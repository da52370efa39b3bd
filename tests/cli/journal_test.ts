/** What a daemon has acknowledged is there for a command: the daemon takes it, or the command. */

import assert from "node:assert/strict";
import { dinopost, runToEnd } from "../fakes/daemon.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { commitAll, copyOf, idsIn, idsOf, inTables, lagging, sizes } from "../fakes/killed.ts";
import { entryOf, TestStore } from "../fakes/store.ts";

const entries = Array.from({ length: 20 }, (_, i) => entryOf({ text: "x".repeat(i * 500) }));

const commandOn = (folder: string) => (...args: string[]) =>
  runToEnd(dinopost(...args), { SMTP_QUEUE_PATH: folder, SMTP_SPOOL_FILES: "false" });

function idsFrom({ code, stdout }: { code: number; stdout: string }): string[] {
  assert.equal(code, 0);
  return stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line).id).toSorted();
}

Deno.test("the first command has what was acknowledged before a kill, once, and so has the next daemon", async () => {
  await using test = await lagging();
  await commitAll(test.store, entries);
  assert.deepEqual(await inTables(test), []);
  const folder = copyOf(test);
  const run = commandOn(folder);
  const [dropped] = idsIn(entries);
  assert.match((await run("queue", "drop", dropped)).stdout, /^1 message, 1 recipient dropped\n/);
  for (let time = 0; time < 2; time++) {
    const listed = await run("messages", "list", "--json");
    assert.deepEqual([idsFrom(listed), listed.stderr], [idsIn(entries), ""]);
  }
  await using next = await TestStore.open({ folder });
  assert.deepEqual(await idsOf(next.store), idsIn(entries));
  const stats = await next.store.stats();
  assert.deepEqual([stats.accepted, stats.dropped, stats.queued], [20, 1, 19]);
  assert.deepEqual(next.logged, []);
});

Deno.test("a command waits for what the daemon that serves has acknowledged before", async () => {
  const clock = new TurnedClock();
  await using test = await lagging(clock);
  await commitAll(test.store, entries);
  const listing = commandOn(test.folder)("messages", "list", "--json");
  assert.deepEqual(await inTables(test), []);
  const takes = setInterval(() => clock.turn(10), 50);
  try {
    assert.deepEqual(idsFrom(await listing), idsIn(entries));
  } finally {
    clearInterval(takes);
  }
});

Deno.test("a command tells of damage behind which it has found more", async () => {
  await using test = await lagging();
  for (const entry of entries) await test.store.commit(entry);
  const folder = copyOf(test);
  assert.ok(sizes({ folder })[0] > 3 * 4096);
  using file = Deno.openSync(`${folder}/journal-1`, { write: true });
  file.seekSync(4096 + 300, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(20).fill(1));
  const { stdout, stderr, code } = await commandOn(folder)("messages", "list", "--json");
  assert.deepEqual(idsFrom({ code, stdout }), idsIn(entries.toSpliced(1, 1)));
  assert.match(stderr, /journal/);
  assert.match(stderr, /quarantine\/journal-1-1/);
  await Deno.remove(folder.slice(0, folder.lastIndexOf("/")), { recursive: true });
});
