/** S21: a message is stored for all of its recipients, or for none. */

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { StoreError } from "../../src/ports/store.ts";
import { entryOf, TestStore } from "../fakes/store.ts";

const WAYS = {
  "large, in a file": { text: `Subject: x\r\n\r\n${"x".repeat(300_000)}\r\n`, limit: undefined },
  "small, of a client with a limit": { text: "Subject: x\r\n\r\nx\r\n", limit: 100 },
};

for (const [what, { text, limit }] of Object.entries(WAYS)) {
  Deno.test(`S21 ${what}: what cannot be stored for one recipient is stored for none`, async () => {
    await using test = await TestStore.open();
    const database = new DatabaseSync(`${test.folder}/queue.db`);
    database.exec(
      "CREATE TRIGGER no BEFORE INSERT ON recipient WHEN new.address LIKE 'bad@%' " +
        "BEGIN SELECT RAISE(ABORT, 'not this one'); END",
    );
    database.close();
    const commit = (...to: string[]) => test.store.commit(entryOf({ to, text }, { limit }));
    await assert.rejects(commit("a@x.example", "bad@x.example", "b@x.example"), StoreError);
    assert.deepEqual(await test.store.list({ limit: 10 }), []);
    assert.deepEqual([...Deno.readDirSync(`${test.folder}/bodies`)], []);
    const { accepted, queued } = await test.store.stats();
    assert.deepEqual([accepted, queued], [0, 0]);
    await commit("a@x.example", "b@x.example");
    assert.equal((await test.store.stats()).queued, 2);
  });
}
