/** S33, S34: the server as programs use it. */

import assert from "node:assert/strict";
import { ListenError, type Middleware, replies, reply, Server } from "../src/mod.ts";
import { loadConfig } from "../src/config.ts";
import { DEFAULTS } from "../src/inbound/options.ts";
import { certified } from "./fakes/certificate.ts";
import { Client } from "./fakes/client.ts";
import { environmentOf } from "./fakes/environment.ts";
import { contentOf, TestServer } from "./fakes/server.ts";
import { settled } from "./fakes/settled.ts";

async function send(client: Client, content = "Subject: x\r\n\r\nx\r\n"): Promise<string> {
  await client.ready();
  await client.ask("DATA");
  await client.send(content + ".\r\n");
  return await client.reply();
}

Deno.test("the example of the library runs as it stands", async () => {
  const { server, stopped, subjects } = await import("./examples/library.ts");
  using client = await Client.greeted(server.address.port);
  await client.ask("EHLO x");
  await client.ask("MAIL FROM:<a@example.org>");
  assert.equal(await client.ask("RCPT TO:<b@example.net>"), "550 5.7.1 Not a domain of ours");
  assert.match(await client.ask("RCPT TO:<b@example.com>"), /^250/);
  await client.ask("DATA");
  assert.match(await client.ask("Subject: hello\r\n\r\n."), /^250/);
  assert.deepEqual(subjects, ["hello"]);
  client.close();
  await server.shutdown();
  await stopped;
});

Deno.test("S34 middleware runs from the outside in and back: m1 m2 handler m2 m1", async () => {
  const order: string[] = [];
  const named = (name: string): Middleware => async (envelope, next) => {
    order.push(name);
    const answer = await next(envelope);
    order.push(name);
    return answer;
  };
  const server = new Server({
    addresses: ["127.0.0.1"],
    port: 0,
    handler() {
      order.push("handler");
      return reply(250, "2.0.0", "Mine");
    },
  }).use(named("m1"), named("m2"));
  const stopped = server.listenAndServe();
  using client = await Client.greeted(server.address.port);
  assert.equal(await send(client), "250 2.0.0 Mine");
  assert.deepEqual(order, ["m1", "m2", "handler", "m2", "m1"]);
  assert.equal(server.activeClients, 1);
  assert.throws(() => server.use(named("late")), /serving already/);
  client.close();
  await server.shutdown();
  await stopped;
  assert.equal(server.activeClients, 0);
});

Deno.test("S35 the handler sees the envelope as it was given", async () => {
  await using server = new TestServer();
  using client = await Client.greeted(server.port);
  await client.ask("EHLO client.example");
  await client.ask("MAIL FROM:<Alice@Example.com> SMTPUTF8 BODY=8BITMIME RET=HDRS ENVID=a+2Bb");
  await client.ask("RCPT TO:<Bob@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bx@example.org");
  await client.ask("RCPT TO:<Bob@EXAMPLE.net>");
  await client.ask("RCPT TO:<bob@example.net>");
  await client.ask("DATA");
  await client.ask("Subject: ø\r\n\r\n..\r\n.");
  const [envelope] = server.messages;
  const { id, client: from, sender, recipients, receivedAt, content } = envelope;
  assert.match(id, /^[0-9a-hjkmnp-tv-z]{20}$/);
  assert.deepEqual([from.address, from.helo, from.esmtp], ["127.0.0.1", "client.example", true]);
  assert.deepEqual(sender, {
    mailbox: { local: "Alice", domain: "Example.com" },
    body: "8BITMIME",
    utf8: true,
    ret: "HDRS",
    envid: "a+b",
  });
  assert.deepEqual(recipients, [
    {
      mailbox: { local: "Bob", domain: "example.net" },
      notify: ["SUCCESS", "DELAY"],
      orcpt: { type: "rfc822", address: "b+x@example.org" },
    },
    { mailbox: { local: "bob", domain: "example.net" } },
  ]);
  assert.ok(Math.abs(Date.now() - receivedAt) < 60_000);
  assert.equal(contentOf(envelope), "Subject: \xc3\xb8\r\n\r\n.\r\n");
  assert.equal(content.size, 18);
});

Deno.test("a handler that fails is told as 451, logged with its reason, and harms nobody", async () => {
  await using server = new TestServer({
    handler() {
      throw new Error("the handler is broken");
    },
  });
  using client = await Client.greeted(server.port);
  assert.equal(await send(client), "451 4.3.0 Message not stored, try again later");
  assert.match(String(server.told[0].fields.error), /the handler is broken/);
  assert.equal(await client.ask("NOOP"), "250 2.0.0 OK");
});

