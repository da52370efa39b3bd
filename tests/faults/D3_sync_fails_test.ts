/**
 * D3: a sync that fails: whoever waited on it gets 451, and what was written is closed and begun
 * anew before anything is written again: the journal, and the database behind it. What was
 * acknowledged before is still there, what was refused is not, and nothing is there twice.
 */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";
import { TestStore } from "../fakes/store.ts";
import { type Event, events, recording } from "../fakes/strace.ts";
import { testWith } from "../fakes/tools.ts";

const NOT_STORED = /^451 4\.3\.0 /;
const ACCEPTED = /^250 2\.0\.0 .* ([0-9a-z]+)$/;
const LARGE = 300_000;
const LOG = "queue.db-wal";
const JOURNALS = ["journal-1", "journal-2"];
/** A client's limit is kept by the tables: all its messages are written there at once. */
const TO_TABLES = { SMTP_MAX_QUEUED_PER_CLIENT: "1000" };

/** A spool, the daemon that works in it, and what is there when it has ended. */
class Spool implements AsyncDisposable {
  readonly path: string;
  readonly #record: string;

  private constructor(readonly folder: string) {
    this.path = `${folder}/spool`;
    this.#record = `${folder}/record`;
  }

  static async make(): Promise<Spool> {
    return new Spool(await Deno.makeTempDir());
  }

