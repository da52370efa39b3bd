/** S19: the PROXY protocol over sockets: whom it is taken from, and who then is the client. */

import assert from "node:assert/strict";
import { net } from "../../src/deno/net.ts";
import { Access } from "../../src/inbound/access.ts";
import type { ServerOptions } from "../../src/inbound/options.ts";
import { world } from "../../src/deno/world.ts";
import { received } from "../../src/mail/trace.ts";
import type { World } from "../../src/ports.ts";
import { certified, sourceOf } from "../fakes/certificate.ts";
import { Client } from "../fakes/client.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { netWith } from "../fakes/net.ts";
import { behind, binaryHeader, IPV4, IPV6, joined, lineHeader, LOOPBACK } from "../fakes/proxy.ts";
import { TestRelay } from "../fakes/relay.ts";
import { contentOf, TestServer } from "../fakes/server.ts";
import { settled } from "../fakes/settled.ts";

const PROXIED = { proxies: LOOPBACK, proxyProtocol: true };
const GREETING = "220 localhost ESMTP Dinopost ready";
const EARLY = "554 5.5.0 Wait for the reply before sending more\r\n";
const HEADERLESS = { session: 1, proxy: "127.0.0.1" };

const proxied = (options: Partial<ServerOptions> = {}, world: Partial<World> = {}) =>
  new TestServer({ ...PROXIED, ...options }, world);

function only(...addresses: string[]) {
  const networks = addresses.map((address) => ({ address, prefix: 128 }));
  return new Access({ networks, hosts: [] }, world);
}

async function send(client: Client): Promise<string> {
  await client.ready();
  await client.ask("DATA");
  return await client.ask("Subject: x\r\n\r\n.");
}

for (
  const [what, header, address, port] of [
    ["v1", lineHeader(IPV4), IPV4, 4711],
    ["v1 IPv6", lineHeader("2001:0DB8::0:1"), IPV6, 4711],
    ["v1 mapped", lineHeader("::ffff:192.0.2.1"), IPV4, 4711],
    ["v2", binaryHeader(IPV4), IPV4, 4711],
    ["v2 IPv6 with values", binaryHeader(IPV6, { further: new Uint8Array(300) }), IPV6, 4711],
    ["v2 mapped", binaryHeader("::ffff:192.0.2.1"), IPV4, 4711],
    ["v1 UNKNOWN", "PROXY UNKNOWN\r\n", "127.0.0.1", undefined],
    ["v2 LOCAL", binaryHeader(undefined, { command: 0 }), "127.0.0.1", undefined],
  ] as const
) {
  Deno.test(`S19 ${what}: the client is whom the header names`, async () => {
    await using server = proxied();
    using client = await behind(header, server.port);
    assert.equal(await client.reply(), GREETING);
    assert.match(await send(client), /^250 /);
    assert.equal(server.messages[0].client.address, address);
    if (port !== undefined) assert.equal(server.messages[0].client.port, port);
    assert.equal(contentOf(server.messages[0]), "Subject: x\r\n\r\n");
    const trace = received(server.messages[0], { hostname: "localhost", hideClient: false });
    const literal = address.includes(":") ? `[IPv6:${address}]` : `[${address}]`;
    assert.ok(trace.startsWith(`Received: from client.example (${literal}) by localhost`), trace);
  });
}

Deno.test("S19 a header that comes octet by octet is one", async () => {
  await using server = proxied();
  using client = await server.connect();
  for (const octet of lineHeader(IPV4)) await client.send(octet);
  assert.equal(await client.reply(), GREETING);
  assert.match(await send(client), /^250 /);
  assert.equal(server.messages[0].client.address, IPV4);
});

Deno.test("S19 the allow-list sees the client, not the proxy, and the log too", async () => {
  await using server = proxied({ access: only(IPV4) });
  using allowed = await behind(lineHeader(IPV4), server.port);
  assert.equal(await allowed.reply(), GREETING);
  using other = await behind(lineHeader(IPV6), server.port);
  const refusal = `554 5.7.1 Client address ${IPV6} is not allowed to use this server`;
  assert.equal(await other.rest(), refusal + "\r\n");
  assert.deepEqual(server.told.map(({ event, fields }) => [event, fields]), [
    ["refused", { id: undefined, session: 2, client: IPV6, what: "(connection)", reply: refusal }],
  ]);
  using proxy = await behind("PROXY UNKNOWN\r\n", server.port);
  assert.match(await proxy.rest(), /^554 5\.7\.1 Client address 127\.0\.0\.1 is not allowed/);
});

