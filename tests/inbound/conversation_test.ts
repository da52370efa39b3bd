/** The socket loop: what it costs, and that it waits where it must. */

import assert from "node:assert/strict";
import type { Net } from "../../src/ports.ts";
import * as replies from "../../src/smtp/replies.ts";
import { Client } from "../fakes/client.ts";
import { netWith } from "../fakes/net.ts";
import { TestServer } from "../fakes/server.ts";
import { settled } from "../fakes/settled.ts";

/** Counts what its connections are asked to do. */
class CountingNet implements Net {
  writes: string[] = [];
  reads = 0;

  readonly listen = netWith((connection) => ({
    read: (buffer) => {
      this.reads++;
      return connection.read(buffer);
    },
    write: (octets) => {
      if (octets.length > 0) this.writes.push(new TextDecoder().decode(octets));
      return connection.write(octets);
    },
  })).listen;
}

Deno.test("a pipelined batch is answered with one write", async () => {
  const net = new CountingNet();
  await using server = new TestServer({}, { net });
  using client = await Client.greeted(server.port);
  await client.ask("EHLO x");
  net.writes = [];
  net.reads = 0;
  await client.send(
    "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\nDATA\r\n",
  );
  for (let i = 0; i < 4; i++) await client.reply();
  await client.send(
    "Subject: x\r\n\r\n.\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nQUIT\r\n",
  );
  for (let i = 0; i < 4; i++) await client.reply();
  assert.equal(net.writes.length, 2);
  assert.equal(net.writes[1].split("\r\n").length, 5);
  assert.ok(net.reads <= 3, `${net.reads} reads`);
});

Deno.test("what is read in one turn is dealt with before any of it is answered", async () => {
  const happened: string[] = [];
  let gate = Promise.resolve();
  const gated = netWith((connection) => ({
    async read(buffer) {
      const got = await connection.read(buffer);
      await gate;
      return got;
    },
    write(octets) {
      if (octets.length > 0) happened.push("answered");
      return connection.write(octets);
    },
  }));
  const sender = () => void happened.push("asked");
  await using server = new TestServer({ checks: { sender } }, { net: gated });
  using one = await Client.greeted(server.port);
  using other = await Client.greeted(server.port);
  for (const client of [one, other]) await client.ask("EHLO x");
  const { promise, resolve } = Promise.withResolvers<void>();
  gate = promise;
  happened.length = 0;
  for (const client of [one, other]) await client.send("MAIL FROM:<a@example.com>\r\n");
  await settled();
  resolve();
  for (const client of [one, other]) assert.match(await client.reply(), /^250 /);
  assert.deepEqual(happened, ["asked", "asked", "answered", "answered"]);
});

Deno.test("a write that takes only a part is followed by the rest", async () => {
  const partial = netWith((connection) => ({
    write: (octets) => connection.write(octets.subarray(0, 7)),
  }));
  await using server = new TestServer({}, { net: partial });
  using client = await server.connect();
  assert.equal(await client.reply(), "220 localhost ESMTP Dinopost ready");
  assert.match(await client.ask("EHLO x"), /^250-localhost greets x\n[^]*\n250 HELP$/);
});

Deno.test("while a message is being made safe nothing of the client is read", async () => {
  const net = new CountingNet();
  const safe = Promise.withResolvers<void>();
  await using server = new TestServer({
    async handler({ id }) {
      await safe.promise;
      return replies.accepted(id);
    },
  }, { net });
  using client = await Client.greeted(server.port);
  await client.ready();
  await client.ask("DATA");
  await client.send("Subject: x\r\n\r\n.\r\n");
  await settled();
  const { reads } = net;
  net.writes = [];
  for (let i = 0; i < 5; i++) {
    await client.send("NOOP\r\n");
    await settled();
  }
  assert.equal(net.reads, reads);
  assert.deepEqual(net.writes, []);
  safe.resolve();
  assert.match(await client.reply(), /^250 2\.0\.0 Message accepted/);
  for (let i = 0; i < 5; i++) assert.equal(await client.reply(), "250 2.0.0 OK");
});

Deno.test("a stop while a message is being made safe waits for it", async () => {
  const safe = Promise.withResolvers<void>();
  const server = new TestServer({
    async handler({ id }) {
      await safe.promise;
      return replies.accepted(id);
    },
  });
  const client = await Client.greeted(server.port);
  await client.ready();
  await client.ask("DATA");
  await client.send("Subject: x\r\n\r\n.\r\n");
  await settled();
  const stopped = server.server.shutdown();
  await settled();
  safe.resolve();
  assert.match(await client.reply(), /^250 2\.0\.0 Message accepted/);
  assert.match(await client.reply(), /^421 4\.3\.2 /);
  client.close();
  await stopped;
  await server.stopped;
});
