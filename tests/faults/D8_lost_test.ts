/** D8: damage that only whoever writes the names comes upon; a store that is gone. */

import assert from "node:assert/strict";
import { disk } from "../../src/deno/files.ts";
import { Layout } from "../../src/store/layout.ts";
import { garbagePage, leafOf } from "../fakes/damage.ts";
import { entryOf, TestStore } from "../fakes/store.ts";

const MESSAGES = 200;
const receivedAt = Date.UTC(2026, 10, 20);

Deno.test("D8 a page of messages is garbage: all that is left have their names", async () => {
  await using test = await TestStore.open();
  for (let i = 0; i < MESSAGES; i++) {
    await test.store.commit(entryOf({ receivedAt }, { state: "held" }));
  }
  await test.close();
  garbagePage(leafOf(test.folder, "message", "middle"))(test.folder);
  await test.reopen({ viewed: true });
  while ((await test.store.stats()).lag > 0);
  const told = test.logged.filter(({ event }) => event === "damaged store set aside");
  assert.equal(told.length, 1);
  const left = await test.store.list({ limit: MESSAGES });
  assert.ok(left.length > MESSAGES / 2 && left.length < MESSAGES);
  const names = disk.files.names(new Layout(test.folder).day(receivedAt));
  assert.deepEqual(
    names.map((name) => name.split("_")[0]).toSorted(),
    left.map(({ id }) => id).toSorted(),
  );
});

Deno.test("D8 a store that is gone is told of, and begun anew", async () => {
  await using test = await TestStore.open();
  await test.store.commit(entryOf({ text: "x".repeat(300_000) }));
  await test.store.commit(entryOf());
  await test.close();
  const told = () => test.logged.filter(({ event }) => event.startsWith("store is missing")).length;
  assert.equal(told(), 0, "a new one was never there");
  for (const name of ["queue.db", "queue.db-wal", "queue.db-shm"]) {
    disk.files.remove(`${test.folder}/${name}`);
  }
  await test.reopen();
  assert.equal(told(), 1);
  await test.store.commit(entryOf());
  await test.reopen();
  assert.deepEqual([told(), (await test.store.list({ limit: 9 })).length], [1, 1]);
});
