/** B14: which spools a command works on, and that it makes none. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon, dinopost, runToEnd } from "../fakes/daemon.ts";
import type { MessageRow, Tally } from "../../src/ports/store.ts";
import { entryOf } from "../fakes/store.ts";
import { testAsRoot, testWith } from "../fakes/tools.ts";
import { TestSpool } from "./spool.ts";

const commands = [
  ["queue", "list"],
  ["queue", "hold", "--all"],
  ["queue", "count"],
  ["messages", "list"],
  ["messages", "export", "a"],
  ["backup", "/tmp/never"],
];

async function inTemporary(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a spool that is not there is not made", async () => {
  await inTemporary(async (folder) => {
    for (const spool of [`${folder}/none`, folder]) {
      const settings = { SMTP_QUEUE_PATH: spool, SMTP_PROT: "25" };
      for (const args of commands) {
        const { code, stdout, stderr } = await runToEnd(dinopost(...args), settings);
        const path = args.slice(0, args[0] === "backup" ? 1 : 2).join(" ");
        assert.deepEqual([code, stdout], [78, ""]);
        assert.match(stderr, /^warning: SMTP_PROT: not a setting: did you mean SMTP_PORT\?$/m);
        const why = "set SMTP_QUEUE_PATH, or start the daemon once";
        assert.ok(stderr.endsWith(`dinopost ${path}: no spool at ${spool}: ${why}\n`), stderr);
      }
      assert.deepEqual([...Deno.readDirSync(folder)], []);
    }
  });
});

Deno.test("--dev means the spool of development", async () => {
  const src = new URL("../../src/main.ts", import.meta.url).pathname;
  await inTemporary(async (folder) => {
    const command = (...args: string[]) =>
      dinopost(...args).map((word) => word === "src/main.ts" ? src : word);
    const { code, stderr } = await runToEnd(command("queue", "list", "--dev"), {}, folder);
    assert.equal(code, 78);
    assert.match(stderr, /no spool at \.\/data\/dev: /);
  });
});

Deno.test("the daemon's lock is not wanted, nor kept from the next daemon", async () => {
  await using spool = await TestSpool.open();
  await spool.store.commit(entryOf({ id: "a" }));
  assert.equal((await spool.run("queue", "hold", "a")).code, 0);
  await spool.close();
  assert.equal((await spool.run("queue", "release", "a")).code, 0);
  await spool.test.reopen();
  assert.equal((await spool.store.stats()).queued, 1);
});

Deno.test("what a daemon was delivering is left alone, but not when that daemon is dead", async () => {
  await using spool = await TestSpool.open();
  await spool.store.commit(entryOf({ id: "a" }));
  await spool.store.claim({ free: 1, perDestination: 1, busy: [], lease: 3_600_000 });
  const runs = await spool.run("queue", "drop", "a");
  assert.match(runs.stdout, /^0 messages, 0 recipients dropped\n1 recipient is being delivered/);
  await spool.close();
  const stopped = await spool.run("queue", "drop", "a");
  assert.equal(stopped.stdout, "1 message, 1 recipient dropped\n");
});

Deno.test("B14 a spool of another version is refused, and left as it is", async () => {
  for (
    const [version, why] of [
      [99, /^dinopost queue drop: open .*queue\.db: a later Dinopost has used it/],
      [-5, /^dinopost queue drop: open .*queue\.db: no Dinopost has made it so \(its form is -5, /],
      [0, /^dinopost queue drop: open .*queue\.db: no Dinopost has made it so \(its form is 0, /],
      [
        1,
        /^dinopost queue drop: spool .*: not yet as this version has it: start the daemon once\n/,
      ],
    ] as const
  ) {
    await using spool = await TestSpool.open();
    await spool.store.commit(entryOf());
    await spool.close();
    spool.sql(`PRAGMA user_version=${version}`);
    const { code, stdout, stderr } = await spool.run("queue", "drop", "--all");
    assert.deepEqual([code, stdout], [78, ""]);
    assert.match(stderr, why);
    assert.deepEqual(spool.sql("PRAGMA user_version").map((row) => ({ ...row as object })), [
      { user_version: version },
    ]);
    assert.equal(spool.sql("SELECT 1 FROM recipient WHERE state = 0").length, 1);
  }
});

Deno.test("a spool that others may read is refused", async () => {
  await using spool = await TestSpool.open();
  await spool.close();
  await Deno.chmod(spool.folder, 0o755);
  const { code, stderr } = await spool.run("queue", "list");
  assert.equal(code, 78);
  assert.match(stderr, /its mode is 0755/);
});

Deno.test({
  name: "a spool of another user is refused, and it is said who may",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using spool = await TestSpool.open();
    await spool.close();
    await Deno.chown(spool.folder, 12345, null);
    assert.deepEqual(await spool.run("queue", "list"), {
      code: 78,
      stdout: "",
      stderr:
        `dinopost queue list: spool ${spool.folder}: it belongs to user 12345, this process ` +
        "is user 0: run this as its owner, as with sudo -u '#12345'\n",
    });
  },
});

const asUser = Deno.uid() === 0
  // Root may read whatever the modes are, unless that is taken from it.
  ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
  : [];

testWith("setpriv", "a database that this process is not let into is named", async () => {
  await using spool = await TestSpool.open();
  await spool.close();
  const database = `${spool.folder}/queue.db`;
  await Deno.chmod(database, 0o000);
  const command = [...asUser, ...dinopost("queue", "list")];
  assert.deepEqual(await runToEnd(command, spool.settings), {
    code: 1,
    stdout: "",
    stderr: `dinopost queue list: spool ${spool.folder}: unable to open database file: ` +
      `${database}: see to the disk and its permissions\n`,
  });
});

testAsRoot("strace", "a database that cannot be read is named", async (strace) => {
  await using spool = await TestSpool.open();
  await spool.close();
  const database = `${spool.folder}/queue.db`;
  const failing = ["-P", database, "-e", "inject=pread64:error=EIO"];
  const command = [strace, "-qq", "-f", "-o", "/dev/null", ...failing];
  command.push(...dinopost("queue", "list"));
  const { code, stdout, stderr } = await runToEnd(command, spool.settings);
  assert.deepEqual([code, stdout], [1, ""]);
  const remedy = "disk I/O error: see to the disk and its permissions";
  assert.ok(stderr.includes(`: ${database}: ${remedy}`), stderr);
});

Deno.test("a damaged spool is left to the daemon", async () => {
  await using spool = await TestSpool.open();
  await spool.close();
  await Deno.writeTextFile(`${spool.folder}/queue.db`, "x".repeat(10_000));
  assert.deepEqual(await spool.run("queue", "list"), {
    code: 1,
    stdout: "",
    stderr:
      `dinopost queue list: spool ${spool.folder}: damaged: the daemon looks for it within a ` +
      "second, or when it is started, sets it aside and keeps what can be read\n",
  });
});

Deno.test("wrong settings are told as ever", async () => {
  const { code, stderr } = await runToEnd(dinopost("queue", "list"), { SMTP_PORT: "smtp" });
  assert.equal(code, 78);
  assert.match(stderr, /^dinopost: a setting is wrong:\n {2}SMTP_PORT: /);
});

Deno.test("B13 while a daemon runs, and after it has stopped", async () => {
  await inTemporary(async (folder) => {
    const settings = { SMTP_QUEUE_PATH: `${folder}/spool` };
    const send = async (daemon: Daemon) => {
      using client = await Client.greeted(daemon.port);
      await client.ask("EHLO x");
      await client.ask("MAIL FROM:<a@example.com>");
      await client.ask("RCPT TO:<b@example.net>");
      await client.ask("DATA");
      const reply = await client.ask("Subject: =?utf-8?q?caf=C3=A9?=\r\n\r\nHello\r\n.");
      assert.match(reply, /^250 /);
    };
    const run = (...args: string[]) => runToEnd(dinopost(...args), settings);
    const list = async () =>
      (await run("messages", "list", "--json")).stdout.split("\n").slice(0, -1)
        .map((line) => JSON.parse(line) as MessageRow);
    {
      await using daemon = await Daemon.start({ settings });
      await send(daemon);
      const [message] = await list();
      assert.deepEqual([message.subject, message.recipients[0].state], ["café", "captured"]);
      assert.deepEqual(await run("queue", "drop", message.id), {
        code: 0,
        stdout: "1 message, 1 recipient dropped\n",
        stderr: "",
      });
      await send(daemon);
      daemon.signal("SIGTERM");
      assert.equal((await daemon.status).code, 0);
    }
    const [second, first] = await list();
    assert.equal(first.recipients[0].state, "dropped");
    assert.equal((await run("queue", "drop", second.id)).code, 0);
    const count = await run("queue", "count", "--json");
    const { accepted, dropped } = JSON.parse(count.stdout) as Tally;
    assert.deepEqual([count.code, accepted, dropped], [0, 2, 2]);
  });
});
