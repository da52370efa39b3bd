/** Postfix as a client, which hands us what it is given, and as a server that takes our mail. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { claimOf, deliver, outboundTo } from "../fakes/outbound.ts";
import { Postfix } from "../fakes/postfix.ts";
import { contentOf, TestServer } from "../fakes/server.ts";
import { testAsRoot } from "../fakes/tools.ts";

testAsRoot(
  "postfix",
  "Postfix hands over what it is given, and our reply is its reply",
  async () => {
    await using server = new TestServer({ proxies: [{ address: "127.0.0.1", prefix: 32 }] });
    await using postfix = await Postfix.start({ before: server.port });
    using client = await Client.greeted(postfix.port);
    await client.ask("EHLO client.example");
    assert.match(await client.ask("MAIL FROM:<a@example.com> BODY=8BITMIME"), /^250/);
    assert.match(await client.ask("RCPT TO:<b@example.net>"), /^250/);
    assert.match(await client.ask("RCPT TO:<c@example.net>"), /^250/);
    assert.match(await client.ask("DATA"), /^354/);
    const reply = await client.ask("Subject: hello\r\n\r\n..dot\r\ngrün\r\n.");
    const [message] = server.messages;
    assert.equal(reply, `250 2.0.0 Message accepted for delivery ${message.id}`);
    assert.deepEqual(
      message.recipients.map(({ mailbox: { local } }) => local),
      ["b", "c"],
    );
    assert.match(contentOf(message), /\r\nSubject: hello\r\n\r\n\.dot\r\ngr\u00c3\u00bcn\r\n$/);
  },
);

testAsRoot("postfix", "Postfix takes what we deliver, and keeps it", async () => {
  await using postfix = await Postfix.start();
  const outbound = outboundTo(postfix.port, { policy: "verify" });
  for (let i = 0; i < 5; i++) {
    const recipients = Array.from({ length: i + 1 }, (_, j) => `b${j}`);
    for (const outcome of await deliver(outbound, claimOf(recipients))) {
      assert.match(outcome, /^delivered recipient end of DATA: 2\.0\.0 250 2\.0\.0 Ok: queued as /);
    }
  }
  outbound.close();
  assert.equal(postfix.held(), 5);
});
