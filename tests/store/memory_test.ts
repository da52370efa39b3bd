/** The store in memory, and the way of a message into it. */

import assert from "node:assert/strict";
import { loadConfig } from "../../src/config.ts";
import { world } from "../../src/deno/world.ts";
import { intake } from "../../src/intake.ts";
import { Relay } from "../../src/relay.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { Client } from "../fakes/client.ts";
import { environmentOf } from "../fakes/environment.ts";
import { contentOf, TestServer } from "../fakes/server.ts";

Deno.test("what a client sends to the relay is what the store has", async () => {
  const { config } = loadConfig(environmentOf({ SMTP_PORT: "0" }), { dev: true });
  const store = new MemoryStore("captured");
  const relay = new Relay(config, store, { ...world, log: () => {} });
  const stopped = relay.run();
  using client = await Client.greeted(relay.server.address.port);
  await client.ready();
  await client.ask("RCPT TO:<c@example.net>");
  await client.ask("DATA");
  const content = "Subject: kept\r\n\r\n" + "x".repeat(100_000) + "\r\n.dot\r\n";
  await client.send(content.replace("\r\n.", "\r\n..") + ".\r\n");
  const [, id] = /^250 .* (\w+)$/.exec(await client.reply())!;
  client.close();
  await relay.stop();
  await stopped;
  const [kept, ...more] = await store.list();
  assert.deepEqual(more, []);
  assert.equal(kept.id, id);
  assert.equal(contentOf(kept), content);
  assert.deepEqual(await store.stats(), { accepted: 2, queued: 0, captured: 2 });
});

Deno.test("a store that is full refuses for now, and forgets nothing", async () => {
  const store = new MemoryStore("queued", 10_000);
  await using server = new TestServer({ handler: intake(store, () => {}) });
  using client = await Client.greeted(server.port);
  const send = async (size: number) => {
    await client.ready();
    await client.ask("DATA");
    return await client.ask(`Subject: x\r\n\r\n${"x".repeat(size)}\r\n.`);
  };
  assert.match(await send(5000), /^250 /);
  assert.match(await send(5000), /^452 4\.3\.1 /);
  assert.match(await send(10), /^250 /);
  assert.equal((await store.list()).length, 2);
  assert.deepEqual(await store.stats(), { accepted: 2, queued: 2, captured: 0 });
});

Deno.test("a store that fails is told as 451, and nothing is answered with 250", async () => {
  const store = new MemoryStore("queued");
  store.commit = () => Promise.reject(new Error("the disk is gone"));
  await using server = new TestServer({ handler: intake(store, () => {}) });
  using client = await Client.greeted(server.port);
  await client.ready();
  await client.ask("DATA");
  assert.match(await client.ask("."), /^451 4\.3\.0 /);
  assert.match(await client.ask("NOOP"), /^250 /);
});
