/** P4: who talks before it is his turn does not know what he is talking to. */

import assert from "node:assert/strict";
import { net } from "../../src/deno/net.ts";
import { Client } from "../fakes/client.ts";
import { TestServer } from "../fakes/server.ts";

Deno.test("P4 talking before the greeting: 554 5.5.0 and close", async () => {
  // The listener is there before anyone accepts: the client has spoken by then.
  const listener = net.listen({ hostname: "127.0.0.1", port: 0 });
  using client = await Client.connect(listener.addr.port);
  await client.send("EHLO x\r\nMAIL FROM:<a@example.com>\r\n");
  await using server = new TestServer({}, { net: { listen: () => listener } });
  assert.equal(await client.rest(), "554 5.5.0 Wait for the reply before sending more\r\n");
  assert.equal(server.messages.length, 0);
});

Deno.test("P4 a client that waits is greeted", async () => {
  await using server = new TestServer();
  using client = await server.connect();
  assert.equal(await client.reply(), "220 localhost ESMTP Dinopost ready");
});

for (
  const [what, lines] of [
    ["behind EHLO", "EHLO x\r\nMAIL FROM:<a@example.com>\r\n"],
    ["behind HELO", "HELO x\r\nMAIL FROM:<a@example.com>\r\n"],
    ["before any EHLO", "NOOP\r\nNOOP\r\n"],
  ]
) {
  Deno.test(`P4 pipelining ${what}: 554 5.5.0 and close`, async () => {
    await using server = new TestServer();
    using client = await Client.greeted(server.port);
    await client.send(lines);
    assert.equal(await client.rest(), "554 5.5.0 Wait for the reply before sending more\r\n");
  });
}

Deno.test("P4 content before 354: 554 5.5.0 and close, also where DATA would be refused", async () => {
  await using server = new TestServer();
  using client = await Client.greeted(server.port);
  await client.ask("EHLO x");
  await client.send("DATA\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n.\r\n");
  assert.equal(await client.rest(), "554 5.5.0 Wait for the reply before sending more\r\n");
});