Deno.test("S19 each client has its own share of the places, the proxy has none taken", async () => {
  await using server = proxied({ maxClientsPerAddress: 1 });
  using first = await behind(lineHeader(IPV4), server.port);
  assert.equal(await first.reply(), GREETING);
  using same = await behind(binaryHeader(IPV4), server.port);
  assert.equal(await same.rest(), `421 4.7.0 Too many connections from ${IPV4}\r\n`);
  using other = await behind(lineHeader(IPV6), server.port);
  assert.equal(await other.reply(), GREETING);
  assert.match(await first.ask("QUIT"), /^221 /);
  assert.equal(await first.rest(), "");
  using next = await behind(lineHeader(IPV4), server.port);
  assert.equal(await next.reply(), GREETING);
});

Deno.test("S19 clients whose header is still to come take no place", async () => {
  await using server = proxied({ maxClients: 1 });
  using silent = await server.connect();
  using client = await behind(lineHeader(IPV4), server.port);
  assert.equal(await client.reply(), GREETING);
  await silent.send(lineHeader(IPV6));
  assert.match(await silent.rest(), /^421 4\.3\.2 Too many connections/);
});

for (
  const [what, octets] of [
    ["with a hello", "EHLO client.example\r\n"],
    ["with a header that is none", "PROXY TCP4 nowhere nowhere 1 1\r\n"],
    ["with a line that has no end", "PROXY UNKNOWN " + "x".repeat(200)],
    ["with a handshake of TLS", Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 0, 0, 0, 0, 0)],
    ["with half a header, and then the end", binaryHeader(IPV4).slice(0, 20)],
    ["with nothing", ""],
  ] as const
) {
  Deno.test(`S19 a proxy that begins ${what} is told nothing, and that is logged`, async () => {
    await using server = proxied();
    using client = await behind(octets, server.port);
    if (/end|nothing/.test(what)) await client.closeWrite();
    assert.equal(await client.rest().catch(() => ""), "");
    assert.deepEqual(server.told, [
      { level: "warning", event: "proxy without a PROXY header", fields: HEADERLESS },
    ]);
    assert.equal(server.server.activeClients, 0);
  });
}

Deno.test("S19 a header that trickles in is waited for only so long, for all of it", async () => {
  const clock = new TurnedClock();
  await using server = proxied({ handshakeTimeout: 30_000 }, { clock });
  using client = await server.connect();
  let rest: string | undefined;
  const ended = client.rest().catch(() => "").then((text) => rest = text);
  const header = lineHeader(IPV4);
  let sent = 0;
  for (; sent < header.length && rest === undefined; sent++) {
    await client.send(header[sent]).catch(() => {});
    await settled();
    clock.turn(5_000);
    await settled();
  }
  client.close();
  assert.equal(await ended, "");
  assert.ok(sent >= 6 && sent <= 7, `${sent} octets`);
  assert.equal(clock.timers, 0);
  assert.equal(server.told[0].event, "proxy without a PROXY header");
});

Deno.test("S19 SMTP_HANDSHAKE_TIMEOUT is how long a proxy may take for its header", async () => {
  const settings = { SMTP_PROXY_PROTOCOL: "true", SMTP_HANDSHAKE_TIMEOUT: "5s" };
  await using relay = await TestRelay.start(settings);
  using early = await Client.connect(relay.port);
  using late = await Client.connect(relay.port);
  await settled();
  relay.clock.turn(4_999);
  await early.send(lineHeader(IPV4));
  assert.equal(await early.reply(), GREETING);
  relay.clock.turn(1);
  assert.equal(await late.rest().catch(() => ""), "");
  assert.match(await early.ask("NOOP"), /^250 /);
});

