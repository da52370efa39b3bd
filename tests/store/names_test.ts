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

Deno.test("each message is among those of its own day, whatever was asked before", () => {
  const layout = new Layout("/spool");
  const noon = Date.UTC(2026, 10, 20, 12);
  const day = 86_400_000;
  const asked: [number, string][] = [
    [noon, "2026-11-20"],
    [noon + day / 2 - 1, "2026-11-20"],
    [noon + day / 2, "2026-11-21"],
    [noon, "2026-11-20"],
    [-1, "1969-12-31"],
    [0, "1970-01-01"],
    // No time at all.
    [1e300, "1970-01-01"],
    [noon, "2026-11-20"],
  ];
  for (const [receivedAt, name] of asked) assert.equal(layout.day(receivedAt), `/spool/${name}`);
});

Deno.test("D5 the spool is moved away: no name makes it anew, and all are there when it is back", async () => {
  await using test = await TestStore.open({ viewed: false });
  await test.store.commit(entryOf({ receivedAt }));
  await test.store.probe();
  const layout = new Layout(test.folder);
  const database = disk.databases.open(layout.database, { readOnly: true });
  const names = new Names(database, layout, disk);
  const away = `${test.folder}-away`;
  await Deno.rename(test.folder, away);
  const { messages, problem } = names.write(0, 10);
  assert.deepEqual([messages, problem], [0, `spool ${test.folder}: it is not there`]);
  assert.equal(disk.files.look(test.folder), undefined);
  await Deno.rename(away, test.folder);
  assert.equal(names.write(0, 10).messages, 1);
  assert.equal(disk.files.names(layout.day(receivedAt)).length, 1);
  database.close();
});
