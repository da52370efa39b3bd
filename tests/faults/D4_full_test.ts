/**
 * D4: no room on the disk, or for more files: 452 4.3.1 before DATA where that is known, after
 * the content else; nothing half-stored is left, what was acknowledged is whole, and once
 * there is room mail is taken again without anybody's help.
 */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";
import { ask, httpPortOf, WITH_HTTP } from "../fakes/http.ts";
import { TestStore, textOf } from "../fakes/store.ts";
import { testAsRoot } from "../fakes/tools.ts";

const FULL = /^452 4\.3\.1 /;
const ACCEPTED = /^250 2\.0\.0 .* ([0-9a-z]+)$/;
const SMALL = 20_000;
const LARGE = 300_000;

/** A disk of its own for the spool of one daemon. */
class SmallDisk implements AsyncDisposable {
  readonly spool: string;
  /** What was acknowledged. */
  readonly kept = new Map<string, string>();

  private constructor(readonly folder: string) {
    this.spool = `${folder}/spool`;
  }

  static async mount(mount: string, options: string): Promise<SmallDisk> {
    const folder = await Deno.makeTempDir();
    await run(mount, "-t", "tmpfs", "-o", options, "none", folder);
    return new SmallDisk(folder);
  }

  daemon(minFree: string): Promise<Daemon> {
    const settings = { SMTP_QUEUE_PATH: this.spool, SMTP_MIN_FREE: minFree, SMTP_DEBUG: "false" };
    return Daemon.start({ settings: { ...WITH_HTTP, ...settings, SMTP_SPOOL_FILES: "false" } });
  }

  /** The last reply to one message, which tells how far it came. */
  async mail(daemon: Daemon, octets: number): Promise<{ reply: string; sent: boolean }> {
    using client = await Client.greeted(daemon.port);
    await client.ready();
    const go = await client.ask("DATA");
    if (!go.startsWith("354 ")) return { reply: go, sent: false };
    const text = `Subject: ${this.kept.size}\r\n\r\n` +
      ("x".repeat(70) + "\r\n").repeat(octets / 72);
    await client.send(text + ".\r\n");
    const reply = await client.reply();
    const [, id] = ACCEPTED.exec(reply) ?? [];
    if (id !== undefined) this.kept.set(id, text);
    return { reply, sent: true };
  }

  /** Until it is refused; the reply that says so. */
  async fill(daemon: Daemon, octets: number): Promise<{ reply: string; sent: boolean }> {
    for (;;) {
      const answer = await this.mail(daemon, octets);
      if (!ACCEPTED.test(answer.reply)) return answer;
    }
  }

  /** Something else takes all that is free of the disk, but for so much. */
  takeAllBut(octets: number): void {
    using file = Deno.openSync(`${this.folder}/other`, { write: true, create: true });
    const block = new Uint8Array(64 * 1024);
    try {
      for (;;) file.writeSync(block);
    } catch {
      // No space is left on it.
    }
    const { size } = file.statSync();
    file.truncateSync(size - octets);
  }

  giveBack(): void {
    Deno.removeSync(`${this.folder}/other`);
  }

  takeAllFiles(): void {
    Deno.mkdirSync(`${this.folder}/others`);
    try {
      for (let i = 0;; i++) Deno.writeTextFileSync(`${this.folder}/others/${i}`, "");
    } catch {
      // No more of them can be made.
    }
  }

  giveFilesBack(): void {
    Deno.removeSync(`${this.folder}/others`, { recursive: true });
  }

