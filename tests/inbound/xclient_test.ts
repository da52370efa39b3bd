/** S19: XCLIENT over sockets: who then is the client to the allow-list, the places, the trace. */

import assert from "node:assert/strict";
import { world } from "../../src/deno/world.ts";
import { Access } from "../../src/inbound/access.ts";
import { received } from "../../src/mail/trace.ts";
import { Client } from "../fakes/client.ts";
import { claim, IPV4, IPV6, LOOPBACK } from "../fakes/proxy.ts";
import { TestServer } from "../fakes/server.ts";

const GREETING = "220 localhost ESMTP Dinopost ready";
const PROXIES = { proxies: LOOPBACK };

function only(...addresses: string[]) {
  const networks = addresses.map((address) => ({ address, prefix: 128 }));
  return new Access({ networks, hosts: [] }, world);
}

async function send(client: Client, sender = "a@example.com"): Promise<string> {
  await client.ask("EHLO client.example");
  const reply = await client.ask(`MAIL FROM:<${sender}>`);
  if (!reply.startsWith("250")) return reply;
  await client.ask("RCPT TO:<b@example.net>");
  await client.ask("DATA");
  return await client.ask("Subject: x\r\n\r\n.");
}

Deno.test("S19 whoever is no proxy is not offered XCLIENT, and is not obeyed", async () => {
  for (const options of [{}, { proxies: [{ address: "192.0.2.0", prefix: 24 }] }]) {
    await using server = new TestServer({ ...options, access: only("127.0.0.1", IPV4) });
    using client = await Client.greeted(server.port);
    assert.doesNotMatch(await client.ask("EHLO x"), /XCLIENT/);
    const who = `ADDR=${IPV4} NAME=client.example LOGIN=alice`;
    assert.equal(await claim(client, who), "550 5.7.0 XCLIENT is not for you");
    assert.match(await send(client), /^250 /);
    const { address, name, user } = server.messages[0].client;
    assert.deepEqual([address, name, user], ["127.0.0.1", undefined, undefined]);
  }
});

Deno.test("S19 the client of a message is whom the proxy has named, also in its trace", async () => {
  await using server = new TestServer({ ...PROXIES, senderDomains: new Set(["localhost"]) });
  const who = `ADDR=IPV6:2001:0DB8::1 PORT=4711 NAME=client.example LOGIN=alice`;
  using client = await Client.greeted(server.port);
  assert.equal(await claim(client, who), GREETING);
  assert.match(await send(client), /^250 /);
  const [message] = server.messages;
  assert.deepEqual(message.client, {
    address: IPV6,
    port: 4711,
    helo: "client.example",
    esmtp: true,
    name: "client.example",
    tls: undefined,
    user: "alice",
  });
  assert.match(
    received(message, { hostname: "localhost", hideClient: false }),
    /^Received: from client\.example \(client\.example \[IPv6:2001:db8::1\]\) by localhost\r\n \(Dinopost\) with ESMTPA id /,
  );
});

Deno.test("S19 without a port it is that of nobody; of what is not known the proxy's holds", async () => {
  await using server = new TestServer(PROXIES);
  for (const who of [`ADDR=${IPV4}`, "ADDR=[UNAVAILABLE] NAME=[TEMPUNAVAIL]", "PORT=1"]) {
    using client = await Client.greeted(server.port);
    assert.equal(await claim(client, who), GREETING);
    assert.match(await send(client), /^250 /);
  }
  const clients = server.messages.map(({ client }) => client);
  assert.deepEqual(clients.map(({ address }) => address), [IPV4, "127.0.0.1", "127.0.0.1"]);
  assert.equal(clients[0].port, 0);
  assert.ok(clients.every(({ name }) => name === undefined));
});

Deno.test("S19 a claimed address that is not allowed: 554 5.7.1 and close, logged as its own", async () => {
  await using server = new TestServer({ ...PROXIES, access: only("127.0.0.1", IPV4) });
  using allowed = await Client.greeted(server.port);
  assert.equal(await claim(allowed, `ADDR=${IPV4}`), GREETING);
  using other = await Client.greeted(server.port);
  assert.equal(
    await claim(other, `ADDR=${IPV6}`),
    `554 5.7.1 Client address ${IPV6} is not allowed to use this server`,
  );
  assert.equal(await other.rest(), "");
  const refused = server.told.map(({ fields: { client, what } }) => [client, what]);
  assert.deepEqual(refused, [[IPV6, `XCLIENT ADDR=${IPV6}`]]);
  assert.match(await send(allowed), /^250 /);
});

Deno.test("S19 a claim waits until its address is judged, and a rule that fails turns away for now", async () => {
  const asked: string[] = [];
  let failing = false;
  const access = {
    async check(address: string) {
      asked.push(address);
      await undefined;
      if (failing) throw new Error("the rule is broken");
      return "allowed" as const;
    },
  };
  await using server = new TestServer({ ...PROXIES, access });
  using client = await Client.greeted(server.port);
  assert.equal(await claim(client, `ADDR=${IPV4}`), GREETING);
  failing = true;
  await client.ask("EHLO x");
  assert.match(await client.ask(`XCLIENT ADDR=${IPV6}`), /^421 4\.7\.0 Cannot tell now whether/);
  assert.equal(await client.rest(), "");
  assert.deepEqual(asked, ["127.0.0.1", IPV4, IPV6]);
});

Deno.test("S19 the place is that of the client: the proxy's own is free again", async () => {
  await using server = new TestServer({ ...PROXIES, maxClientsPerAddress: 1 });
  using first = await Client.greeted(server.port);
  assert.equal(await claim(first, `ADDR=${IPV4}`), GREETING);
  using same = await Client.greeted(server.port);
  assert.equal(await claim(same, `ADDR=${IPV4}`), `421 4.7.0 Too many connections from ${IPV4}`);
  assert.equal(await same.rest(), "");
  using other = await Client.greeted(server.port);
  assert.equal(await claim(other, `ADDR=${IPV6}`), GREETING);
  assert.match(await first.ask("QUIT"), /^221 /);
  assert.equal(await first.rest(), "");
  using next = await Client.greeted(server.port);
  assert.equal(await claim(next, `ADDR=${IPV4}`), GREETING);
});

Deno.test("S19 a client that another takes the place of has left its own", async () => {
  const options = { ...PROXIES, maxClients: 2, maxClientsPerAddress: 1 };
  await using server = new TestServer(options);
  using client = await Client.greeted(server.port);
  await claim(client, `ADDR=${IPV4}`);
  for (let i = 0; i < 5; i++) {
    assert.equal(await client.ask(`XCLIENT ADDR=${i % 2 === 0 ? IPV6 : IPV4}`), GREETING);
  }
  // It is that of the one now, and of no other; two there may be in all.
  using other = await Client.greeted(server.port);
  assert.equal(await claim(other, `ADDR=${IPV4}`), GREETING);
});

Deno.test("S19 a user that is claimed may send as whoever it likes, others may not", async () => {
  await using server = new TestServer({ ...PROXIES, senderDomains: new Set(["localhost"]) });
  for (const [who, answer] of [["LOGIN=alice", /^250 /], ["NAME=alice", /^553 5\.7\.1 /]]) {
    using client = await Client.greeted(server.port);
    await claim(client, String(who));
    assert.match(await send(client, "a@example.org"), answer as RegExp);
  }
});