Deno.test("S19 what the client sends before it is greeted is too early behind a header too", async () => {
  await using server = proxied();
  for (const header of [lineHeader(IPV4), binaryHeader(IPV6)]) {
    using client = await behind(joined(header, "EHLO client.example\r\n"), server.port);
    assert.equal(await client.rest(), EARLY);
  }
  assert.deepEqual(server.told.map(({ fields: { client } }) => client), [IPV4, IPV6]);
});

const HEADER = binaryHeader(IPV4, { further: new Uint8Array(64) });

/** A network that brings the header with what is sent behind it. */
const joining = netWith((connection) => {
  let isFirst = true;
  return {
    async read(buffer) {
      let count = await connection.read(buffer);
      while (isFirst && count !== null && count <= HEADER.length) {
        count += await connection.read(buffer.subarray(count)) ?? 1;
      }
      isFirst = false;
      return count;
    },
  };
});

for (const [how, network] of [["behind it", net], ["in one segment with it", joining]] as const) {
  Deno.test(`S19 implicit TLS begins behind the header: ${how}`, async () => {
    const { ca, pair } = await certified();
    const tls = { tls: sourceOf(pair), tlsPort: 0 };
    await using server = proxied(tls, { net: network });
    const { port } = server.server.tlsAddresses[0];
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(HEADER);
    using secure = await Deno.startTls(connection, { hostname: "localhost", caCerts: [ca] });
    const buffer = new Uint8Array(1000);
    const hear = async () =>
      new TextDecoder().decode(buffer.subarray(0, await secure.read(buffer) ?? 0));
    assert.equal(await hear(), GREETING + "\r\n");
    await secure.write(joined("QUIT\r\n"));
    assert.match(await hear(), /^221 /);
    assert.equal(await secure.read(buffer), null);
  });
}

Deno.test("S19 with implicit TLS, whoever comes too much gets no handshake", async () => {
  const { pair } = await certified();
  const tls = { tls: sourceOf(pair), tlsPort: 0, maxClientsPerAddress: 1 };
  await using server = proxied(tls);
  using first = await behind(lineHeader(IPV4), server.port);
  assert.equal(await first.reply(), GREETING);
  using second = await behind(lineHeader(IPV4), server.server.tlsAddresses[0].port);
  assert.equal(await second.rest(), "");
});

Deno.test("S19 PROXY of whoever is no proxy is a word that is not known", async () => {
  const elsewhere = [{ address: "192.0.2.0", prefix: 24 }];
  for (
    const options of [
      { proxies: elsewhere, proxyProtocol: true, handshakeTimeout: 1000 },
      // The header is asked for with its own setting.
      { proxies: LOOPBACK },
      {},
    ]
  ) {
    await using server = new TestServer(options);
    using client = await Client.greeted(server.port);
    assert.equal(
      await client.ask(lineHeader(IPV4).trimEnd()),
      "500 5.5.1 Command not recognised",
    );
    assert.match(await send(client), /^250 /);
    assert.equal(server.messages[0].client.address, "127.0.0.1");
    using binary = await Client.greeted(server.port);
    await binary.send(binaryHeader(IPV4));
    assert.match(await binary.rest(), /^500 5\.5\.1 [^]*\r\n500 5\.5\.2 Lines end in CR LF/);
  }
});

Deno.test("S19 PROXY of whoever is no proxy, before the greeting, is talk too early", async () => {
  const listener = net.listen({ hostname: "127.0.0.1", port: 0 });
  using client = await Client.connect(listener.addr.port);
  await client.send(lineHeader(IPV4));
  const proxies = [{ address: "192.0.2.0", prefix: 24 }];
  const options = { proxies, proxyProtocol: true, handshakeTimeout: 1000 };
  await using server = new TestServer(options, { net: { listen: () => listener } });
  assert.equal(await client.rest(), EARLY);
  assert.equal(server.told[0].fields.client, "127.0.0.1");
});

Deno.test("S19 a server that stops does not wait for headers", async () => {
  const server = proxied();
  using client = await behind("PROXY ", server.port);
  await settled();
  assert.equal(server.server.activeClients, 1);
  await server.server.shutdown({ within: 60_000 });
  await server.stopped;
  assert.equal(await client.rest().catch(() => ""), "");
});
