/**
 * Messages of 4 KiB made durable in a second while 1, 8, 64 or 256 of them wait, beside a file
 * that is appended to and synced for as many at once, in the same run; and how late the event
 * loop is meanwhile. `deno task bench store`
 */

import { entryOf, TestStore } from "../fakes/store.ts";

const WAITING = [1, 8, 64, 256];
const AIMS: Readonly<Record<number, number>> = { 1: 0.75, 8: 0.55, 64: 0.22, 256: 0.22 };
const MILLISECONDS = 2_000;
const ROUNDS = 3;
const SIZE = 4096;

const header = "From: <alice@example.com>\r\nTo: <bob@example.net>\r\nSubject: bench\r\n\r\n";
const text = header + "x".repeat(SIZE - header.length - 2) + "\r\n";

const folder = await Deno.makeTempDir();
try {
  for (const waiting of WAITING) {
    const ratios: number[] = [];
    const stores: number[] = [];
    const raws: number[] = [];
    const late: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      raws.push(await appended(waiting));
      stores.push(await stored(waiting, late));
      ratios.push(stores.at(-1)! / raws.at(-1)!);
    }
    late.sort((a, b) => a - b);
    console.log(
      `${String(waiting).padStart(3)} waiting   store ${rate(stores)}/s   append+fdatasync ` +
        `${rate(raws)}/s   ratio ${middle(ratios).toFixed(2)} (aim ${AIMS[waiting]})   ` +
        `event loop late at p99.9 ${late[Math.floor(late.length * 0.999)].toFixed(1)} ms (aim 20)`,
    );
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}

/** The same octets, appended to a file and synced once for all that wait. */
async function appended(waiting: number): Promise<number> {
  const path = `${folder}/raw`;
  let messages = 0;
  const start = performance.now();
  {
    using file = await Deno.open(path, { create: true, append: true });
    const octets = new TextEncoder().encode(text.repeat(waiting));
    while (performance.now() - start < MILLISECONDS) {
      file.writeSync(octets);
      file.syncDataSync();
      messages += waiting;
    }
  }
  const seconds = (performance.now() - start) / 1000;
  await Deno.remove(path);
  return messages / seconds;
}

async function stored(waiting: number, late: number[]): Promise<number> {
  await using test = await TestStore.open({ folder: `${await Deno.makeTempDir()}/spool` });
  let messages = 0;
  let running = true;
  const watch = (due: number) => {
    late.push(performance.now() - due);
    const next = performance.now() + 2;
    if (running) setTimeout(() => watch(next), 2);
  };
  watch(performance.now());
  const start = performance.now();
  const commitOn = async () => {
    while (performance.now() - start < MILLISECONDS) {
      await test.store.commit(entryOf({ text }));
      messages++;
    }
  };
  await Promise.all(Array.from({ length: waiting }, commitOn));
  running = false;
  return messages / ((performance.now() - start) / 1000);
}

function rate(values: number[]): string {
  return String(Math.round(middle(values))).padStart(6);
}

function middle(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
