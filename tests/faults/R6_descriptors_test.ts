/** R6: when descriptors run out, every listener serves again once there are some. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";
import { testWith } from "../fakes/tools.ts";

testWith(
  "prlimit",
  "R6 EMFILE on accept: every listener serves again within 10 s",
  async (prlimit) => {
    await using daemon = await Daemon.start({
      under: [prlimit, "--nofile=64"],
      settings: { SMTP_DEBUG: "false" },
    });
    const { port } = daemon;
    const clients: Client[] = [];
    for (let i = 0; i < 80; i++) {
      clients.push(await Client.connect(port, i % 2 === 0 ? "127.0.0.1" : "::1"));
    }
    await daemon.says(/cannot accept connections .*os error 24/);
    for (const client of clients) client.close();
    const start = performance.now();
    for (const hostname of ["127.0.0.1", "::1"]) {
      using client = await Client.connect(port, hostname);
      assert.match(await client.reply(), /^220 /);
      assert.equal(await client.ask("NOOP"), "250 2.0.0 OK");
    }
    // Not a measurement: the row names this limit.
    assert.ok(performance.now() - start < 10_000);
  },
);
