/** H6: SIGTERM in the middle of DATA: 421, or a 250 that is kept; never one that is not. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";

const MESSAGE = "Subject: x\r\n\r\n" + "x".repeat(70) + "\r\n";

for (let round = 0; round < 8; round++) {
  Deno.test(`H6 SIGTERM after ${round * 20} octets of content`, async () => {
    await using daemon = await Daemon.start({ settings: { SMTP_SHUTDOWN_TIMEOUT: "20s" } });
    using idle = await Client.greeted(daemon.port);
    await idle.ask("EHLO idle");
    using client = await Client.greeted(daemon.port);
    await client.ready();
    await client.ask("DATA");
    const wire = MESSAGE + ".\r\n";
    await client.send(wire.slice(0, round * 20));
    daemon.signal("SIGTERM");
    assert.equal(await idle.rest(), "421 4.3.2 localhost is shutting down, try again later\r\n");
    idle.close();
    using late = await Client.connect(daemon.port);
    assert.match(await late.rest(), /^421 4\.3\.2 /);
    await client.send(wire.slice(round * 20));
    const [, id] = /^250 2\.0\.0 .* ([0-9a-z]+)$/.exec(await client.reply())!;
    assert.match(await client.rest(), /^421 4\.3\.2 /);
    client.close();
    await daemon.says(new RegExp(`message accepted id=${id}`));
    assert.equal((await daemon.status).code, 0);
  });
}

Deno.test("H6 content that does not end in time is no message", async () => {
  await using daemon = await Daemon.start({ settings: { SMTP_SHUTDOWN_TIMEOUT: "1s" } });
  using client = await Client.greeted(daemon.port);
  await client.ready();
  await client.ask("DATA");
  await client.send(MESSAGE);
  daemon.signal("SIGINT");
  assert.equal(await client.rest(), "421 4.3.2 localhost is shutting down, try again later\r\n");
  assert.equal((await daemon.status).code, 0);
  assert.match(daemon.output, /sessions are cut sessions=1/);
  assert.doesNotMatch(daemon.output, /message accepted/);
});

Deno.test("H6 a second signal ends at once", async () => {
  await using daemon = await Daemon.start({ settings: { SMTP_SHUTDOWN_TIMEOUT: "5m" } });
  using client = await Client.greeted(daemon.port);
  await client.ready();
  await client.ask("DATA");
  daemon.signal("SIGTERM");
  await daemon.says(/stopping/);
  let code: number | undefined;
  void daemon.status.then((status) => code = status.code);
  // Signals within half a second count as one: time must pass.
  for (let tries = 0; code === undefined && tries < 50; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    try {
      daemon.signal("SIGTERM");
    } catch {
      // It has ended.
    }
  }
  assert.equal(code, 1);
});

Deno.test("H6 signals that come together are one", async () => {
  await using daemon = await Daemon.start({ settings: { SMTP_SHUTDOWN_TIMEOUT: "20s" } });
  using client = await Client.greeted(daemon.port);
  await client.ready();
  await client.ask("DATA");
  await client.send(MESSAGE);
  // Of the same two the second is none while the first has not been taken.
  daemon.signal("SIGINT");
  daemon.signal("SIGTERM");
  await daemon.says(/stopping/);
  await client.send(".\r\n");
  assert.match(await client.reply(), /^250 2\.0\.0 /);
  assert.match(await client.rest(), /^421 4\.3\.2 /);
  client.close();
  assert.equal((await daemon.status).code, 0);
});

Deno.test("H6 one Ctrl-C that comes twice, to the group and from the task runner, is one", async () => {
  await using daemon = await Daemon.start({
    command: [Deno.execPath(), "task", "--quiet", "dev"],
    settings: { SMTP_SHUTDOWN_TIMEOUT: "20s" },
  });
  using client = await Client.greeted(daemon.port);
  await client.ready();
  await client.ask("DATA");
  await client.send(MESSAGE);
  daemon.signalGroup("SIGINT");
  await daemon.says(/stopping/);
  await client.send(".\r\n");
  assert.match(await client.reply(), /^250 2\.0\.0 /);
  assert.match(await client.rest(), /^421 4\.3\.2 /);
  client.close();
  await daemon.says(/ stopped/);
});
