/** S4: where HTTP is served, and what becomes of mail where it cannot be. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";
import { ask, curl as curlOf, httpPortOf, requestFor } from "../fakes/http.ts";
import { HttpRelay, mail } from "../fakes/http_relay.ts";
import { testWith } from "../fakes/tools.ts";

const SECOND = 1_000;
const NO_HTTP = "no HTTP for now, mail flows";

/** Some port of this machine, and somebody who has it. */
function taken(): { listener: Deno.TcpListener; address: string } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return { listener, address: `127.0.0.1:${listener.addr.port}` };
}

Deno.test("S4 a port in use is told of once, mail flows, and HTTP comes once it is free", async () => {
  const { listener, address } = taken();
  await using relay = await HttpRelay.start({ settings: { SMTP_HEALTH_ADDR: address } });
  const { timers } = relay.clock;
  const [told, ...more] = relay.told(NO_HTTP);
  assert.deepEqual(more, []);
  assert.match(String(told.error), new RegExp(`port ${listener.addr.port}: .*[Aa]ddress.* in use`));
  // Twice as long each time, a minute at most.
  for (const pause of [5, 10, 20, 40, 60, 60, 60]) {
    assert.match(await relay.mail(), /^250 /);
    relay.clock.turn(pause * SECOND);
  }
  assert.deepEqual(relay.relay.httpAddresses, []);
  assert.equal(relay.told(NO_HTTP).length, 1);
  listener.close();
  relay.clock.turn(60 * SECOND - 1);
  assert.deepEqual(relay.relay.httpAddresses, []);
  relay.clock.turn(1);
  assert.deepEqual(relay.told("HTTP is served"), [{ port: listener.addr.port }]);
  assert.equal((await ask(relay.httpPort, "/livez")).body, "OK\n");
  assert.match(await relay.mail(), /^250 /);
  // It is not looked for any more.
  relay.clock.turn(10 * 60 * SECOND);
  assert.equal(relay.told("HTTP is served").length, 1);
  assert.ok(relay.clock.timers < timers + 2);
});

Deno.test("S4 a port that is soon free is taken after five seconds, no sooner", async () => {
  const { listener, address } = taken();
  await using relay = await HttpRelay.start({ settings: { SMTP_HEALTH_ADDR: address } });
  listener.close();
  relay.clock.turn(5 * SECOND - 1);
  assert.deepEqual(relay.relay.httpAddresses, []);
  relay.clock.turn(1);
  assert.equal((await ask(relay.httpPort, "/livez")).body, "OK\n");
});

Deno.test("S4 whoever stops while a port is in use has nothing left over", async () => {
  const { listener, address } = taken();
  let clock;
  {
    await using relay = await HttpRelay.start({ settings: { SMTP_HEALTH_ADDR: address } });
    clock = relay.clock;
  }
  listener.close();
  clock.turn(60 * SECOND);
  await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }));
});

Deno.test("S4 whoever stops closes its clients, those that read along as well", async () => {
  const clients: Client[] = [];
  {
    await using relay = await HttpRelay.start({ settings: { SMTP_DEBUG: "true" } });
    for (const said of ["", "GET", requestFor("/healthz"), requestFor("/livez")]) {
      const client = await Client.connect(relay.httpPort);
      clients.push(client);
      await client.send(said);
    }
    await clients[2].some();
  }
  for (const client of clients) {
    await client.rest().catch(() => {});
    client.close();
  }
});

Deno.test("S4 an address that this machine has not is told of, and mail flows", async () => {
  await using relay = await HttpRelay.start({ settings: { SMTP_HEALTH_ADDR: "192.0.2.1:0" } });
  assert.match(await relay.mail(), /^250 /);
  relay.clock.turn(10 * 60 * SECOND);
  assert.equal(relay.told(NO_HTTP).length, 1);
});

Deno.test("S4 a daemon whose port is in use says so, takes mail, and serves once it is free", async () => {
  const { listener, address } = taken();
  await using daemon = await Daemon.start({
    settings: { SMTP_HEALTH_DISABLE: "false", SMTP_HEALTH_ADDR: address, SMTP_DEBUG: "false" },
  });
  await daemon.says(/error: no HTTP for now, mail flows .*in use/);
  assert.doesNotMatch(daemon.output, /^or at /m);
  assert.match(await mail(daemon.port), /^250 /);
  listener.close();
  const { port } = listener.addr;
  await daemon.says(new RegExp(`HTTP is served port=${port}\n`));
  assert.equal((await ask(port, "/livez")).body, "OK\n");
  daemon.signal("SIGTERM");
  assert.equal((await daemon.status).code, 0);
});

Deno.test("S4 SMTP_HEALTH_PORT overrides the port of SMTP_HEALTH_ADDR", async () => {
  const { listener, address } = taken();
  await using daemon = await Daemon.start({
    settings: {
      SMTP_HEALTH_DISABLE: "false",
      SMTP_HEALTH_ADDR: address,
      SMTP_HEALTH_PORT: "0",
    },
  });
  const port = httpPortOf(daemon);
  assert.notEqual(port, listener.addr.port);
  assert.equal((await ask(port, "/livez")).body, "OK\n");
  listener.close();
});

Deno.test("S4 with SMTP_HEALTH_DISABLE there is no HTTP", async () => {
  const { listener, address } = taken();
  listener.close();
  await using daemon = await Daemon.start({
    settings: { SMTP_HEALTH_DISABLE: "true", SMTP_HEALTH_ADDR: address, SMTP_DEBUG: "false" },
  });
  assert.doesNotMatch(daemon.output, /http/i);
  await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }));
});

testWith(
  "curl",
  "S4 without an address it is served on every one of this machine",
  async (curl) => {
    await using daemon = await Daemon.start({
      settings: { SMTP_HEALTH_DISABLE: "false", SMTP_HEALTH_ADDR: ":0", SMTP_DEBUG: "false" },
    });
    const said = /^or at +port (\d+) on every address of this machine, by HTTP$/m;
    const [, port] = said.exec(daemon.output)!;
    for (const host of ["127.0.0.1", "127.0.0.9", "[::1]", "localhost"]) {
      const { status, body } = await curlOf(curl, `http://${host}:${port}/livez`);
      assert.deepEqual([status, body], [200, "OK\n"], host);
    }
  },
);

Deno.test("S4 a daemon that stops in good order answers until then, and its port is free", async () => {
  await using daemon = await Daemon.start({
    settings: { SMTP_HEALTH_DISABLE: "false", SMTP_HEALTH_ADDR: "127.0.0.1:0" },
  });
  const port = httpPortOf(daemon);
  assert.equal((await ask(port, "/livez")).body, "OK\n");
  daemon.signal("SIGTERM");
  assert.equal((await daemon.status).code, 0);
  Deno.listen({ hostname: "127.0.0.1", port }).close();
});
