/**
 * H4: clients of HTTP that are slow to ask or to read are cut when their time is over; mail flows
 * all the while, and nothing of them is left.
 */

import assert from "node:assert/strict";
import { net as realNet } from "../../src/deno/net.ts";
import type { Connection, Net } from "../../src/ports.ts";
import { Client } from "../fakes/client.ts";
import { answerIn, requestFor } from "../fakes/http.ts";
import { HttpRelay, leavesNothing } from "../fakes/http_relay.ts";
import { settled } from "../fakes/settled.ts";

const SECOND = 1_000;
const AUDITED = { settings: { SMTP_DEBUG: "true" } };

/** All that a client hears, as soon as it is over; a reset is an end too. */
class Ear {
  heard: string | undefined;
  readonly over: Promise<string>;

  constructor(client: Client) {
    this.over = client.rest().catch(() => "").then((text) => this.heard = text);
  }

  get isOver(): boolean {
    return this.heard !== undefined;
  }
}

/** Turns, a second each, until the client is cut, while mail flows. */
async function secondsUntil(ear: Ear, relay: HttpRelay, each: () => Promise<void>) {
  let seconds = 0;
  for (; seconds < 100 && !ear.isOver; seconds++) {
    await each();
    await settled();
    relay.clock.turn(SECOND);
    await settled();
    if (seconds % 10 === 0) assert.match(await relay.mail(), /^250 /);
  }
  return seconds;
}

/** The client may hear of it a turn later. */
function assertAbout(seconds: number, took: number): void {
  assert.ok(took === seconds || took === seconds + 1, `${took} seconds`);
}

const nothing = () => Promise.resolve();

Deno.test("H4 whoever says nothing is cut after ten seconds, and hears nothing", async () => {
  await using relay = await HttpRelay.start();
  await leavesNothing(relay, async () => {
    using client = await Client.connect(relay.httpPort);
    const ear = new Ear(client);
    assertAbout(10, await secondsUntil(ear, relay, nothing));
    assert.equal(await ear.over, "");
  });
});

Deno.test("H4 an octet a second earns nobody more time for the head", async () => {
  await using relay = await HttpRelay.start();
  await leavesNothing(relay, async () => {
    using client = await Client.connect(relay.httpPort);
    const ear = new Ear(client);
    const octets = requestFor("/healthz", { headers: { A: "x".repeat(200) } });
    let sent = 0;
    const trickle = () => client.send(octets[sent++]).catch(() => {});
    assertAbout(10, await secondsUntil(ear, relay, trickle));
    assert.equal(await ear.over, "");
  });
});

Deno.test("H4 a head without end is 431, however it comes", async () => {
  await using relay = await HttpRelay.start();
  const endless = `GET / HTTP/1.1\r\n${"A: b\r\n".repeat(5_000)}`;
  for (const octets of ["x".repeat(40_000), endless, `GET /${"a".repeat(40_000)}`]) {
    await leavesNothing(relay, async () => {
      using client = await Client.connect(relay.httpPort);
      const ear = new Ear(client);
      for (let at = 0; at < octets.length; at += 5_000) {
        await client.send(octets.slice(at, at + 5_000)).catch(() => {});
      }
      await client.closeWrite().catch(() => {});
      assert.equal(answerIn(await ear.over).status, 431);
    });
  }
});

Deno.test("H4 a head that never ends is answered, and then cut a second later", async () => {
  await using relay = await HttpRelay.start();
  await leavesNothing(relay, async () => {
    using client = await Client.connect(relay.httpPort);
    const ear = new Ear(client);
    await client.send("x".repeat(16 * 1024));
    const more = () => client.send("x".repeat(1_000)).catch(() => {});
    assert.ok(await secondsUntil(ear, relay, more) <= 2);
    assert.ok(ear.heard === "" || answerIn(ear.heard!).status === 431);
  });
});

Deno.test("H4 heads of thousands of fields are refused, and cost mail no time", async () => {
  await using relay = await HttpRelay.start();
  let fields = "";
  for (let i = 0; fields.length < 16_000; i++) fields += `${i.toString(36)}:\r\n`;
  await leavesNothing(relay, async () => {
    const request = `GET /livez HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`;
    const asked = Array.from({ length: 8 }, async () => {
      using client = await Client.connect(relay.httpPort);
      await client.send(request);
      return answerIn(await client.rest()).status;
    });
    assert.match(await relay.mail(), /^250 /);
    assert.deepEqual(await Promise.all(asked), Array(8).fill(431));
  });
});

