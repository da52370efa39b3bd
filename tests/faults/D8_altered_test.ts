/**
 * D8: what lies in the spool is not what was written there. A message that was altered is set
 * aside and told of, the others flow; of a damaged database everything is salvaged that is not
 * on the damaged page, nothing that was altered is ever handed out, and the sums hold.
 */

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { disk } from "../../src/deno/files.ts";
import type { Store } from "../../src/ports/store.ts";
import { Reader } from "../../src/store/reader.ts";
import type { StoreParts } from "../../src/store/sqlite.ts";
import { Writer } from "../../src/store/writer.ts";
import {
  type Damage,
  garbage,
  garbagePage,
  inDatabase,
  leafOf,
  overwrite,
  PAGE,
} from "../fakes/damage.ts";
import { delivered, settleAll } from "../fakes/outcomes.ts";
import { entryOf, TestStore, textOf } from "../fakes/store.ts";

const EVERYTHING = { free: 1000, perDestination: 1000, busy: [], lease: 9e9 };

/** What is in the store, whatever was asked in vain before. */
interface Outcome {
  readonly states: ReadonlyMap<string, string>;
  readonly accepted: number;
  readonly claimed: number;
}

async function outcomeOf({ store }: TestStore): Promise<Outcome> {
  const { claims } = await store.claim(EVERYTHING).catch(() => store.claim(EVERYTHING));
  for (const { message } of claims) await store.content(message).catch(() => {});
  const messages = await store.list({ limit: 1000 });
  const { accepted, delivered, dropped, queued, held, quarantined } = await store.stats();
  assert.equal(delivered + dropped + queued + held + quarantined, accepted);
  const states = new Map(messages.map(({ id, recipients: [{ state }] }) => [id, state]));
  return { states, accepted, claimed: claims.length };
}

const change = (sql: string): Damage => (folder) => {
  const database = new DatabaseSync(`${folder}/queue.db`);
  database.exec(sql);
  database.close();
};

const BAD = "bad00000000000000000";
const ALTERED: Record<string, Damage> = {
  "an octet of its body": change(
    "UPDATE message SET body = CAST('x' || substr(body, 2) AS BLOB) WHERE number = 2",
  ),
  "its body, cut": change("UPDATE message SET body = substr(body, 1, 20) WHERE number = 2"),
  "its body, gone": change("UPDATE message SET body = NULL WHERE number = 2"),
  "its size": change("UPDATE message SET size = 1 WHERE number = 2"),
  "its sender": change("UPDATE message SET sender = 'nobody' WHERE number = 2"),
  "its wishes": change("UPDATE message SET wishes = '{' WHERE number = 2"),
  "its recipient": change("UPDATE recipient SET address = 'nobody' WHERE message = 2"),
  "its file, cut": (folder) => Deno.truncateSync(`${folder}/bodies/${BAD}`, 100_000),
  "an octet of its file": overwrite(`bodies/${BAD}`, 200_000, new Uint8Array([1])),
  "its file, gone": (folder) => Deno.removeSync(`${folder}/bodies/${BAD}`),
  "its file, a link to one that is the same": (folder) => {
    Deno.renameSync(`${folder}/bodies/${BAD}`, `${folder}/same`);
    Deno.symlinkSync("../same", `${folder}/bodies/${BAD}`);
  },
  "its file, a folder": (folder) => {
    Deno.removeSync(`${folder}/bodies/${BAD}`);
    Deno.mkdirSync(`${folder}/bodies/${BAD}`);
  },
};
/** Three messages, of which the second was altered while no daemon ran. */
async function altered(what: string, more: Damage = () => {}): Promise<TestStore> {
  const test = await TestStore.open();
  const size = what.includes("file") ? 300_000 : 100;
  const text = `Subject: x\r\n\r\n${"x".repeat(size)}\r\n`;
  for (const id of ["good1", BAD, "good2"]) await test.store.commit(entryOf({ id, text }));
  await test.close();
  ALTERED[what](test.folder);
  more(test.folder);
  return test;
}

for (const what of Object.keys(ALTERED)) {
  Deno.test(`D8 ${what}: the message is set aside, the others flow`, async () => {
    await using test = await altered(what);
    await test.reopen();
    const { states } = await outcomeOf(test);
    const expected = [[BAD, "quarantined"], ["good1", "queued"], ["good2", "queued"]];
    assert.deepEqual([...states].toSorted(), expected);
    const told = test.logged.filter(({ level }) => level === "error");
    assert.deepEqual(told.map(({ event }) => event), ["message quarantined"]);
    assert.equal(told[0].fields.message, 2);
  });
}

