/**
 * D7: power loss at any moment. What a store does to its disk is recorded; its spool is built
 * anew as the disk may have it at each sync and between them, with what was not synced lost,
 * cut or in another order; and a store that is opened on it has all that was said to be kept.
 */

import assert from "node:assert/strict";
import { disk } from "../../src/deno/files.ts";
import { Chance, newSeed } from "../crash/chance.ts";
import { StoreHere } from "../crash/here.ts";
import { examine } from "../crash/letter.ts";
import { RecordedFolder } from "../fakes/recorded.ts";
import { type Event, events, recording } from "../fakes/strace.ts";
import { testWith } from "../fakes/tools.ts";
import type { Luck } from "../fakes/unsynced.ts";

const KEEPER = new URL("../crash/keeper.ts", import.meta.url).pathname;
/** Of the points between syncs. */
const SHARE = 0.06;

testWith("strace", "D7 what was said to be kept is there after a power failure", async (strace) => {
  const seed = newSeed();
  const chance = new Chance(seed);
  const work = await Deno.makeTempDir();
  try {
    await record(strace, work, seed);
    const folder = new RecordedFolder(`${work}/disk`);
    const said = new Said();
    let images = 0;
    const look = async (luck: Luck) => {
      images++;
      folder.image(`${work}/image`, luck, chance.next);
      try {
        await said.isKept(`${work}/image/data/spool`);
      } catch (error) {
        throw new Error(`seed ${seed}, image ${images}, luck ${luck}`, { cause: error });
      } finally {
        await Deno.remove(`${work}/image`, { recursive: true });
      }
    };
    for (const event of events(await Deno.readFile(`${work}/record`))) {
      if (isSync(event) && folder.concerns(event)) { for (const luck of LUCKS) await look(luck); }
      folder.take(event);
      said.hear(event);
      if (folder.concerns(event) && chance.happens(SHARE)) await look("some");
    }
    assert(said.kept > 20 && said.settled > 10, `kept ${said.kept}, settled ${said.settled}`);
    // The record was understood: with nothing lost it gives what is there.
    folder.image(`${work}/image`, "all", chance.next);
    assert.deepEqual(contentsOf(`${work}/image`), contentsOf(`${work}/disk`));
  } finally {
    await Deno.remove(work, { recursive: true });
  }
});

const LUCKS: readonly Luck[] = ["none", "some", "some", "all"];

async function record(strace: string, work: string, seed: number): Promise<void> {
  await Deno.mkdir(`${work}/disk`);
  const [program, ...args] = [
    ...recording(strace, `${work}/record`),
    ...[Deno.execPath(), "run", "--quiet", "--no-code-cache", "--allow-all", KEEPER],
    ...[`${work}/disk/data/spool`, String(seed)],
  ];
  const { success, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
  assert(success, new TextDecoder().decode(stderr));
}

/** A sync is about to end: what it makes stable is as yet no more than likely. */
const isSync = ({ is, call }: Event) => is === "end" && /^f(data)?sync$/.test(call.name);

/** What the program has said so far. */
class Said {
  readonly #kept = new Set<string>();
  /** Recipients, as `id position`. */
  readonly #settling = new Set<string>();
  readonly #settled = new Set<string>();

  get kept(): number {
    return this.#kept.size;
  }

  get settled(): number {
    return this.#settled.size;
  }

  hear({ is, call }: Event): void {
    if (is !== "begin" || call.name !== "write" || !String(call.args[0]).startsWith("1<")) return;
    const text = new TextDecoder().decode(call.args[1] as Uint8Array);
    const [word, id, places = ""] = text.trim().split(" ");
    if (word === "kept") this.#kept.add(id);
    for (const place of places.split(",")) {
      if (word === "settling") this.#settling.add(`${id} ${place}`);
      if (word === "settled") this.#settled.add(`${id} ${place}`);
    }
  }

  async isKept(folder: string): Promise<void> {
    await using here = await StoreHere.open(folder);
    const { store } = here;
    const messages = await store.list({ limit: 1000 });
    const ids = new Set(messages.map(({ id }) => id));
    for (const id of this.#kept) assert(ids.has(id), `${id} was kept, and is lost`);
    const queued = new Set<string>();
    for (const { id, number, recipients } of messages) {
      for (const [position, { state }] of recipients.entries()) {
        const place = `${id} ${position}`;
        if (this.#settled.has(place)) assert.equal(state, "delivered", place);
        else if (!this.#settling.has(place)) assert.equal(state, "queued", place);
      }
      if (!recipients.some(({ state }) => state === "queued")) continue;
      queued.add(id);
      const { chunks: [octets] } = await store.content(number);
      assert(examine(octets).whole, `${id} is damaged`);
    }
    const { age, overdue, ...counts } = await store.stats();
    assert(age >= overdue);
    const { accepted, delivered, queued: waiting, ...rest } = counts;
    assert.equal(delivered + waiting, accepted);
    for (const [name, count] of Object.entries(rest)) assert.equal(count, 0, name);
    const bodies = disk.files.names(`${folder}/bodies`);
    for (const id of bodies) assert(queued.has(id), `the body ${id} is left behind`);
    assert.deepEqual(here.logged, []);
  }
}

function contentsOf(folder: string): Map<string, string> {
  const contents = new Map<string, string>();
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (!isDirectory) contents.set(name, disk.digest(Deno.readTextFileSync(path)));
    else for (const [below, sum] of contentsOf(path)) contents.set(`${name}/${below}`, sum);
  }
  return contents;
}
