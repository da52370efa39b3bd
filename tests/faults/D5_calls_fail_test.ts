/**
 * D5: calls of the system fail while messages come: each is refused, or accepted and whole;
 * where only its names in the spool cannot be written, that is told. Once the calls succeed
 * again so does everything else, and after a restart the store has what was answered 250.
 * What is salvaged of a damaged database is there wherever that was cut short.
 */

import assert from "node:assert/strict";
import { disk } from "../../src/deno/files.ts";
import { Writer } from "../../src/store/writer.ts";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";
import { entryOf, TestStore, textOf } from "../fakes/store.ts";
import { testAsRoot } from "../fakes/tools.ts";

const ACCEPTED = /^250 2\.0\.0 .* ([0-9a-z]+)$/;
const REFUSED = /^451 4\.3\.0 /;
const SMALL = 2_000;
const LARGE = 300_000;

/** Calls of a running process fail for as long as something is done. */
async function whileFailing(
  { strace, pid, calls }: { strace: string; pid: number; calls: string },
  work: () => Promise<void>,
): Promise<void> {
  // A call that this system lacks is no matter.
  const names = calls.split(",").map((name) => `?${name}`).join();
  const which = [`--trace=${names}`, `--inject=${names}:error=EIO`];
  const tracer = new Deno.Command(strace, {
    args: ["-f", "-o", "/dev/null", ...which, "-p", String(pid)],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const told = tracer.stderr.pipeThrough(new TextDecoderStream()).getReader();
  for (let said = ""; !/ attached /.test(said);) {
    const { value, done } = await told.read();
    assert.ok(!done, said);
    said += value;
  }
  try {
    await work();
  } finally {
    tracer.kill("SIGINT");
    while (!(await told.read()).done);
    await tracer.status;
  }
}

class Sender {
  /** What was acknowledged, and of which size. */
  readonly kept = new Map<string, number>();

  constructor(readonly daemon: Daemon) {}

  /** One message to two recipients. */
  async mail(octets: number): Promise<string> {
    using client = await Client.greeted(this.daemon.port);
    await client.ready();
    await client.ask("RCPT TO:<c@example.net>");
    await client.ask("DATA");
    const line = "x".repeat(70) + "\r\n";
    await client.send("Subject: x\r\n\r\n" + line.repeat(octets / line.length) + ".\r\n");
    const reply = await client.reply();
    const [, id] = ACCEPTED.exec(reply) ?? [];
    if (id !== undefined) this.kept.set(id, octets);
    return reply;
  }
}

/** What was acknowledged is there, whole, and nothing else; `left`: bodies of others. */
async function check(spool: string, kept: Sender["kept"], left: number): Promise<void> {
  const bodies = () => [...Deno.readDirSync(`${spool}/bodies`)].map(({ name }) => name).toSorted();
  const large = [...kept].filter(([, octets]) => octets === LARGE).map(([id]) => id).toSorted();
  assert.equal(bodies().length, large.length + left);
  const test = await TestStore.open({ folder: spool });
  try {
    const messages = await test.store.list({ limit: 100 });
    assert.deepEqual(messages.map(({ id }) => id).toSorted(), [...kept.keys()].toSorted());
    for (const { number, size } of messages) {
      assert.equal((await textOf(test.store.content(number))).length, size);
    }
    assert.deepEqual(bodies(), large);
    const { accepted, captured } = await test.store.stats();
    assert.deepEqual([accepted, captured], [kept.size * 2, kept.size * 2]);
  } finally {
    await test.close();
  }
}

/** What becomes of a small message and of a large one; what is left of them until a start. */
interface Case {
  readonly calls: string;
  readonly small: RegExp;
  /** One more small message, after the large one; absent: the same. */
  readonly then?: RegExp;
  readonly large: RegExp;
  /** That their names cannot be written is told. */
  readonly told?: boolean;
  readonly left?: number;
}

const CASES: readonly Case[] = [
  { calls: "openat", small: ACCEPTED, large: REFUSED, told: true },
  { calls: "link,linkat", small: ACCEPTED, large: ACCEPTED, told: true },
  { calls: "mkdir,mkdirat,link,linkat", small: ACCEPTED, large: ACCEPTED, told: true },
  { calls: "rename,renameat,renameat2", small: ACCEPTED, large: ACCEPTED },
  { calls: "close", small: ACCEPTED, large: ACCEPTED },
  // Without the journal mail goes to the tables.
  { calls: "fdatasync", small: REFUSED, large: REFUSED, then: ACCEPTED },
  // The journal needs none of them; when the tables fail, it takes no more either.
  { calls: "pwrite64", small: ACCEPTED, large: REFUSED, then: REFUSED },
  { calls: "pwrite64,openat,ftruncate", small: ACCEPTED, large: REFUSED, then: REFUSED },
  { calls: "read", small: ACCEPTED, large: ACCEPTED },
  { calls: "read,lseek", small: REFUSED, large: ACCEPTED, then: ACCEPTED },
  { calls: "fdatasync,unlink,unlinkat", small: REFUSED, large: REFUSED, then: ACCEPTED, left: 1 },
];

for (const { calls, small, then = small, large, told = false, left = 0 } of CASES) {
  testAsRoot("strace", `D5 ${calls} fails: refused, or accepted and whole`, async (strace) => {
    const folder = await Deno.makeTempDir();
    try {
      const spool = `${folder}/spool`;
      await using daemon = await Daemon.start({
        settings: { SMTP_QUEUE_PATH: spool, SMTP_DEBUG: "false" },
      });
      const sender = new Sender(daemon);
      await whileFailing({ strace, pid: daemon.pid, calls }, async () => {
        assert.match(await sender.mail(SMALL), small);
        assert.match(await sender.mail(LARGE), large);
        assert.match(await sender.mail(SMALL), then);
        if (told) await daemon.says(/error: names in the spool cannot be written problem=/);
      });
      if (told) await daemon.says(/names in the spool are written again/);
      assert.match(await sender.mail(SMALL), ACCEPTED);
      assert.match(await sender.mail(LARGE), ACCEPTED);
      daemon.signal("SIGTERM");
      assert.equal((await daemon.status).code, 0);
      await check(spool, sender.kept, left);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** A disk on which nothing can be done any more after so many changes. */
function dyingAfter(changes: number): typeof disk {
  const check = () => {
    if (--changes < 0) throw new Error("killed");
  };
  const { rename, remove, syncFolder, write } = disk.files;
  const dying = {
    rename: (...args: Parameters<typeof rename>) => (check(), rename(...args)),
    remove: (...args: Parameters<typeof remove>) => (check(), remove(...args)),
    syncFolder: (...args: Parameters<typeof syncFolder>) => (check(), syncFolder(...args)),
    write: (...args: Parameters<typeof write>) => (check(), write(...args)),
  };
  return { ...disk, files: { ...disk.files, ...dying } };
}

Deno.test("D5 a salvage that is cut short anywhere is made anew, or goes on", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const damaged = `${folder}/damaged`;
    const test = await TestStore.open({ folder: damaged });
    for (let i = 0; i < 20; i++) await test.store.commit(entryOf({ id: `m${i}` }));
    await test.close();
    const garbage = new Uint8Array(100).fill(77);
    using file = Deno.openSync(`${damaged}/queue.db`, { write: true });
    file.writeSync(garbage);
    let cuts = 0;
    for (let isCut = true; isCut; cuts++) {
      const spool = `${folder}/${cuts}`;
      await new Deno.Command("cp", { args: ["-r", damaged, spool] }).output();
      const writer = new Writer(dyingAfter(cuts));
      const { kind } = writer.answer({ kind: "open", folder: spool, viewed: false, wall: 1 });
      isCut = kind !== "opened";
      if (!isCut) writer.answer({ kind: "close" });
      const test = await TestStore.open({ folder: spool });
      assert.equal((await test.store.list({ limit: 100 })).length, 20, `after ${cuts}`);
      await test.close();
      assert.deepEqual(
        Deno.readFileSync(`${spool}/quarantine/queue-1.db`).subarray(0, 100),
        garbage,
      );
      const names = [...Deno.readDirSync(spool)].map(({ name }) => name);
      assert.ok(!names.some((name) => name.startsWith("salvaged")));
    }
    assert.ok(cuts > 5);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