Deno.test("D8 a message of which there are only recipients delays nobody", async () => {
  await using test = await TestStore.open();
  for (const id of ["good1", BAD, "good2"]) await test.store.commit(entryOf({ id }));
  await test.store.stats();
  change(`DELETE FROM message WHERE id = '${BAD}'`)(test.folder);
  assert.deepEqual([...(await outcomeOf(test)).states.values()], ["queued", "queued"]);
  assert.equal((await test.store.stats()).quarantined, 1);
});

for (const what of ["its body, gone", "an octet of its body", "its file, gone", "its file, cut"]) {
  Deno.test(`D8 ${what}: the message gets no name in the spool, the others do`, async () => {
    // And one of them came at no time that there is.
    const never = change("UPDATE message SET received_at = 9e15 WHERE number = 3");
    await using test = await altered(what, never);
    await test.reopen({ viewed: true });
    while ((await test.store.stats()).lag > 0);
    const days = [...Deno.readDirSync(test.folder)].filter(({ name }) => /^\d/.test(name));
    const names = days.flatMap(({ name }) => [...Deno.readDirSync(`${test.folder}/${name}`)]);
    assert.deepEqual(names.map(({ name }) => name.slice(0, 5)).toSorted(), ["good1", "good2"]);
    assert.equal((await outcomeOf(test)).states.get(BAD), "quarantined");
  });
}

/** A store in this thread: threads of its own take long to start. */
function inThisThread(): Partial<StoreParts> {
  const thread = <Q, A>(of: { answer(question: Q): A }) => ({
    ask: (question: Q) => Promise.resolve(question).then((question) => of.answer(question)),
    end() {},
  });
  return {
    startWriter: () => thread(new Writer(disk)),
    startReader: () => thread(new Reader(disk)),
  };
}

const textFor = (i: number) =>
  `Subject: ${i}\r\n\r\n${`${i} `.repeat(i % 10 === 0 ? 3000 : i)}\r\n`;

/** Two hundred messages, some of several pages, some delivered, some removed since. */
async function fill(store: Store): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const to = [1, 2, 3].slice(i % 3).map((n) => `r${n}@d${i % 7}.example`);
    const entry = entryOf({ id: `m${i}`, to, text: textFor(i) }, { keys: "k".repeat(i * 3) });
    await store.commit({ ...entry, state: i % 5 === 0 ? "held" : "queued" });
  }
  const { claims } = await store.claim({ ...EVERYTHING, free: 30 });
  for (const claim of claims) await settleAll(store, claim, delivered);
  await store.drop({ ids: Array.from({ length: 50 }, (_, i) => `m${100 + i}`) });
  await store.sweep(-1);
}

async function copied(folder: string, to: string): Promise<string> {
  assert.ok((await new Deno.Command("cp", { args: ["-r", folder, to] }).output()).success);
  return to;
}

