/** T9: an IPv4 client is the same over a socket of IPv6, `::ffff:127.0.0.1`, to all who judge it. */

import assert from "node:assert/strict";
import { world } from "../../src/deno/world.ts";
import { Access, type Network } from "../../src/inbound/access.ts";
import type { ServerOptions } from "../../src/inbound/options.ts";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";
import { netWith } from "../fakes/net.ts";
import { behind, claim, IPV4, lineHeader } from "../fakes/proxy.ts";
import { TestServer } from "../fakes/server.ts";

/** As the system gives them. */
const seen: string[] = [];
const watched = netWith(({ remoteAddr }) => {
  seen.push(remoteAddr.hostname);
  return {};
});

const network = (address: string, prefix: number) => [{ address, prefix }];
const access = (networks: readonly Network[]) => new Access({ networks, hosts: [] }, world);
const serving = (options: Partial<ServerOptions>) =>
  new TestServer({ addresses: ["::"], ...options }, { net: watched });

/** Whether one from 127.0.0.1 is among a network. */
const NETWORKS = [
  [network("127.0.0.1", 32), true],
  [network("127.0.0.0", 8), true],
  [network("::ffff:127.0.0.1", 128), true],
  [network("::ffff:7f00:0", 104), true],
  [network("192.0.2.0", 24), false],
  [network("::ffff:192.0.2.0", 120), false],
  [network("::1", 128), false],
  // All of IPv6, which IPv4 is not.
  [network("::", 0), false],
] as const;

for (const [networks, isAmong] of NETWORKS) {
  const [{ address, prefix }] = networks;
  const verdict = isAmong ? "is among" : "is not among";

  Deno.test(`T9 a client over ::ffff:127.0.0.1 ${verdict} the allowed ${address}/${prefix}`, async () => {
    await using server = serving({ access: access(networks) });
    using client = await server.connect();
    const greeting = /^220 localhost ESMTP/;
    const refusal = /^554 5\.7\.1 Client address 127\.0\.0\.1 is not allowed/;
    assert.match(await client.reply(), isAmong ? greeting : refusal);
    assert.equal(seen.at(-1), "::ffff:127.0.0.1");
  });

  Deno.test(`T9 a client over ::ffff:127.0.0.1 ${verdict} the proxies ${address}/${prefix}`, async () => {
    await using server = serving({ proxies: networks });
    using client = await Client.greeted(server.port);
    const said = await claim(client, `ADDR=::ffff:${IPV4}`);
    assert.match(said, isAmong ? /^220 / : /^550 5\.7\.0 /);
    await client.ready();
    await client.ask("DATA");
    await client.ask(".");
    assert.equal(server.messages[0].client.address, isAmong ? IPV4 : "127.0.0.1");
    assert.equal(seen.at(-1), "::ffff:127.0.0.1");

    await using other = serving({ proxies: networks, proxyProtocol: true });
    using proxy = await Client.connect(other.port);
    if (isAmong) await proxy.send(lineHeader(IPV4));
    assert.match(await proxy.reply(), /^220 /);
  });
}

Deno.test("T9 both forms have one share of the places", async () => {
  await using server = serving({ proxies: network("127.0.0.1", 32), maxClientsPerAddress: 1 });
  using first = await Client.greeted(server.port);
  using same = await server.connect();
  assert.equal(await same.rest(), "421 4.7.0 Too many connections from 127.0.0.1\r\n");
  assert.match(await claim(first, `ADDR=${IPV4}`), /^220 /);
  using mapped = await Client.greeted(server.port);
  assert.match(
    await claim(mapped, `ADDR=IPV6:::ffff:${IPV4}`),
    /^421 4\.7\.0 .* from 192\.0\.2\.1$/,
  );
});

for (
  const settings of [
    { SMTP_ALLOW_NETWORKS: `127.0.0.1,${IPV4}`, SMTP_PROXIES: "127.0.0.1" },
    {
      SMTP_ALLOW_NETWORKS: `::ffff:127.0.0.0/104,::ffff:${IPV4}`,
      SMTP_PROXIES: "::ffff:127.0.0.1/128",
    },
  ]
) {
  Deno.test(`T9 the daemon on [::] knows its networks: ${settings.SMTP_PROXIES}`, async () => {
    await using daemon = await Daemon.start({ settings: { ...settings, SMTP_LISTEN: "::" } });
    using client = await Client.greeted(daemon.port);
    assert.match(await claim(client, `ADDR=${IPV4}`), /^220 /);
    await client.ready();
    await client.ask("DATA");
    assert.match(await client.ask("."), /^250 /);
    await daemon.says(/message accepted .* client=192\.0\.2\.1 /);
    using other = await Client.connect(daemon.port, "::1");
    assert.equal(
      await other.rest(),
      "554 5.7.1 Client address ::1 is not allowed to use this server\r\n",
    );
  });
}

Deno.test("T9 the daemon on [::] takes a PROXY header of ::ffff:127.0.0.1", async () => {
  const settings = {
    SMTP_LISTEN: "::",
    SMTP_ALLOW_NETWORKS: IPV4,
    SMTP_PROXIES: "127.0.0.1",
    SMTP_PROXY_PROTOCOL: "true",
  };
  await using daemon = await Daemon.start({ settings });
  using client = await behind(lineHeader(`::ffff:${IPV4}`), daemon.port);
  assert.match(await client.reply(), /^220 /);
  using other = await behind(lineHeader("::ffff:192.0.2.2"), daemon.port);
  assert.match(await other.rest(), /^554 5\.7\.1 Client address 192\.0\.2\.2 is not allowed/);
});
