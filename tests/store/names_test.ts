/** The names of messages, without the store around them. */

import assert from "node:assert/strict";
import { disk } from "../../src/deno/files.ts";
import { Layout } from "../../src/store/layout.ts";
import { Names } from "../../src/store/names.ts";
import { entryOf, TestStore } from "../fakes/store.ts";

const receivedAt = Date.UTC(2026, 10, 20);

/** Those of messages for so many recipients each, the same for all; and what was hashed for it. */
async function namesFor({ messages, recipients }: { messages: number; recipients: number }) {
  await using test = await TestStore.open({ viewed: false });
  const to = Array.from({ length: recipients }, (_, i) => `r${i}@x.example`);
  const ids: string[] = [];
  for (let i = 0; i < messages; i++) {
    const entry = entryOf({ to, receivedAt });
    ids.push(entry.envelope.id);
    await test.store.commit(entry);
  }
  await test.store.probe();
  const layout = new Layout(test.folder);
  const database = disk.databases.open(layout.database, { readOnly: true });
  let hashed = 0;
  const digest = (text: string) => {
    hashed++;
    return disk.digest(text);
  };
  new Names(database, layout, { ...disk, digest }).write(0, messages);
  database.close();
  const expected = ids.flatMap((id) =>
    to.map((address) => `${id}_${disk.digest(address).slice(0, 16)}.eml`)
  );
  assert.deepEqual(disk.files.names(layout.day(receivedAt)).toSorted(), expected.toSorted());
  return hashed;
}

Deno.test("an address that comes again is not hashed again", async () => {
  assert.equal(await namesFor({ messages: 3, recipients: 2 }), 2);
});

Deno.test("more addresses than are remembered all have their names", async () => {
  assert.ok(await namesFor({ messages: 2, recipients: 1_100 }) > 1_100);
});
