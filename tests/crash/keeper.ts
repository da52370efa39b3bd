/**
 * A program that keeps messages in a store and says so, for a recording: what it has said was
 * to stay. It is given the folder of the spool and a seed.
 *
 *     kept ID        the message is in the store
 *     settling ID    it is about to be written down as delivered
 *     settled ID     it has been
 */

import { DatabaseSync } from "node:sqlite";
import { clock } from "../../src/deno/clock.ts";
import { disk } from "../../src/deno/files.ts";
import { random } from "../../src/deno/random.ts";
import { startThread } from "../../src/deno/thread.ts";
import { Meter } from "../../src/meter.ts";
import type { Claim } from "../../src/ports/store.ts";
import { LARGE } from "../../src/store/layout.ts";
import { SqliteStore } from "../../src/store/sqlite.ts";
import { contentFrom, entryOf } from "../fakes/store.ts";
import { Chance } from "./chance.ts";
import { letterOf } from "./letter.ts";

const ROUNDS = 12;
const LEASE = 3_600_000;

const [folder, seed] = Deno.args;
const chance = new Chance(Number(seed));
const store = await SqliteStore.open({
  folder,
  viewed: false,
  clock,
  log: (level, event) => console.error(level, event),
  meter: new Meter(),
  random,
  files: disk.files,
  checksum: disk.checksum,
  startWriter: () => startThread("writer"),
  startReader: () => startThread("reader"),
});

for (let round = 0; round < ROUNDS; round++) {
  await Promise.all(Array.from({ length: chance.between(1, 6) }, (_, i) => keep(round, i)));
  if (round % 3 !== 0) await Promise.all((await claimed(chance.between(1, 4))).map(settle));
  if (round % 4 === 3) checkpoint();
}
await store.close();

async function keep(round: number, number: number): Promise<void> {
  // Some lie in files, whatever chance says.
  const size = round % 3 === 0 && number === 0 ? LARGE + chance.between(1, LARGE) : undefined;
  const { key, recipients, octets } = letterOf(`key-${round}-${number}`, chance, size);
  const entry = entryOf({ to: recipients });
  await store.commit({
    ...entry,
    envelope: { ...entry.envelope, content: contentFrom(octets) },
    subject: key,
  });
  say(`kept ${entry.envelope.id}`);
}

async function claimed(free: number): Promise<readonly Claim[]> {
  return (await store.claim({ free, perDestination: free, busy: [], lease: LEASE })).claims;
}

async function settle({ message, id, lease, recipients }: Claim): Promise<void> {
  const places = recipients.map(({ position }) => position);
  say(`settling ${id} ${places.join()}`);
  const outcome = { kind: "delivered", scope: "recipient", reply: "250", status: "2.0.0" } as const;
  const attempt = { at: clock.now(), outcome };
  await store.settle({
    message,
    lease,
    recipients: places.map((position) => ({ position, attempt, state: "delivered" })),
    generated: [],
  });
  say(`settled ${id} ${places.join()}`);
}

/** As the engine does by itself after some megabytes: what follows overwrites its log. */
function checkpoint(): void {
  const database = new DatabaseSync(`${folder}/queue.db`);
  database.exec("PRAGMA synchronous=FULL; PRAGMA wal_checkpoint(PASSIVE)");
  database.close();
}

/** One call for each, at once. */
function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
