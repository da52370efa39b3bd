/** No input leaves a connection, a descriptor or a timer behind. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { TestServer } from "../fakes/server.ts";
import { settled } from "../fakes/settled.ts";

const ENDINGS: Record<string, (client: Client) => Promise<unknown>> = {
  "before the greeting": () => Promise.resolve(),
  "in a line": (client) => client.send("EHLO"),
  "after QUIT": (client) => client.ask("QUIT"),
  "in DATA": async (client) => {
    await client.ready();
    await client.ask("DATA");
    await client.send("Subject: x\r\n");
  },
  "in BDAT": async (client) => {
    await client.ready();
    await client.send("BDAT 1000 LAST\r\nx");
  },
  "with half a close": async (client) => {
    await client.ask("NOOP");
    await client.closeWrite();
  },
  "with a flood": (client) => client.send("NOOP\r\n".repeat(1000)),
  "with what is no SMTP": (client) => client.send(crypto.getRandomValues(new Uint8Array(5000))),
  "with a message unread": async (client) => {
    await client.ready();
    await client.ask("DATA");
    await client.send("Subject: x\r\n\r\n.\r\n");
  },
};

for (const [how, talk] of Object.entries(ENDINGS)) {
  Deno.test(`nothing is left of clients that go ${how}`, async () => {
    const clock = new TurnedClock();
    await using server = new TestServer({}, { clock });
    const round = async () => {
      using client = await server.connect();
      await talk(client).catch(() => {});
    };
    await round();
    for (let i = 0; i < 100 && server.server.activeClients > 0; i++) await settled();
    const before = descriptors();
    for (let i = 0; i < 20; i++) await round();
    for (let i = 0; i < 100 && server.server.activeClients > 0; i++) await settled();
    assert.equal(server.server.activeClients, 0);
    assert.equal(clock.timers, 0);
    assert.ok(descriptors() <= before, `${descriptors()} descriptors, ${before} before`);
  });
}

/** How many this process has open; elsewhere than on Linux nobody knows. */
function descriptors(): number {
  return Deno.build.os === "linux" ? [...Deno.readDirSync("/proc/self/fd")].length : 0;
}
