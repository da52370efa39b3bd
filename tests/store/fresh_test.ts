/** Contents that are still at hand when they are delivered. */

import assert from "node:assert/strict";
import { Fresh } from "../../src/store/fresh.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { contentFrom, entryOf, TestStore, textOf } from "../fakes/store.ts";

const KIB = contentFrom(new Uint8Array(1024));

Deno.test("what was just committed is given once, and not for long", () => {
  const clock = new TurnedClock();
  const fresh = new Fresh(clock);
  fresh.keep("1", KIB);
  assert.equal(fresh.take("1"), KIB);
  assert.equal(fresh.take("1"), undefined);
  fresh.keep("2", KIB);
  clock.turn(5_000);
  fresh.keep("3", KIB);
  assert.deepEqual([fresh.take("2"), fresh.take("3")], [undefined, KIB]);
});

Deno.test("no more is kept than there is room for, and nothing large", () => {
  const fresh = new Fresh(new TurnedClock());
  fresh.keep("0", contentFrom(new Uint8Array(64 * 1024 + 1)));
  assert.equal(fresh.take("0"), undefined);
  for (let i = 1; i <= 5000; i++) fresh.keep(String(i), KIB);
  assert.equal(fresh.take("4096"), KIB);
  assert.equal(fresh.take("4097"), undefined);
});

Deno.test("a content is the same, whether it is still at hand or read", async () => {
  await using test = await TestStore.open();
  const entry = entryOf({ text: "Subject: same\r\n\r\n" });
  await test.store.commit(entry);
  await test.store.stats();
  const give = () => textOf(test.store.content(1, entry.envelope.id));
  const atHand = await give();
  assert.deepEqual([atHand, await give()], [atHand, atHand]);
});