  /** Of its calls those on the named are recorded, and may fail. */
  daemon(
    strace: string,
    names: readonly string[],
    inject: readonly string[] = [],
    settings: Record<string, string> = {},
  ): Promise<Daemon> {
    const on = names.flatMap((name) => ["-P", `${this.path}/${name}`]);
    const calls = "trace=openat,close,write,pwrite64,fsync,fdatasync,ftruncate";
    const quiet = { SMTP_DEBUG: "false", SMTP_SPOOL_FILES: "false" };
    return Daemon.start({
      under: [...recording(strace, this.#record), "-e", calls, ...on, ...inject],
      settings: { SMTP_QUEUE_PATH: this.path, ...quiet, ...settings },
    });
  }

  async calls(): Promise<(Event & { is: "end" })[]> {
    const calls = [...events(await Deno.readFile(this.#record))];
    return calls.filter((event) => event.is === "end");
  }

  async ids(): Promise<string[]> {
    const test = await TestStore.open({ folder: this.path });
    const messages = await test.store.list({ limit: 1000 });
    const { accepted, captured } = await test.store.stats();
    await test.close();
    assert.deepEqual([accepted, captured], [messages.length, messages.length]);
    return messages.map(({ id }) => id).toSorted();
  }

  bodies(): string[] {
    return [...Deno.readDirSync(`${this.path}/bodies`)].map(({ name }) => name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** The reply to one message. */
async function mail(daemon: Daemon, octets = 100): Promise<string> {
  using client = await Client.greeted(daemon.port);
  await client.ready();
  await client.ask("DATA");
  const line = "x".repeat(70) + "\r\n";
  await client.send("Subject: x\r\n\r\n" + line.repeat(octets / line.length) + ".\r\n");
  return await client.reply();
}

async function accepted(daemon: Daemon): Promise<string> {
  const [, id] = ACCEPTED.exec(await mail(daemon)) ?? [];
  assert.ok(id !== undefined, daemon.output);
  return id;
}

/** Each thread that syncs may fail of it once. */
async function acceptedAtLast(daemon: Daemon): Promise<string> {
  for (let tries = 0; tries < 20; tries++) {
    const reply = await mail(daemon);
    const [, id] = ACCEPTED.exec(reply) ?? [];
    if (id !== undefined) return id;
    assert.match(reply, NOT_STORED);
  }
  assert.fail(daemon.output);
}

async function end(daemon: Daemon): Promise<void> {
  daemon.signalGroup("SIGTERM");
  assert.equal((await daemon.status).code, 0, daemon.output);
}

const isSync = ({ call }: Event) => /^f(data)?sync$/.test(call.name);

/** How the engine syncs its log, and how often until the first message is kept. */
async function syncsOfLog(strace: string): Promise<{ name: string; until: number }> {
  await using spool = await Spool.make();
  await using daemon = await spool.daemon(strace, [LOG], [], TO_TABLES);
  await accepted(daemon);
  daemon.signalGroup("SIGKILL");
  await daemon.status;
  const syncs = (await spool.calls()).filter(isSync);
  return { name: syncs[0].call.name, until: syncs.length };
}

testWith("strace", "D3 a failed sync: 451, and the database is opened anew", async (strace) => {
  const { name, until } = await syncsOfLog(strace);
  await using spool = await Spool.make();
  const inject = [`--inject=${name}:error=EIO:when=${until + 1}`];
  await using daemon = await spool.daemon(strace, [LOG], inject, TO_TABLES);
  const before = await accepted(daemon);
  assert.match(await mail(daemon), NOT_STORED);
  const after = [await accepted(daemon), await accepted(daemon)];
  await end(daemon);
  assert.match(daemon.output, /error: message not stored id=\w+ .*disk I\/O error/);
  assert.match(daemon.output, /warning: store opened anew after a failure of the disk/);
  assert.deepEqual(await spool.ids(), [before, ...after].toSorted());

  const calls = await spool.calls();
  const since = calls.slice(calls.findIndex((event) => isSync(event) && event.result < 0));
  const first = (name: string) => since.findIndex(({ call }) => call.name === name);
  assert.ok(0 < first("close") && first("close") < first("openat"));
  assert.ok(first("openat") < first("pwrite64"), "written to without being opened anew");
});

testWith("strace", "D3 all that wait while syncs fail get 451", async (strace) => {
  const { name, until } = await syncsOfLog(strace);
  await using spool = await Spool.make();
  const clients = 10;
  // An attempt costs several: that of the message, those of closing and opening.
  const when = `${until + 1}..${until + clients * 10}`;
  const inject = [`--inject=${name}:error=EIO:when=${when}`];
  await using daemon = await spool.daemon(strace, [LOG], inject, TO_TABLES);
  const kept = [await accepted(daemon)];
  const replies = await Promise.all(Array.from({ length: clients }, () => mail(daemon)));
  for (const reply of replies) assert.match(reply, NOT_STORED);
  for (let tries = 0; kept.length < 2; tries++) {
    assert.ok(tries < clients * 10, daemon.output);
    const reply = await mail(daemon);
    const [, id] = ACCEPTED.exec(reply) ?? [];
    if (id !== undefined) kept.push(id);
    else assert.match(reply, NOT_STORED);
  }
  await end(daemon);
  assert.deepEqual(await spool.ids(), kept.toSorted());
});

testWith("strace", "D3 a large body that cannot be synced: 451, nothing left", async (strace) => {
  await using spool = await Spool.make();
  await using daemon = await Daemon.start({
    under: [...recording(strace, `${spool.folder}/record`), "--inject=fdatasync:error=EIO"],
    settings: { SMTP_QUEUE_PATH: spool.path },
  });
  assert.match(await mail(daemon, LARGE), NOT_STORED);
  assert.deepEqual(spool.bodies(), []);
  // The journal is synced so, too; mail then goes to the tables.
  assert.match(await mail(daemon), NOT_STORED);
  const small = await accepted(daemon);
  await end(daemon);
  assert.deepEqual(await spool.ids(), [small]);
});

testWith("strace", "D3 a name that cannot be synced: 451, nothing left", async (strace) => {
  await using spool = await Spool.make();
  await using daemon = await spool.daemon(strace, ["bodies"], ["--inject=fsync:error=EIO"]);
  assert.match(await mail(daemon, LARGE), NOT_STORED);
  assert.deepEqual(spool.bodies(), []);
  const small = await accepted(daemon);
  await end(daemon);
  assert.deepEqual(await spool.ids(), [small]);
});

testWith(
  "strace",
  "D3 a large body whose row cannot be synced: 451, nothing left",
  async (strace) => {
    const { name, until } = await syncsOfLog(strace);
    await using spool = await Spool.make();
    const inject = [`--inject=${name}:error=EIO:when=${until + 1}`];
    await using daemon = await spool.daemon(strace, [LOG], inject, TO_TABLES);
    const small = await accepted(daemon);
    assert.match(await mail(daemon, LARGE), NOT_STORED);
    assert.deepEqual(spool.bodies(), []);
    assert.match(await mail(daemon, LARGE), ACCEPTED);
    await end(daemon);
    const [large] = spool.bodies();
    assert.deepEqual(await spool.ids(), [small, large].toSorted());
  },
);

testWith("strace", "D3 the journal cannot be synced: 451, and it is begun anew", async (strace) => {
  await using spool = await Spool.make();
  const inject = ["--inject=fdatasync:error=EIO:when=1"];
  await using daemon = await spool.daemon(strace, JOURNALS, inject);
  assert.match(await mail(daemon), NOT_STORED);
  const toTables = await accepted(daemon);
  await daemon.says(/journal begun anew/);
  const toJournal = await acceptedAtLast(daemon);
  await end(daemon);
  assert.match(
    daemon.output,
    /warning: journal failed, mail goes to the tables error=.*\(os error 5\)/,
  );
  assert.deepEqual(await spool.ids(), [toTables, toJournal].toSorted());

  const calls = (await spool.calls()).map((event) => ({
    name: event.call.name,
    result: event.result,
  }));
  const since = calls.slice(
    calls.findIndex(({ name, result }) => name === "fdatasync" && result < 0),
  );
  const first = (name: string) => since.findIndex((call) => call.name === name);
  assert.ok(0 < first("close") && first("close") < first("openat"), "not closed");
  assert.ok(first("ftruncate") < first("write"), "written to without being emptied");
});

testWith(
  "strace",
  "D3 what was refused by the journal is not there after a kill",
  async (strace) => {
    await using spool = await Spool.make();
    const inject = ["--inject=fdatasync:error=EIO:when=1"];
    await using daemon = await spool.daemon(strace, JOURNALS, inject);
    assert.match(await mail(daemon), NOT_STORED);
    // By the tables, which were told before what they are to pass over.
    const kept = await accepted(daemon);
    daemon.signalGroup("SIGKILL");
    await daemon.status;
    assert.deepEqual(await spool.ids(), [kept]);
  },
);

testWith(
  "strace",
  "D3 the log cannot be synced: what the journal has is taken later",
  async (strace) => {
    const { name, until } = await syncsOfLog(strace);
    await using spool = await Spool.make();
    const inject = [`--inject=${name}:error=EIO:when=${until}..${until + 1}`];
    await using daemon = await spool.daemon(strace, [LOG], inject);
    const kept = [await accepted(daemon)];
    await daemon.says(/warning: store opened anew after a failure of the disk/);
    kept.push(await accepted(daemon));
    await end(daemon);
    assert.deepEqual(await spool.ids(), kept.toSorted());
  },
);
