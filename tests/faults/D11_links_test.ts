/** D11: links planted in the spool are not followed, and mail is safe all the same. */

import assert from "node:assert/strict";
import { disk } from "../../src/deno/files.ts";
import { SpoolError, StoreError } from "../../src/ports/store.ts";
import { delivered, settleAll } from "../fakes/outcomes.ts";
import { entryOf, TestStore, textOf } from "../fakes/store.ts";

const DAY = "2026-11-20";
const receivedAt = Date.parse(`${DAY}T12:00:00Z`);
const TREASURE = "not ours to touch";
const LARGE = "Subject: large\r\n\r\n" + "x".repeat(300 * 1024);
const NAME = `aa_${disk.digest("bob@example.net").slice(0, 16)}.eml`;

/** A file elsewhere that a link may lead to, and a folder around it. */
async function elsewhere() {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/treasure`;
  await Deno.writeTextFile(file, TREASURE);
  return {
    folder,
    file,
    assertUntouched() {
      assert.equal(Deno.readTextFileSync(file), TREASURE);
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["treasure"]);
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

const plants = {
  "a symbolic link": (to: string, at: string) => Deno.symlinkSync(to, at),
  "a hard link": (to: string, at: string) => Deno.linkSync(to, at),
};

for (const [what, plant] of Object.entries(plants)) {
  for (const name of ["queue.db", "daemon.lock", "journal-1", "journal-2"]) {
    Deno.test(`D11 ${what} for ${name} is refused`, async () => {
      await using target = await elsewhere();
      await using test = await TestStore.open();
      await test.close();
      await Deno.remove(`${test.folder}/${name}`);
      plant(target.file, `${test.folder}/${name}`);
      await assert.rejects(test.reopen(), (error) => {
        assert.ok(error instanceof SpoolError);
        assert.match(error.message, new RegExp(`${name}: it is a (link|file with another name)`));
        return true;
      });
      target.assertUntouched();
    });
  }

  Deno.test(`D11 ${what} for a large body is refused, and the client told`, async () => {
    await using target = await elsewhere();
    await using test = await TestStore.open();
    plant(target.file, `${test.folder}/bodies/aa`);
    await assert.rejects(test.store.commit(entryOf({ id: "aa", text: LARGE })), StoreError);
    assert.equal((await test.store.stats()).accepted, 0);
    target.assertUntouched();
  });

  Deno.test(`D11 ${what} for a name is replaced`, async () => {
    for (const text of ["Subject: small\r\n\r\n", LARGE]) {
      await using target = await elsewhere();
      await using test = await TestStore.open({ viewed: true });
      await Deno.mkdir(`${test.folder}/${DAY}`, { mode: 0o700 });
      const path = `${test.folder}/${DAY}/${NAME}`;
      plant(target.file, path);
      await test.store.commit(entryOf({ id: "aa", text, receivedAt }));
      while ((await test.store.stats()).lag > 0);
      assert.equal(await Deno.readTextFile(path), text);
      target.assertUntouched();
    }
  });
}

for (const name of ["bodies", "quarantine"]) {
  Deno.test(`D11 a link for ${name}/ is refused`, async () => {
    await using target = await elsewhere();
    await using test = await TestStore.open();
    await test.close();
    await Deno.remove(`${test.folder}/${name}`);
    await Deno.symlink(target.folder, `${test.folder}/${name}`);
    await assert.rejects(test.reopen(), /it is a link, not a folder: move it away/);
    target.assertUntouched();
  });
}

Deno.test("D11 a link for a day is set aside, told of, and the name written in a folder", async () => {
  await using target = await elsewhere();
  await using test = await TestStore.open({ viewed: true });
  await Deno.symlink(target.folder, `${test.folder}/${DAY}`);
  await test.store.commit(entryOf({ id: "aa", receivedAt }));
  while ((await test.store.stats()).lag > 0);
  assert.ok(Deno.lstatSync(`${test.folder}/${DAY}`).isDirectory);
  assert.ok(Deno.lstatSync(`${test.folder}/${DAY}/${NAME}`).isFile);
  assert.ok(test.logged.some(({ event }) => event === "set aside: not ours"));
  target.assertUntouched();
});

Deno.test("D11 a link for a day leads no sweep elsewhere", async () => {
  await using target = await elsewhere();
  await using test = await TestStore.open({ viewed: true });
  await test.store.commit(entryOf({ id: "aa", receivedAt }));
  while ((await test.store.stats()).lag > 0);
  await Deno.rename(`${test.folder}/${DAY}`, `${target.folder}/day`);
  await Deno.symlink(`${target.folder}/day`, `${test.folder}/${DAY}`);
  const request = { free: 1, perDestination: 1, busy: [], lease: 9e9 };
  const { claims: [claim] } = await test.store.claim(request);
  await settleAll(test.store, claim, delivered);
  assert.equal((await test.store.sweep(-60_000)).messages, 1);
  assert.ok(Deno.statSync(`${target.folder}/day/${NAME}`).isFile);
});

Deno.test("D11 a link that has taken the place of a body is not read", async () => {
  await using target = await elsewhere();
  await using test = await TestStore.open();
  await test.store.commit(entryOf({ id: "aa", text: LARGE }));
  const path = `${test.folder}/bodies/aa`;
  await Deno.rename(path, `${path}-away`);
  await Deno.symlink(`${path}-away`, path);
  await assert.rejects(textOf(test.store.content(1)), /is a link, and not followed/);
  assert.equal((await test.store.stats()).quarantined, 1);
  target.assertUntouched();
});

for (const [what, plant] of Object.entries(plants)) {
  for (const name of ["queue.db-wal", "queue.db-shm", "queue.db-journal", "salvaged.db"]) {
    Deno.test(`D11 ${what} for ${name} is refused, the database stays`, async () => {
      await using target = await elsewhere();
      await using test = await TestStore.open();
      await test.close();
      plant(target.file, `${test.folder}/${name}`);
      await assert.rejects(test.reopen(), new RegExp(`${name}: it is a (link|file with another)`));
      target.assertUntouched();
      assert.ok(Deno.lstatSync(`${test.folder}/queue.db`).size > 0);
    });
  }
}

Deno.test("D11 a link that takes the place of bodies/ while running is not followed", async () => {
  await using target = await elsewhere();
  await using test = await TestStore.open();
  await Deno.remove(`${test.folder}/bodies`);
  await Deno.symlink(target.folder, `${test.folder}/bodies`);
  await assert.rejects(test.store.commit(entryOf({ text: LARGE })), /bodies is not a folder/);
  await test.store.commit(entryOf());
  target.assertUntouched();
});

Deno.test("D11 a link that takes the place of a day while running is not followed", async () => {
  await using target = await elsewhere();
  await using test = await TestStore.open({ viewed: true });
  for (const id of ["zz", "aa"]) {
    await test.store.commit(entryOf({ id, receivedAt }));
    while ((await test.store.stats()).lag > 0);
    if (id === "aa") break;
    await Deno.rename(`${test.folder}/${DAY}`, `${test.folder}/away`);
    await Deno.symlink(target.folder, `${test.folder}/${DAY}`);
  }
  assert.ok(Deno.lstatSync(`${test.folder}/${DAY}/${NAME}`).isFile);
  target.assertUntouched();
});

Deno.test("D11 a folder in the place of a name is set aside with what is in it", async () => {
  await using test = await TestStore.open({ viewed: true });
  const path = `${test.folder}/${DAY}/${NAME}`;
  await Deno.mkdir(path, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(`${path}/x`, TREASURE);
  await test.store.commit(entryOf({ id: "aa", receivedAt }));
  while ((await test.store.stats()).lag > 0);
  assert.ok(Deno.lstatSync(path).isFile);
  assert.ok(
    test.logged.some(({ event, fields }) => /^set aside/.test(event) && fields.path === path),
  );
  assert.equal(Deno.readTextFileSync(`${test.folder}/quarantine/${NAME}-1/x`), TREASURE);
});
