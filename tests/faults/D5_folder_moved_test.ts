/**
 * D5: the folder of the spool is moved away while a daemon serves it, so that its disk cannot be
 * asked what is free: 451 4.3.0, told once and in words, and mail is taken again once it is back.
 */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";
import { ask, httpPortOf, WITH_HTTP } from "../fakes/http.ts";

/** The last reply to one message, which is sent only where it may be. */
async function mail({ port }: Daemon): Promise<string> {
  using client = await Client.greeted(port);
  await client.ready();
  const go = await client.ask("DATA");
  return go.startsWith("354 ") ? await client.ask("Subject: x\r\n\r\nx\r\n.") : go;
}

/** What is not well, of the space. */
async function wantAt(port: number): Promise<string | undefined> {
  const { body } = await ask(port, "/readyz");
  const { checks } = JSON.parse(body) as { checks: { name: string; detail?: string }[] };
  return checks.find(({ name }) => name === "space")!.detail;
}

async function figuresAt(port: number): Promise<Record<string, unknown>> {
  const { status, body } = await ask(port, "/metrics");
  assert.equal(status, 200);
  return JSON.parse(body);
}

Deno.test("D5 the folder is moved away: 451 and a line that says so, until it is back", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const spool = `${folder}/spool`;
    const settings = { ...WITH_HTTP, SMTP_QUEUE_PATH: spool, SMTP_DEBUG: "false" };
    // Names of messages would make a folder there again.
    const small = { SMTP_MIN_FREE: "0B", SMTP_SPOOL_FILES: "false" };
    await using daemon = await Daemon.start({ settings: { ...settings, ...small } });
    const port = httpPortOf(daemon);
    assert.ok("smtp_spool_free_bytes" in await figuresAt(port));
    assert.match(await mail(daemon), /^250 /);
    await Deno.rename(spool, `${folder}/moved`);
    // What is known of the disk may be as old as a second.
    let reply = "250 ";
    for (let tries = 0; tries < 3_000 && reply.startsWith("250 "); tries++) {
      reply = await mail(daemon);
    }
    assert.match(reply, /^451 4\.3\.0 Message not stored, try again later/);
    assert.match(await mail(daemon), /^451 4\.3\.0 /);
    const why = /error: room on the disk is not known: mail is refused error="(.*)"$/m;
    const [, told] = await daemon.says(why);
    assert.match(told, /^spool .*\/spool: its disk does not say what is free: ENOENT: [^\n]*$/);
    assert.equal(await wantAt(port), told);
    // The others are told.
    const { smtp_spool_free_bytes: free, smtp_queue_depth: depth } = await figuresAt(port);
    assert.deepEqual([free, depth], [undefined, 0]);
    assert.doesNotMatch(daemon.output, /could not serve a client/);
    assert.equal(daemon.output.split("room on the disk is not known").length, 2);

    await Deno.rename(`${folder}/moved`, spool);
    assert.match(await mail(daemon), /^250 /);
    await daemon.says(/ room on the disk again: mail is taken/);
    while (await wantAt(port) !== undefined);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