/** A spool whose daemon has ended, one whose daemon was killed; what is in them. */
async function withSpool(
  run: (folder: string, killed: string, all: Outcome) => Promise<void>,
): Promise<void> {
  const temporary = await Deno.makeTempDir();
  try {
    const test = await TestStore.open({ folder: `${temporary}/spool`, ...inThisThread() });
    await fill(test.store);
    const killed = await copied(test.folder, `${temporary}/killed`);
    await test.close();
    await run(test.folder, killed, (await afterDamage(test.folder, () => {})).found);
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

/** A start on a damaged copy; everything is asked of it, and nothing altered comes out of it. */
async function afterDamage(folder: string, damage: Damage) {
  const copy = await copied(folder, `${folder}-copy`);
  damage(copy);
  const test = await TestStore.open({ folder: copy, ...inThisThread() });
  const { store } = test;
  try {
    const found = await outcomeOf(test);
    for (const { id, number } of await store.list({ limit: 1000, states: ["queued"] })) {
      const text = await textOf(store.content(number)).catch(() => undefined);
      assert.ok(text === undefined || text === textFor(Number(id.slice(1))), id);
    }
    await store.commit(entryOf({ id: "new" })).catch(() => store.commit(entryOf({ id: "new" })));
    assert.equal((await store.show("new"))?.recipients[0].state, "queued");
    return { found, told: salvagesOf(test) };
  } finally {
    await test.close();
    await Deno.remove(copy, { recursive: true });
  }
}

function salvagesOf({ logged }: TestStore) {
  const told = logged.filter(({ event }) => event === "damaged store set aside");
  for (const { fields } of told) Deno.statSync(String(fields.path));
  return told.map(({ fields }) => fields);
}

const cut = (to: number): Damage => (folder) => Deno.truncateSync(`${folder}/queue.db`, to);

Deno.test("D8 each page of the database in turn is garbage: only what was on it is lost", async () => {
  await withSpool(async (folder, _, all) => {
    const database = new DatabaseSync(`${folder}/queue.db`);
    const pages = database.prepare("SELECT pageno, name, pagetype, ncell FROM dbstat").all();
    database.close();
    assert.ok(all.states.size > 100 && pages.length > 50);
    for (const { pageno, name, pagetype, ncell } of pages) {
      const page = Number(pageno);
      const { found, told } = await afterDamage(folder, garbagePage(page));
      const { states, accepted } = page === 1 ? withoutReturned(found, all) : found;
      const lost = [...all.states].filter(([id, state]) => states.get(id) !== state).length;
      for (const id of states.keys()) assert.ok(all.states.has(id), `${id} was removed before`);
      const hasMail = name === "recipient" || (name === "message" && pagetype !== "internal");
      const most = !hasMail ? 0 : pagetype === "overflow" ? 1 : Number(ncell);
      assert.ok(lost <= most, `page ${page}, ${pagetype} of ${name}: ${lost} lost`);
      assert.ok(told.length <= 1);
      if (name !== "tally") assert.equal(accepted, all.accepted);
      if (lost === 0 || pagetype === "overflow") continue;
      const [{ kept, lost: counted }] = told;
      if (page > 1) {
        assert.deepEqual([kept, Number(kept) + Number(counted)], [states.size, all.states.size]);
      }
    }
  });
});

/**
 * Which pages are free only the first page tells. Without it, what was removed may be there again,
 * to be removed once more: of that nothing was in the queue, and nothing is now.
 */
function withoutReturned(found: Outcome, all: Outcome): Outcome {
  const returned = [...found.states].filter(([id]) => !all.states.has(id));
  for (const [id, state] of returned) assert.match(state, /^(delivered|dropped)$/, id);
  return { ...found, states: new Map([...found.states].filter(([id]) => all.states.has(id))) };
}

const DAMAGES = {
  "its first octets are garbage": inDatabase(0, garbage(100, 1)),
  "its first page is garbage": inDatabase(0, garbage(PAGE, 2)),
  "its first page is empty": inDatabase(0, new Uint8Array(PAGE)),
  "its sums are gone": change("DELETE FROM tally"),
};
for (const [what, damage] of Object.entries(DAMAGES)) {
  Deno.test(`D8 a database of which ${what}: nothing is lost`, async () => {
    await withSpool(async (folder, _, all) => {
      const { found, told } = await afterDamage(folder, damage);
      assert.deepEqual({ ...withoutReturned(found, all), accepted: 0 }, { ...all, accepted: 0 });
      const [{ kept, damaged, lostRecipients }] = told;
      const lost = what === "its sums are gone" ? "unknown" : 0;
      assert.deepEqual([kept, damaged, lostRecipients], [found.states.size, 0, lost]);
    });
  });
}

Deno.test("D8 a database that is cut, or its log garbage: what is left is there", async () => {
  await withSpool(async (folder, killed, all) => {
    const half = await afterDamage(folder, cut(Deno.statSync(`${folder}/queue.db`).size / 2));
    assert.ok(half.found.states.size > all.states.size / 4 && half.told.length === 1);
    // The log has all of it.
    const logged = await afterDamage(killed, cut(0));
    assert.deepEqual([logged.found, logged.told.length], [all, 1]);
    const emptied = await afterDamage(folder, (folder) => {
      cut(0)(folder);
      Deno.mkdirSync(`${folder}/2026-11-20`);
    });
    assert.deepEqual([emptied.found.states.size, emptied.told.length], [0, 1]);
    const { size } = Deno.statSync(`${killed}/queue.db-wal`);
    const hit = await afterDamage(killed, overwrite("queue.db-wal", size / 2, garbage(PAGE, 3)));
    assert.ok(hit.found.states.size > all.states.size - 20 && hit.told.length === 1);
    const unlogged = await afterDamage(folder, (folder) => {
      Deno.writeFileSync(`${folder}/queue.db-wal`, garbage(size, 4));
    });
    assert.deepEqual([unlogged.found, unlogged.told.length], [all, 1]);
  });
});

const MEETING = {
  message: (store: Store) => store.list({ limit: 1000 }),
  recipient: (store: Store) => store.claim(EVERYTHING),
};
for (const [table, ask] of Object.entries(MEETING)) {
  Deno.test(`D8 damage to ${table} is met while running: salvaged without a restart`, async () => {
    await withSpool(async (folder) => {
      const test = await TestStore.open({ folder });
      try {
        garbagePage(leafOf(folder, table))(folder);
        await ask(test.store).catch(() => {});
        const { size } = (await outcomeOf(test)).states;
        assert.ok(size > 50);
        assert.equal(salvagesOf(test).length, 1);
        await test.store.commit(entryOf({ id: "new" }));
        await test.reopen();
        assert.equal((await outcomeOf(test)).states.size, size + 1);
        assert.equal(salvagesOf(test).length, 1);
      } finally {
        await test.close();
      }
    });
  });
}