Deno.test("a handler that refuses is heard; with 421 the session ends", async () => {
  let answer = reply(550, "5.7.1", "No");
  await using server = new TestServer({ handler: () => Promise.resolve(answer) });
  using client = await Client.greeted(server.port);
  assert.equal(await send(client), "550 5.7.1 No");
  answer = reply(421, "4.7.0", "Enough");
  assert.equal(await send(client), "421 4.7.0 Enough");
  assert.equal(await client.rest(), "");
});

Deno.test("checks refuse senders, recipients and content, at once or later", async () => {
  await using server = new TestServer({
    checks: {
      sender: ({ mailbox }) =>
        mailbox?.local === "mallory" ? reply(550, "5.7.1", "Not you") : undefined,
      recipient: async ({ mailbox }) => {
        await settled();
        return mailbox.local === "nobody" ? reply(550, "5.1.1", "Nobody") : undefined;
      },
      content: (_, recipients) =>
        recipients.length > 1 ? replies.storeFull : Promise.resolve(undefined),
    },
  });
  using client = await Client.greeted(server.port);
  await client.ask("EHLO x");
  assert.equal(await client.ask("MAIL FROM:<mallory@example.com>"), "550 5.7.1 Not you");
  // One write for the whole group, though an answer among it takes its time.
  await client.send(
    "MAIL FROM:<a@example.com>\r\nRCPT TO:<nobody@example.net>\r\nRCPT TO:<b@example.net>\r\n",
  );
  assert.equal(
    await client.some(),
    "250 2.1.0 Sender <a@example.com> OK\r\n550 5.1.1 Nobody\r\n" +
      "250 2.1.5 Recipient <b@example.net> OK\r\n",
  );
  await client.ask("RCPT TO:<c@example.net>");
  assert.match(await client.ask("DATA"), /^452 4\.3\.1 /);
  await client.ask("RSET");
  assert.match(await send(client), /^250/);
});

Deno.test("a check that fails is a temporary refusal", async () => {
  await using server = new TestServer({
    checks: {
      sender() {
        throw new Error("the check is broken");
      },
    },
  });
  using client = await Client.greeted(server.port);
  await client.ask("EHLO x");
  assert.equal(
    await client.ask("MAIL FROM:<a@example.com>"),
    "451 4.3.0 Local error, try again later",
  );
});

Deno.test("S18 clients beyond the limits are told 421, until others have gone", async () => {
  await using server = new TestServer({ maxClients: 3, maxClientsPerAddress: 2 });
  const clients = [await Client.greeted(server.port), await Client.greeted(server.port)];
  using third = await server.connect();
  assert.equal(await third.rest(), "421 4.7.0 Too many connections from 127.0.0.1\r\n");
  clients[0].close();
  await settled();
  using fourth = await server.connect();
  assert.match(await fourth.reply(), /^220/);
  clients[1].close();
});

Deno.test("S18 clients beyond the limit of all are told 421 4.3.2", async () => {
  await using server = new TestServer({ maxClients: 1 });
  using first = await Client.greeted(server.port);
  using second = await server.connect();
  assert.equal(await second.rest(), "421 4.3.2 Too many connections, try again later\r\n");
  assert.equal(await first.ask("NOOP"), "250 2.0.0 OK");
});

Deno.test("several addresses, any free port: the same one on each", async () => {
  await using server = new TestServer({ addresses: ["127.0.0.1", "::1"] });
  const { addresses } = server.server;
  assert.deepEqual(addresses.map(({ hostname }) => hostname), ["127.0.0.1", "::1"]);
  assert.equal(addresses[0].port, addresses[1].port);
  for (const { hostname, port } of addresses) {
    using client = await Client.connect(port, hostname);
    assert.match(await client.reply(), /^220/);
  }
});

Deno.test("the wildcards of both families are listened on together", async () => {
  await using server = new TestServer({ addresses: ["::", "0.0.0.0"] });
  for (const hostname of ["127.0.0.1", "::1"]) {
    using client = await Client.connect(server.port, hostname);
    assert.match(await client.reply(), /^220/);
    await send(client);
  }
  const addresses = server.messages.map(({ client }) => client.address);
  assert.deepEqual(addresses, ["127.0.0.1", "::1"]);
});

Deno.test("an address in use rejects, and leaves nothing listening", async () => {
  await using taken = new TestServer();
  const server = new Server({
    addresses: ["::1", "127.0.0.1"],
    port: taken.port,
    handler: ({ id }) => replies.accepted(id),
  });
  const error = await server.listenAndServe().catch((error) => error);
  assert.ok(error instanceof ListenError);
  assert.equal(error.reason, "in use");
  await assert.rejects(Client.connect(taken.port, "::1"), Deno.errors.ConnectionRefused);
});

