/** P10: a size too large, declared or not: 552 5.3.4, and the session stays in step. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { TestServer } from "../fakes/server.ts";

Deno.test("P10 a declared size beyond the limit is refused before the message", async () => {
  await using server = new TestServer({ maxSize: 1000 });
  using client = await Client.greeted(server.port);
  await client.ask("EHLO x");
  for (const size of ["1001", "99999999999999999999"]) {
    assert.equal(
      await client.ask(`MAIL FROM:<a@example.com> SIZE=${size}`),
      "552 5.3.4 Message is larger than the limit of 1000 octets",
    );
  }
  assert.match(await client.ask("MAIL FROM:<a@example.com> SIZE=1000"), /^250 /);
});

for (const size of [1001, 5_000_000]) {
  Deno.test(`P10 ${size} octets against a declared one: 552, in step`, async () => {
    await using server = new TestServer({ maxSize: 1000 });
    using client = await Client.greeted(server.port);
    await client.ask("EHLO x");
    await client.ask("MAIL FROM:<a@example.com> SIZE=1");
    await client.ask("RCPT TO:<b@example.net>");
    await client.ask("DATA");
    await client.send("x".repeat(size - 2) + "\r\n.\r\nNOOP\r\n");
    assert.match(await client.reply(), /^552 5\.3\.4 /);
    assert.equal(await client.reply(), "250 2.0.0 OK");
    assert.equal(server.messages.length, 0);
  });

  Deno.test(`P10 a chunk of ${size} octets: 552, in step`, async () => {
    await using server = new TestServer({ maxSize: 1000 });
    using client = await Client.greeted(server.port);
    await client.ready();
    await client.send(`BDAT ${size} LAST\r\n${"x".repeat(size)}NOOP\r\n`);
    assert.match(await client.reply(), /^552 5\.3\.4 /);
    assert.equal(await client.reply(), "250 2.0.0 OK");
  });
}

Deno.test("P10 chunks that are too large together are refused", async () => {
  await using server = new TestServer({ maxSize: 1000 });
  using client = await Client.greeted(server.port);
  await client.ready();
  const chunk = `BDAT 600\r\n${"x".repeat(600)}`;
  await client.send(chunk + chunk + chunk + "NOOP\r\n");
  assert.equal(await client.reply(), "250 2.0.0 600 octets received");
  assert.match(await client.reply(), /^552 5\.3\.4 /);
  assert.match(await client.reply(), /^503 5\.5\.1 /);
  assert.equal(await client.reply(), "250 2.0.0 OK");
});

Deno.test("P10 a message of just the limit is taken, and its memory is bounded", async () => {
  await using server = new TestServer({ maxSize: 1_000_000 });
  using client = await Client.greeted(server.port);
  await client.ready();
  await client.ask("DATA");
  await client.send("\r\n" + "x".repeat(999_996) + "\r\n.\r\n");
  assert.match(await client.reply(), /^250 2\.0\.0 Message accepted/);
  const { content } = server.messages[0];
  assert.equal(content.size, 1_000_000);
  const held = content.chunks.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  assert.ok(held <= 1.3 * content.size, `${held} octets held for ${content.size}`);
});