  /** What was acknowledged is there and whole, and nothing else. */
  async check(): Promise<void> {
    // Before a start would clear them.
    const bodies = [...Deno.readDirSync(`${this.spool}/bodies`)].map(({ name }) => name);
    const test = await TestStore.open({ folder: this.spool });
    try {
      const messages = await test.store.list({ limit: 10_000 });
      assert.deepEqual(messages.map(({ id }) => id).toSorted(), [...this.kept.keys()].toSorted());
      for (const { id, number } of messages) {
        const text = await textOf(test.store.content(number));
        assert.ok(text.endsWith(this.kept.get(id)!), id);
      }
      const large = messages.filter(({ size }) => size > 256 * 1024).map(({ id }) => id);
      assert.deepEqual(bodies.toSorted(), large.toSorted());
      const { accepted, captured } = await test.store.stats();
      assert.deepEqual([accepted, captured], [this.kept.size, this.kept.size]);
    } finally {
      await test.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Threads that were ended may still be letting go of it.
    await run("umount", "--lazy", this.folder);
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

async function end(daemon: Daemon): Promise<void> {
  daemon.signal("SIGTERM");
  assert.equal((await daemon.status).code, 0);
}

/** Tries until one is: what the daemon knows of its disk may be as old as a second. */
async function taken(disk: SmallDisk, daemon: Daemon): Promise<void> {
  for (let tries = 0; tries < 3_000; tries++) {
    const { reply } = await disk.mail(daemon, SMALL);
    if (ACCEPTED.test(reply)) return;
    assert.match(reply, FULL);
  }
  assert.fail("mail is not taken again");
}

interface Told {
  readonly status: number;
  /** Of the space. */
  readonly state: string;
  readonly detail?: string;
  readonly files: number;
}

/** What is said over HTTP; it is looked at once a second. */
async function toldBy(daemon: Daemon): Promise<Told> {
  const port = httpPortOf(daemon);
  const { status, body } = await ask(port, "/readyz");
  const { checks } = JSON.parse(body) as { checks: { name: string; state: string }[] };
  const space = checks.find(({ name }) => name === "space")!;
  const { smtp_spool_free_files: files } = JSON.parse((await ask(port, "/metrics")).body);
  return { ...space, status, files };
}

testAsRoot(
  "mount",
  "D4 less free than is wanted: 452 before the content, until there is",
  async (mount) => {
    await using disk = await SmallDisk.mount(mount, "size=32m");
    await using daemon = await disk.daemon("16MiB");
    disk.takeAllBut(8 * 1024 * 1024);
    const { reply, sent } = await disk.mail(daemon, SMALL);
    assert.match(reply, FULL);
    assert.equal(sent, false);
    await daemon.says(/error: no room on the disk: mail is refused/);
    disk.giveBack();
    await taken(disk, daemon);
    await daemon.says(/ room on the disk again: mail is taken/);
    await end(daemon);
    await disk.check();
  },
);

for (const [kind, octets] of [["small", SMALL], ["large", LARGE]] as const) {
  testAsRoot("mount", `D4 no room for a ${kind} message: 452, until there is`, async (mount) => {
    await using disk = await SmallDisk.mount(mount, "size=32m");
    await using daemon = await disk.daemon("0B");
    await disk.mail(daemon, SMALL);
    disk.takeAllBut(octets * 10);
    const { reply, sent } = await disk.fill(daemon, octets);
    assert.match(reply, FULL);
    assert.equal(sent, true);
    assert.match((await disk.mail(daemon, LARGE)).reply, FULL);
    await daemon.says(/error: message not stored id=\w+ error="StoreFullError: /);
    disk.giveBack();
    await taken(disk, daemon);
    assert.match((await disk.mail(daemon, octets)).reply, ACCEPTED);
    assert.doesNotMatch(daemon.output, /opened anew/);
    await end(daemon);
    await disk.check();
  });
}

testAsRoot("mount", "D4 no more files: 452 before the content, until there are", async (mount) => {
  await using disk = await SmallDisk.mount(mount, "size=32m,nr_inodes=64");
  await using daemon = await disk.daemon("0B");
  disk.takeAllFiles();
  const { reply, sent } = await disk.mail(daemon, SMALL);
  assert.match(reply, FULL);
  assert.equal(sent, false);
  await daemon.says(/error: no room on the disk: mail is refused .*files=0/);
  const { status, state, detail, files } = await toldBy(daemon);
  assert.deepEqual([status, state, files], [503, "failing", 0]);
  assert.equal(detail, "0 more files can be made, 16 must be: mail is refused");
  disk.giveFilesBack();
  await taken(disk, daemon);
  let told;
  do told = await toldBy(daemon); while (told.state !== "ok" || told.files < 16);
  assert.equal(told.status, 200);
  await end(daemon);
  await disk.check();
});

testAsRoot(
  "mount",
  "D4 files run out before that is known: 452 after the content",
  async (mount) => {
    await using disk = await SmallDisk.mount(mount, "size=32m,nr_inodes=64");
    await using daemon = await disk.daemon("0B");
    using client = await Client.greeted(daemon.port);
    await client.ready();
    assert.match(await client.ask("DATA"), /^354 /);
    disk.takeAllFiles();
    await client.send(
      "Subject: x\r\n\r\n" + ("x".repeat(70) + "\r\n").repeat(LARGE / 72) + ".\r\n",
    );
    assert.match(await client.reply(), FULL);
    disk.giveFilesBack();
    await taken(disk, daemon);
    assert.match((await disk.mail(daemon, LARGE)).reply, ACCEPTED);
    await end(daemon);
    await disk.check();
  },
);
