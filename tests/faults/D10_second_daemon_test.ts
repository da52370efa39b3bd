/** D10: a spool has one daemon: a second one is refused, whatever path it was given. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";
import { TestStore } from "../fakes/store.ts";

const REFUSED =
  /^dinopost: spool \S+: another Dinopost serves it: stop that one, or set SMTP_QUEUE_PATH\n$/;

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const settingsFor = (path: string) => ({ SMTP_QUEUE_PATH: path, SMTP_DEBUG: "false" });

/** Everything it says, where it is refused. */
async function refusal(path: string): Promise<string> {
  await using daemon = await Daemon.start({ settings: settingsFor(path), silent: true });
  await daemon.says(/^(Kept|dinopost:) .*\n/m);
  assert.doesNotMatch(daemon.output, /^Kept /m);
  assert.equal((await daemon.status).code, 78);
  return daemon.output;
}

async function mail(daemon: Daemon): Promise<string> {
  using client = await Client.greeted(daemon.port);
  await client.ready();
  await client.ask("DATA");
  return await client.ask("Subject: x\r\n\r\nx\r\n.");
}

Deno.test("D10 a second daemon is refused in one line, the first goes on", async () => {
  await withFolder(async (folder) => {
    await using daemon = await Daemon.start({ settings: settingsFor(`${folder}/spool`) });
    assert.match(await mail(daemon), /^250 2\.0\.0 /);
    await Deno.symlink(folder, `${folder}/link`);
    for (const path of ["spool", "./spool", "link/spool"]) {
      assert.match(await refusal(`${folder}/${path}`), REFUSED);
    }
    assert.match(await mail(daemon), /^250 2\.0\.0 /);
  });
});

Deno.test("D10 after a SIGKILL the next starts at once, with what there was", async () => {
  await withFolder(async (folder) => {
    const spool = `${folder}/spool`;
    for (let round = 0; round < 3; round++) {
      await using daemon = await Daemon.start({ settings: settingsFor(spool) });
      assert.match(await mail(daemon), /^250 2\.0\.0 /);
      daemon.signal("SIGKILL");
      await daemon.status;
    }
    const test = await TestStore.open({ folder: spool });
    assert.equal((await test.store.list({ limit: 10 })).length, 3);
    await test.close();
  });
});

Deno.test("D10 of several that start at once on a new spool, one serves it", async () => {
  await withFolder(async (folder) => {
    const start = { settings: settingsFor(`${folder}/spool`), silent: true };
    await using daemons = new AsyncDisposableStack();
    const contenders: Daemon[] = [];
    for (let i = 0; i < 4; i++) contenders.push(daemons.use(await Daemon.start(start)));
    const said = await Promise.all(
      contenders.map((daemon) => daemon.says(/^Kept |^dinopost: .*\n$/m)),
    );
    const refused = said.map(([text]) => text).filter((text) => text !== "Kept ");
    for (const text of refused) assert.match(text, REFUSED);
    assert.equal(refused.length, contenders.length - 1);
  });
});
