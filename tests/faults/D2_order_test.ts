/**
 * D2: the order of system calls: what a message consists of is stable, then its name, then
 * the row that names it; only then the client reads 250. And nothing is synced twice.
 */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";
import { type Event, events, recording } from "../fakes/strace.ts";
import { testWith } from "../fakes/tools.ts";

const CALLS = "openat,write,writev,pwrite64,pwritev,fsync,fdatasync,sendto,sendmsg";

/** What the daemon did to its spool, and what it said, while it was given one message. */
async function deedsUpon(strace: string, octets: number): Promise<readonly string[]> {
  const folder = await Deno.makeTempDir();
  try {
    const record = `${folder}/record`;
    const spool = `${folder}/spool`;
    await using daemon = await Daemon.start({
      under: [...recording(strace, record), "-e", `trace=${CALLS}`],
      settings: { SMTP_QUEUE_PATH: spool, SMTP_DEBUG: "false", SMTP_SPOOL_FILES: "false" },
    });
    await mail(daemon, octets);
    // The recorder ends after the daemon, and has then written everything down.
    daemon.signalGroup("SIGTERM");
    assert.equal((await daemon.status).code, 0);
    const deeds = [...events(await Deno.readFile(record))].map((event) => deedOf(event, spool));
    // Several writes in a row are one.
    return deeds.filter((deed) => deed !== undefined)
      .filter((deed, i, all) => !(deed.startsWith("write ") && deed === all[i - 1]));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function mail(daemon: Daemon, octets: number): Promise<void> {
  using client = await Client.greeted(daemon.port);
  await client.ready();
  await client.ask("DATA");
  const line = "x".repeat(70) + "\r\n";
  await client.send("Subject: x\r\n\r\n" + line.repeat(octets / line.length) + ".\r\n");
  assert.match(await client.reply(), /^250 2\.0\.0 /);
}

/** A reply counts when it begins, everything else when it is done. */
function deedOf(event: Event, spool: string): string | undefined {
  const { name, args: [first, second, third] } = event.call;
  if (event.is === "begin") {
    if (!/^\d+<socket/.test(String(first)) || typeof second === "string") return undefined;
    return /^(\d{3})[ -]/.exec(new TextDecoder().decode(second))?.[1];
  }
  if (event.result < 0) return undefined;
  const path = name === "openat" ? event.path : /^\d+<(.*)>$/.exec(String(first))?.[1];
  const what = nameIn(spool, path);
  if (what === undefined) return undefined;
  if (name === "openat") return String(third).includes("O_CREAT") ? `make ${what}` : undefined;
  return name.endsWith("sync") ? `sync ${what}` : `write ${what}`;
}

function nameIn(spool: string, path: string | undefined): string | undefined {
  switch (path?.slice(spool.length)) {
    case "":
      return path === spool ? "spool/" : undefined;
    case "/bodies":
      return "bodies/";
    case "/queue.db":
      return "database";
    case "/queue.db-wal":
      return "log";
    case "/journal-1":
    case "/journal-2":
      return "journal";
    default:
      return path?.startsWith(`${spool}/bodies/`) ? "body" : undefined;
  }
}

/** From 354 on, to the reply to the content. */
function sinceContent(deeds: readonly string[]): readonly string[] {
  const from = deeds.indexOf("354") + 1;
  return deeds.slice(from, deeds.indexOf("250", from) + 1);
}

testWith("strace", "D2 a message is synced, once, before its 250", async (strace) => {
  const deeds = await deedsUpon(strace, 4096);
  // The tables may take it at the same moment: nobody waits for them.
  const since = sinceContent(deeds).filter((deed) => !deed.endsWith(" log"));
  assert.deepEqual(since, ["write journal", "sync journal", "250"]);
});

testWith(
  "strace",
  "D2 the tables are synced before what they took is written over",
  async (strace) => {
    const deeds = await deedsUpon(strace, 4096);
    const since = deeds.slice(deeds.indexOf("sync journal"));
    const [written, synced] = [since.indexOf("write log"), since.indexOf("sync log")];
    assert.ok(0 < written && written < synced, since.join());
  },
);

testWith("strace", "D2 a large one: its octets, its name, its row, then 250", async (strace) => {
  const deeds = await deedsUpon(strace, 300_000);
  assert.deepEqual(sinceContent(deeds), [
    ...["make body", "write body", "sync body", "sync bodies/"],
    ...["write log", "sync log", "250"],
  ]);
});

testWith("strace", "D2 the names of a new spool are stable before any 250", async (strace) => {
  const deeds = await deedsUpon(strace, 100);
  for (const made of ["make database", "make journal"]) {
    const from = deeds.indexOf(made);
    assert.ok(from >= 0, made);
    const synced = deeds.indexOf("sync spool/", from);
    assert.ok(synced > 0 && synced < deeds.indexOf("250"), `${made}: its name is not stable`);
  }
});