for (const how of ["not at all", "an octet a second"]) {
  Deno.test(`H4 a body that comes ${how} is cut after half a minute, and does nothing`, async () => {
    await using relay = await HttpRelay.start(AUDITED);
    await leavesNothing(relay, async () => {
      using client = await Client.connect(relay.httpPort);
      const ear = new Ear(client);
      const body = '{"on":false}' + " ".repeat(99);
      const request = requestFor("/api/audit", { method: "PUT", body });
      const head = request.indexOf("\r\n\r\n") + 4;
      await client.send(request.slice(0, head));
      let sent = head;
      const trickle = () => client.send(request[sent++]).catch(() => {});
      const each = how === "not at all" ? nothing : trickle;
      assertAbout(30, await secondsUntil(ear, relay, each));
      assert.equal(await ear.over, "");
      assert.equal(relay.relay.auditLog.on, true);
    });
  });
}

/** A network that tells how much waits to be written, to clients that do not read. */
class WatchedNet implements Net {
  /** Writes that have not come to their end. */
  stuck = 0;

  listen(endpoint: Parameters<Net["listen"]>[0]) {
    const listener = realNet.listen(endpoint);
    return {
      addr: listener.addr,
      close: () => listener.close(),
      accept: async () => this.#watch(await listener.accept()),
    };
  }

  #watch(connection: Connection): Connection {
    return {
      remoteAddr: connection.remoteAddr,
      read: (buffer) => connection.read(buffer),
      closeWrite: () => connection.closeWrite(),
      close: () => connection.close(),
      write: async (octets) => {
        this.stuck++;
        try {
          return await connection.write(octets);
        } finally {
          this.stuck--;
        }
      },
    };
  }
}

Deno.test("H4 whoever never reads a response without end is cut after half a minute", async () => {
  const net = new WatchedNet();
  await using relay = await HttpRelay.start({ ...AUDITED, world: { net } });
  const { auditLog } = relay.relay;
  await leavesNothing(relay, async () => {
    using deaf = await Client.connect(relay.httpPort);
    await deaf.send(requestFor("/healthz"));
    const text = "x".repeat(1_000);
    // Until a piece of it is sent no more.
    for (let still = 0; still < 20; still = net.stuck === 1 ? still + 1 : 0) {
      for (let i = 0; i < 200; i++) auditLog.line(1, "C", text);
      relay.clock.turn(25);
      await settled();
    }
    relay.clock.turn(29 * SECOND);
    await settled();
    assert.equal(net.stuck, 1);
    assert.match(await relay.mail(), /^250 /);
    relay.clock.turn(SECOND);
    while (net.stuck > 0) await settled();
    relay.clock.turn(SECOND);
    // What had been sent ends somewhere in the middle, or in a reset.
    const heard = await new Ear(deaf).over;
    assert.ok(!heard.endsWith("\r\n0\r\n\r\n"));
  });
  // Its place is free: sixteen others find one.
  const others = [];
  for (let i = 0; i < 16; i++) {
    const other = await Client.connect(relay.httpPort);
    others.push(other);
    await other.send(requestFor("/healthz"));
    let heard = "";
    while (!heard.includes("OK\n")) heard += await other.some();
    relay.clock.turn(25);
    assert.ok(!heard.endsWith("0\r\n\r\n"));
  }
  auditLog.line(1, "C", "heard by all");
  for (const other of others) {
    let heard = "";
    while (!heard.includes("heard by all")) {
      await settled();
      relay.clock.turn(25);
      heard += await other.some();
      assert.notEqual(heard, "");
    }
    other.close();
  }
});

Deno.test("H4 whoever never reads a response with an end leaves nothing either", async () => {
  await using relay = await HttpRelay.start();
  await leavesNothing(relay, async () => {
    const clients: Client[] = [];
    for (let i = 0; i < 20; i++) {
      const client = await Client.connect(relay.httpPort);
      clients.push(client);
      await client.send(requestFor("/metrics/prometheus"));
    }
    assert.match(await relay.mail(), /^250 /);
    await settled();
    relay.clock.turn(40 * SECOND);
    await settled();
    for (const client of clients) client.close();
  });
});
