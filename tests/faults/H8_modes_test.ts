/**
 * H8: what is in the spool is its owner's alone, whatever the umask; a spool of which that
 * cannot be said is refused, in one line: what, where, what to do.
 */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";
import { TestStore } from "../fakes/store.ts";
import { testWith } from "../fakes/tools.ts";

const isRoot = Deno.build.os !== "windows" && Deno.uid() === 0;
const NOBODY = 65534;

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A test of what only root can bring about. */
function testAsRoot(name: string, run: () => Promise<void>): void {
  if (isRoot) Deno.test(name, run);
  else Deno.test({ name: `${name} (skipped: not root)`, ignore: true, fn() {} });
}

/** Everything a daemon says that is refused its spool. */
async function refusal(spool: string, under: readonly string[] = []): Promise<string> {
  const settings = { SMTP_QUEUE_PATH: spool };
  await using daemon = await Daemon.start({ settings, under, silent: true });
  await daemon.says(/^(Kept|dinopost:) .*\n/m);
  assert.doesNotMatch(daemon.output, /^Kept /m);
  assert.equal((await daemon.status).code, 78);
  return daemon.output;
}

/** Every path below a folder, with the mode it must have and the one it has. */
function* modesIn(folder: string): Generator<[path: string, mode: number, wanted: number]> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    yield [path, Deno.lstatSync(path).mode! & 0o777, isDirectory ? 0o700 : 0o600];
    if (isDirectory) yield* modesIn(path);
  }
}

/** Resolves when so many names of messages are in the spool. */
async function namesIn(spool: string, count: number): Promise<void> {
  using watcher = Deno.watchFs(spool);
  const isThere = () => [...modesIn(spool)].filter(([p]) => p.endsWith(".eml")).length >= count;
  if (isThere()) return;
  for await (const _ of watcher) if (isThere()) return;
}

async function mail(client: Client, octets: number): Promise<void> {
  await client.ready();
  await client.ask("RCPT TO:<c@example.net>");
  await client.ask("DATA");
  await client.send("Subject: x\r\n\r\n" + ("x".repeat(70) + "\r\n").repeat(octets / 72) + ".\r\n");
  assert.match(await client.reply(), /^250 2\.0\.0 /);
}

testWith("sh", "H8 under umask 000 folders are 0700, files 0600", async (sh) => {
  await withFolder(async (folder) => {
    // A folder that is still to be made, below one that is not there either.
    const spool = `${folder}/data/spool`;
    await using daemon = await Daemon.start({
      under: [sh, "-c", `umask 000; exec "$@"`, "sh"],
      settings: { SMTP_QUEUE_PATH: spool, SMTP_DEBUG: "false" },
    });
    using client = await Client.greeted(daemon.port);
    for (const octets of [100, 300_000]) await mail(client, octets);
    await namesIn(spool, 4);
    const found = [...modesIn(`${folder}/data`)];
    for (const [path, mode, wanted] of found) {
      assert.equal(mode.toString(8), wanted.toString(8), path);
    }
    const names = found.map(([path]) => path.slice(spool.length + 1));
    for (
      const name of [
        "queue.db",
        "queue.db-wal",
        "queue.db-shm",
        "journal-1",
        "journal-2",
        "daemon.lock",
        "quarantine",
      ]
    ) {
      assert.ok(names.includes(name), name);
    }
    assert.equal(names.filter((name) => name.startsWith("bodies/")).length, 1);
  });
});

for (const part of ["", "/bodies", "/quarantine"]) {
  Deno.test(`H8 spool${part} with a mode for others is refused`, async () => {
    await withFolder(async (folder) => {
      const spool = `${folder}/spool`;
      for (const path of ["", "/bodies", "/quarantine"]) {
        Deno.mkdirSync(spool + path, { mode: 0o700 });
      }
      Deno.chmodSync(spool + part, 0o750);
      const path = spool + part;
      assert.equal(
        await refusal(spool),
        `dinopost: spool ${path}: its mode is 0750, mail is its owner's alone: chmod 0700 ${path}\n`,
      );
    });
  });

  Deno.test(`H8 spool${part} that is a file is refused`, async () => {
    await withFolder(async (folder) => {
      const spool = `${folder}/spool`;
      if (part !== "") Deno.mkdirSync(spool, { mode: 0o700 });
      Deno.writeTextFileSync(spool + part, "of another program");
      assert.equal(
        await refusal(spool),
        `dinopost: spool ${spool}${part}: it is a file, not a folder: move it away\n`,
      );
      assert.equal(Deno.readTextFileSync(spool + part), "of another program");
    });
  });
}

testAsRoot("H8 a spool of another user is refused", async () => {
  await withFolder(async (folder) => {
    const spool = `${folder}/spool`;
    Deno.mkdirSync(spool, { mode: 0o700 });
    Deno.chownSync(spool, NOBODY, NOBODY);
    assert.equal(
      await refusal(spool),
      `dinopost: spool ${spool}: it belongs to user ${NOBODY}, this process is user 0: ` +
        `chown 0 ${spool}\n`,
    );
  });
});

/** In a mount of its own, which is gone with the process. */
const READ_ONLY = `mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"`;
const UNUSABLE = /^dinopost: spool [^\n]*: cannot be [^\n]*: [^\n]*set SMTP_QUEUE_PATH\n$/;

if (isRoot) {
  testWith("unshare", "H8 a spool on a disk that cannot be written is refused", async (unshare) => {
    await withFolder(async (folder) => {
      const spool = `${folder}/spool`;
      const under = [unshare, "--mount", "sh", "-c", READ_ONLY, folder];
      assert.match(await refusal(spool, under), UNUSABLE);
      Deno.mkdirSync(spool, { mode: 0o700 });
      assert.match(await refusal(spool, under), UNUSABLE);
      const test = await TestStore.open({ folder: spool });
      await test.close();
      assert.match(await refusal(spool, under), UNUSABLE);
    });
  });
} else {
  Deno.test("H8 a spool that cannot be made is refused", async () => {
    await withFolder(async (folder) => {
      Deno.chmodSync(folder, 0o500);
      assert.match(await refusal(`${folder}/spool`), UNUSABLE);
    });
  });
}
