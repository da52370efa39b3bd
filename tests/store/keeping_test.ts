/**
 * Keeping: also when it fails, what is refused is never found, what was acknowledged always and
 * only once; and mail goes on by another way until the journal can be used again.
 */

import assert from "node:assert/strict";
import { type Store, StoreError, StoreFullError } from "../../src/ports/store.ts";
import { Failing } from "../fakes/failing.ts";
import { turn } from "../fakes/journal.ts";
import { copyOf, idsOf, inTables, sizes } from "../fakes/killed.ts";
import { entryOf } from "../fakes/store.ts";

const { idsAfterKill, idsIn } = Failing;
const LARGEST = 256 * 1024;
const NO_SYNC = "Input/output error (os error 5)";
const NO_FILE = "Too many open files (os error 24)";

const commit = (store: Store, id: string) => store.commit(entryOf({ id }));

Deno.test("what nobody asks for is taken when there is time, and told of", async () => {
  await using failing = await Failing.open();
  const { clock, store, test } = failing;
  const news = Promise.withResolvers<void>();
  store.onNews(news.resolve);
  await commit(store, "a");
  assert.deepEqual(await inTables(test), []);
  clock.turn(30);
  await news.promise;
  assert.deepEqual(await inTables(test), ["a"]);
});

Deno.test("a failed sync of the journal: refused, and mail goes on by the tables", async () => {
  await using failing = await Failing.open();
  const { store, test } = failing;
  await commit(store, "before");
  failing.sync = NO_SYNC;
  const refused = await Promise.allSettled([commit(store, "refused1"), commit(store, "refused2")]);
  for (const { status } of refused) assert.equal(status, "rejected");
  const octets = Deno.readFileSync(`${test.folder}/journal-1`);
  assert.ok(new TextDecoder("latin1").decode(octets).includes("refused1"), "it is on the disk");
  await commit(store, "meanwhile");
  assert.deepEqual(await inTables(test), ["before", "meanwhile"]);
  assert.ok(failing.has("journal failed, mail goes to the tables"));
  assert.deepEqual(await idsAfterKill(failing), ["before", "meanwhile"]);

  failing.clock.turn(6_000);
  await turn();
  assert.ok(failing.has("journal begun anew"));
  await failing.rest();
  await commit(store, "after");
  assert.deepEqual(await inTables(test), ["before", "meanwhile"], "it is used again");
  assert.deepEqual(await idsAfterKill(failing), ["after", "before", "meanwhile"]);
  assert.deepEqual(await idsOf(store), ["after", "before", "meanwhile"]);
  await test.reopen();
  assert.deepEqual(await idsOf(test.store), ["after", "before", "meanwhile"]);
});

Deno.test("a failed sync of the journal: what it had before is taken, however much", async () => {
  await using failing = await Failing.open();
  const { store, test } = failing;
  const ids = Array.from({ length: 20 }, (_, i) => `m${100 + i}`);
  for (const id of ids) await store.commit(entryOf({ id, text: "x".repeat(LARGEST) }));
  const copies: string[] = [];
  failing.written = () => copies.push(copyOf(test));
  failing.sync = NO_SYNC;
  await assert.rejects(commit(store, "refused"), StoreError);
  assert.deepEqual(await idsOf(store), ids);
  assert.ok(copies.length > 3);
  for (const copy of copies) {
    const found = await idsIn(copy);
    assert.deepEqual(found.filter((id) => ids.includes(id)), ids, "were it killed then");
  }
});

Deno.test("a disk that is full is told of as such", async () => {
  await using failing = await Failing.open();
  failing.sync = "No space left on device (os error 28)";
  await assert.rejects(commit(failing.store, "refused"), StoreFullError);
});