Deno.test("shutdown cuts what is not over within the time, whatever the handler does", async () => {
  const never = Promise.withResolvers<never>();
  const server = new TestServer({ handler: () => never.promise });
  const client = await Client.greeted(server.port);
  await client.ready();
  await client.ask("DATA");
  await client.send(".\r\n");
  await settled();
  await server.server.shutdown({ within: 10 });
  await server.stopped;
  assert.doesNotMatch(await client.rest().catch(() => ""), /250/);
  client.close();
});

Deno.test("a fault of ours is logged as one, and the client told 421", async () => {
  await using server = new TestServer({
    audit: {
      wants: { lines: true, content: false },
      line(_, side) {
        if (side === "C") throw new Error("the audit is broken");
      },
    },
  });
  using client = await Client.greeted(server.port);
  assert.equal(await client.ask("NOOP"), "421 4.3.0 Local error, closing the connection");
  const fault = server.logged.find(({ level }) => level === "error");
  assert.match(String(fault?.fields.error), /the audit is broken/);
});

Deno.test("an audit that fails upon a connection harms neither that one nor the count", async () => {
  await using server = new TestServer({
    audit: {
      wants: { lines: true, content: false },
      line(_, side) {
        if (side === "*") throw new Error("the audit is broken");
      },
    },
  });
  const client = await Client.greeted(server.port);
  assert.equal(await client.ask("NOOP"), "250 2.0.0 OK");
  client.close();
  for (let i = 0; i < 100 && server.server.activeClients > 0; i++) await settled();
  assert.equal(server.server.activeClients, 0);
});

Deno.test("refusals are told with what was refused, but no credentials, and not without end", async () => {
  await using server = new TestServer();
  using client = await Client.greeted(server.port);
  await client.ask("EHLO x");
  await client.ask("AUTH PLAIN AGFsaWNlAHNlY3JldA==");
  await client.ask("auth\tplain\tAGFsaWNlAHNlY3JldA==");
  await client.ask("MAIL FROM:<a@example.com>");
  for (let i = 0; i < 50; i++) await client.ask("RCPT TO:<nonsense>");
  const refused = server.logged.filter(({ event }) => event === "refused");
  assert.equal(refused.length, 20);
  assert.deepEqual(refused.slice(0, 3).map(({ fields: { what, reply } }) => [what, reply]), [
    ["AUTH PLAIN (hidden)", "502 5.5.1 AUTH is not offered here"],
    ["auth\tplain\t(hidden)", "500 5.5.1 Command not recognised"],
    ["RCPT TO:<nonsense>", "501 5.1.3 Not an address, Syntax: RCPT TO:<user@domain>"],
  ]);
  assert.doesNotMatch(JSON.stringify(server.logged), /AGFs/);
});

Deno.test("the defaults of the server are those of the settings", () => {
  const { config } = loadConfig(environmentOf({}), { dev: false });
  for (const [name, value] of Object.entries(DEFAULTS)) {
    const setting = name === "addresses" ? "listen" : name as keyof typeof config;
    assert.deepEqual(config[setting], value, name);
  }
});

Deno.test("the library serves TLS and knows its users", async () => {
  const { ca, pair } = await certified();
  const server = new Server({
    addresses: ["127.0.0.1"],
    port: 0,
    tls: pair,
    users: new Map([["alice", "secret"]]),
    senderDomains: new Set(["example.com"]),
    handler: ({ client }) => reply(250, "2.0.0", `${client.user} ${client.tls?.version}`),
  });
  const stopped = server.listenAndServe();
  using client = await Client.greeted(server.address.port);
  assert.match(await client.ask("EHLO x"), /^250-STARTTLS$/m);
  assert.match(await client.ask("STARTTLS"), /^220 /);
  await client.startTls(ca);
  assert.match(await client.ask("EHLO x"), /^250-AUTH SCRAM-SHA-256 PLAIN LOGIN$/m);
  assert.match(await client.ask(`AUTH PLAIN ${btoa("\0alice\0secret")}`), /^235 /);
  assert.match(await client.ask("MAIL FROM:<a@elsewhere.example>"), /^250/);
  await client.ask("RCPT TO:<b@example.net>");
  await client.ask("DATA");
  assert.match(await client.ask("Subject: hello\r\n\r\n."), /^250 2.0.0 alice TLSv1.3$/);
  client.close();
  await server.shutdown();
  await stopped;
  assert.throws(() => new Server({ tls: { cert: "x", key: "y" }, handler: () => replies.ok }), {
    message: "the certificate is no PEM certificate",
  });
});
