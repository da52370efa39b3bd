/** H7: what is logged is one line, whatever it holds; output that is full or closed stops no mail. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon, SERVE_DEV } from "../fakes/daemon.ts";
import { freePort } from "../fakes/program.ts";

Deno.test("H7 line feeds and escape codes are escaped", async () => {
  await using daemon = await Daemon.start();
  using client = await Client.greeted(daemon.port);
  await client.send("EHLO \x1b[2J\x07\r\n");
  await client.reply();
  await client.send("NOOP \u0085\u2028x\r\n");
  await client.reply();
  await daemon.says(/1 C: EHLO \\u001b\[2J\\u0007\n/);
  await daemon.says(/1 C: NOOP \\u0085\\u2028x\n/);
});

for (
  const [what, redirection] of [
    ["a full device", ">/dev/full 2>/dev/full"],
    ["readers that have gone", "> >(head -n 4) 2> >(true)"],
    ["a reader that has stopped", "2> >(exec sleep 1000)"],
  ]
) {
  Deno.test(`H7 mail flows, and signals are heard, with output to ${what}`, async () => {
    const port = freePort();
    const command = `exec ${SERVE_DEV.join(" ")} ${redirection}`;
    await using daemon = await Daemon.start({
      command: ["bash", "-c", command],
      settings: { SMTP_PORT: String(port) },
      silent: true,
    });
    const client = await connected(port);
    await client.ask("EHLO x");
    // Far more is said than any pipe takes.
    for (let i = 0; i < 2000; i++) {
      await client.send(
        `MAIL FROM:<a${"x".repeat(100)}@example.com>\r\nRCPT TO:<b@example.net>\r\n`,
      );
      await client.reply();
      await client.reply();
      await client.ask("DATA");
      assert.match(await client.ask("Subject: x\r\n\r\n."), /^250 2\.0\.0 /);
    }
    daemon.signal("SIGTERM");
    assert.match(await client.rest(), /^421 4\.3\.2 /);
    client.close();
    assert.equal((await daemon.status).code, 0);
  });
}

/** The daemon cannot say when it listens. */
async function connected(port: number): Promise<Client> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      return await Client.greeted(port);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error("the daemon does not listen");
}
