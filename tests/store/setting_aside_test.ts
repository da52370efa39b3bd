/**
 * What the tables cannot take from the journal is set aside and told of, and holds up nothing
 * else; and nobody has us write elsewhere.
 */

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { Store } from "../../src/ports/store.ts";
import { Failing } from "../fakes/failing.ts";
import { turn } from "../fakes/journal.ts";
import { copyOf, idsOf } from "../fakes/killed.ts";
import { entryOf, TestStore } from "../fakes/store.ts";

const TREASURE = "not ours to touch";

const commit = (store: Store, id: string) => store.commit(entryOf({ id }));
const quarantined = ({ folder }: TestStore) =>
  [...Deno.readDirSync(`${folder}/quarantine`)].map(({ name }) => name);
const errorsOf = ({ logged }: TestStore) => logged.filter(({ level }) => level === "error");

/** The tables will not have one of three messages. */
async function refusing(): Promise<Failing> {
  const failing = await Failing.open();
  const { test } = failing;
  await test.close();
  const database = new DatabaseSync(`${test.folder}/queue.db`);
  database.exec(
    "CREATE TRIGGER refuse BEFORE INSERT ON message WHEN new.id = 'bad' " +
      "BEGIN SELECT RAISE(ABORT, 'not this one'); END",
  );
  database.close();
  await test.reopen();
  await failing.rest();
  await Promise.all(["good1", "bad", "good2"].map((id) => commit(test.store, id)));
  return failing;
}

Deno.test("a message that the tables cannot have is set aside, the others are taken", async () => {
  await using failing = await refusing();
  const { test } = failing;
  assert.deepEqual(await idsOf(test.store), ["good1", "good2"]);
  assert.deepEqual(quarantined(test), ["bad-1"]);
  const [line, ...content] = Deno.readTextFileSync(`${test.folder}/quarantine/bad-1`).split("\n");
  assert.equal(JSON.parse(line).id, "bad");
  assert.equal(content.join("\n"), "Subject: x\r\n\r\nx\r\n");
  const [{ event, fields }, ...others] = errorsOf(test);
  assert.equal(event, "message set aside, the store cannot have it");
  assert.match(`${fields.path} ${fields.why}`, /quarantine\/bad-1 .*not this one/);
  assert.deepEqual(others, []);
  await test.reopen();
  assert.deepEqual(await idsOf(test.store), ["good1", "good2"]);
  assert.deepEqual(quarantined(test), ["bad-1"], "once");
});

Deno.test("a message that can be set aside nowhere holds up no other", async () => {
  await using failing = await refusing();
  const { test } = failing;
  await Deno.remove(`${test.folder}/quarantine`);
  await Deno.writeTextFile(`${test.folder}/quarantine`, "");
  assert.deepEqual(await idsOf(test.store), ["good1", "good2"]);
  assert.match(JSON.stringify(errorsOf(test)), /bad.*not this one/, "nobody is told of it");
  assert.equal((await test.store.hold({ all: true })).messages, 2);
  await commit(test.store, "good3");
  assert.deepEqual(await idsOf(test.store), ["good1", "good2", "good3"]);
});

/** In the journal there is one of three that is not what was written. */
function damage(folder: string): Uint8Array {
  const path = `${folder}/journal-1`;
  const octets = Deno.readFileSync(path);
  octets[new TextDecoder("latin1").decode(octets).indexOf(`"bad"`)]++;
  Deno.writeFileSync(path, octets);
  return octets;
}

async function assertToldOf(test: TestStore, octets: Uint8Array): Promise<void> {
  assert.deepEqual(await idsOf(test.store), ["good1", "good2"]);
  assert.equal((await test.store.stats()).accepted, 2);
  const path = `${test.folder}/quarantine/journal-1-1`;
  assert.deepEqual(errorsOf(test), [
    { level: "error", event: "damaged journal set aside, mail is lost", fields: { path } },
  ]);
  assert.deepEqual(Deno.readFileSync(path), octets);
  await commit(test.store, "good3");
  assert.deepEqual(await idsOf(test.store), ["good1", "good2", "good3"]);
}

Deno.test("damage in the journal while running: set aside and told of, others are taken", async () => {
  await using failing = await Failing.open();
  for (const id of ["good1", "bad", "good2"]) await commit(failing.store, id);
  await assertToldOf(failing.test, damage(failing.test.folder));
});

Deno.test("damage in the journal after a kill: set aside and told of, others are taken", async () => {
  await using failing = await Failing.open();
  for (const id of ["good1", "bad", "good2"]) await commit(failing.store, id);
  const folder = copyOf(failing.test);
  const octets = damage(folder);
  await using next = await TestStore.open({ folder });
  await assertToldOf(next, octets);
});

const PLANTS = { "a symbolic link": Deno.symlinkSync, "a hard link": Deno.linkSync };
for (const [what, plant] of Object.entries(PLANTS)) {
  for (const name of ["journal-1", "journal-2"]) {
    Deno.test(`D11 ${what} for ${name} while the journal rests: nothing is written there`, async () => {
      await using failing = await Failing.open();
      const { clock, test } = failing;
      const treasure = `${test.folder}/../treasure`;
      await Deno.writeTextFile(treasure, TREASURE);
      failing.sync = "Input/output error (os error 5)";
      await assert.rejects(commit(test.store, "aa"));
      await Deno.remove(`${test.folder}/${name}`);
      plant(treasure, `${test.folder}/${name}`);
      for (const id of ["bb", "cc"]) {
        clock.turn(6_000);
        await turn();
        await commit(test.store, id);
      }
      await test.close();
      assert.equal(await Deno.readTextFile(treasure), TREASURE);
    });

    Deno.test(`D11 ${what} for ${name} is refused`, async () => {
      await using failing = await Failing.open();
      const { test } = failing;
      const treasure = `${test.folder}/../treasure`;
      await Deno.writeTextFile(treasure, TREASURE);
      await test.close();
      await Deno.remove(`${test.folder}/${name}`);
      plant(treasure, `${test.folder}/${name}`);
      await assert.rejects(test.reopen(), new RegExp(`${name}: it is a (link|file with another)`));
      assert.equal(await Deno.readTextFile(treasure), TREASURE);
    });
  }
}
