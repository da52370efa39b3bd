/** P6: a line without end is told so, and takes no memory. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { TestServer } from "../fakes/server.ts";
import { Driver } from "../fakes/driver.ts";
import { heapGrowth } from "../fakes/memory.ts";

Deno.test("P6 10 MB with no line end: 500 5.5.2 at once, and the session lives", async () => {
  await using server = new TestServer();
  using client = await Client.greeted(server.port);
  const megabyte = new Uint8Array(1_000_000).fill(0x41);
  for (let i = 0; i < 10; i++) await client.send(megabyte);
  assert.equal(await client.reply(), "500 5.5.2 Line too long, the limit is 2048 octets");
  await client.send("\r\n");
  assert.equal(await client.ask("NOOP"), "250 2.0.0 OK");
});

Deno.test("P6 a line without end takes no memory", () => {
  const driver = new Driver();
  driver.open();
  const piece = new Uint8Array(64 * 1024).fill(0x41);
  const growth = heapGrowth(() => {
    for (let i = 0; i < 1600; i++) driver.send(piece);
    return driver;
  });
  assert.ok(growth < 4 * 1024 * 1024, `100 MiB without a line end left ${growth} octets`);
});