Deno.test("a journal that cannot be begun anew at once is begun later", async () => {
  await using failing = await Failing.open();
  const { clock, store } = failing;
  await commit(store, "before");
  failing.sync = NO_SYNC;
  failing.transaction = "it is not there";
  await assert.rejects(commit(store, "refused"), StoreError);
  await turn();
  failing.open = NO_FILE;
  for (const id of ["one", "two"]) {
    await commit(store, id);
    clock.turn(6_000);
    await turn();
  }
  assert.ok(!failing.has("journal begun anew"));
  failing.open = undefined;
  clock.turn(6_000);
  await turn();
  assert.ok(failing.has("journal begun anew"));
  await commit(store, "after");
  assert.ok(sizes(failing.test)[0] > 0);
  assert.deepEqual(await idsAfterKill(failing), ["after", "before", "one", "two"]);
  assert.deepEqual(await idsOf(store), ["after", "before", "one", "two"]);
});

for (const what of ["it is there", "it is not there"] as const) {
  Deno.test(`a failure while the tables take, and ${what}: taken once, and told of`, async () => {
    await using failing = await Failing.open();
    const { store, test } = failing;
    await commit(store, "a");
    await commit(store, "b");
    const news = Promise.withResolvers<void>();
    store.onNews(news.resolve);
    failing.transaction = what;
    await assert.rejects(store.probe(), StoreError);
    assert.deepEqual(await idsOf(store), ["a", "b"]);
    await news.promise;
    assert.equal((await store.hold({ all: true })).messages, 2);
    await commit(store, "c");
    assert.deepEqual(await idsAfterKill(failing), ["a", "b", "c"]);
    await test.close();
    assert.deepEqual(sizes(test), [0, 0], "the tables have all of it");
  });
}

Deno.test("while the tables fail nothing is acknowledged that they could not have", async () => {
  await using failing = await Failing.open();
  const { store } = failing;
  failing.transaction = "it is not there";
  await assert.rejects(store.probe(), StoreError);
  failing.transaction = "it is not there";
  await assert.rejects(commit(store, "refused"), StoreError);
  await commit(store, "a");
  await commit(store, "b");
  assert.deepEqual(await inTables(failing.test), ["a"]);
  assert.deepEqual(await idsAfterKill(failing), ["a", "b"]);
});

Deno.test("a journal that nobody needs for a while is emptied, and used again", async () => {
  await using failing = await Failing.open();
  const { clock, store, test } = failing;
  await commit(store, "a");
  clock.turn(30);
  await turn();
  clock.turn(59_000);
  await turn();
  assert.ok(sizes(test)[0] > 0);
  clock.turn(2_000);
  await turn();
  assert.deepEqual(sizes(test), [0, 0]);
  await commit(store, "b");
  assert.ok(sizes(test)[0] > 0);
  assert.deepEqual(await idsAfterKill(failing), ["a", "b"]);
});

Deno.test("a journal is emptied whoever asks meanwhile whether the store is well", async () => {
  await using failing = await Failing.open();
  const { clock, store, test } = failing;
  await commit(store, "a");
  for (let i = 0; i < 5; i++) {
    await store.probe();
    clock.turn(15_000);
    await turn();
  }
  assert.deepEqual(sizes(test), [0, 0]);
});

Deno.test("a journal that is not in the tables is not emptied, however long nobody comes", async () => {
  await using failing = await Failing.open();
  const { clock, store, test } = failing;
  await commit(store, "a");
  failing.transaction = "it is not there";
  clock.turn(30);
  await turn();
  const [size] = sizes(test);
  assert.ok(size > 0);
  assert.deepEqual(await inTables(test), []);
  clock.turn(61_000);
  assert.deepEqual([sizes(test)[0], await idsAfterKill(failing)], [size, ["a"]]);
});

Deno.test("a journal that cannot be emptied ends nothing", async () => {
  const uncaught: unknown[] = [];
  const catchAll = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    uncaught.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", catchAll);
  try {
    await using failing = await Failing.open();
    const { clock, store } = failing;
    await commit(store, "a");
    clock.turn(30);
    await turn();
    failing.empty = NO_SYNC;
    clock.turn(61_000);
    await turn();
    assert.deepEqual(uncaught, [], "it would end the daemon");
    await commit(store, "b");
    failing.empty = undefined;
    clock.turn(6_000);
    await turn();
    await commit(store, "c");
    assert.deepEqual(await idsAfterKill(failing), ["a", "b", "c"]);
  } finally {
    globalThis.removeEventListener("unhandledrejection", catchAll);
  }
});
