/** Connections that fail before they are ours: which are a reason to wait, and which are not. */

import assert from "node:assert/strict";
import { net } from "../../src/deno/net.ts";
import { acceptAll } from "../../src/listening/acceptor.ts";
import type { Connection, Listener, Net } from "../../src/ports.ts";
import { Client } from "../fakes/client.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { runToEnd } from "../fakes/daemon.ts";
import { turn } from "../fakes/journal.ts";
import { TestServer } from "../fakes/server.ts";
import { testWith } from "../fakes/tools.ts";

/** Its `accept` fails so often, before it accepts. */
function failing(times: number, error: Error): Net {
  return {
    listen(endpoint) {
      const listener = net.listen(endpoint);
      return {
        addr: listener.addr,
        close: () => listener.close(),
        accept: () => times-- > 0 ? Promise.reject(error) : listener.accept(),
      };
    },
  };
}

for (const name of ["ConnectionAborted", "ConnectionReset", "NotConnected"] as const) {
  Deno.test(`a client that is gone before it is accepted keeps nobody waiting: ${name}`, async () => {
    const error = new Deno.errors[name]("gone");
    await using server = new TestServer({}, { net: failing(5, error) });
    using client = await server.connect();
    assert.match(await client.reply(), /^220 /);
    assert.deepEqual(server.told, []);
  });
}

/** Its `accept` does as it is told. */
function toldWhat() {
  const accepts: PromiseWithResolvers<Connection>[] = [];
  const listener: Listener = {
    addr: { hostname: "127.0.0.1", port: 25 },
    close() {},
    accept() {
      accepts.push(Promise.withResolvers());
      return accepts.at(-1)!.promise;
    },
  };
  return { accepts, listener };
}

Deno.test("that a listener is well again is told once it waits, though nobody comes", async () => {
  const clock = new TurnedClock();
  const { accepts, listener } = toldWhat();
  const said: string[] = [];
  const taken: Connection[] = [];
  let over = false;
  const done = acceptAll(listener, (connection) => taken.push(connection), {
    clock,
    log: (_level, event) => said.push(event),
    isOver: () => over,
    troubled: (trouble) => said.push(trouble ?? "well"),
  });
  const fails = async () => {
    accepts.at(-1)!.reject(new Error("too many"));
    await turn();
  };
  const trouble = ["cannot accept connections", "cannot accept connections: Error: too many"];
  await fails();
  assert.deepEqual([accepts.length, said], [1, trouble]);
  clock.turn(20);
  await turn();
  await fails();
  clock.turn(39);
  await turn();
  assert.equal(accepts.length, 2, "it waits longer");
  // What was waited for before says nothing of the next.
  clock.turn(1);
  await turn();
  clock.turn(99);
  await turn();
  assert.deepEqual([accepts.length, said], [3, trouble]);
  clock.turn(1);
  assert.deepEqual(said, [...trouble, "accepting connections again", "well"]);
  const connection = {} as Connection;
  accepts.at(-1)!.resolve(connection);
  await turn();
  assert.deepEqual([taken, said.length], [[connection], 4]);
  await fails();
  assert.deepEqual(said.slice(4), trouble);
  over = true;
  clock.turn(20);
  await done;
});

testWith(
  "python3",
  "clients that reset before they are accepted keep nobody waiting",
  async (python) => {
    // They are in the queue before anyone accepts.
    const listener = net.listen({ hostname: "127.0.0.1", port: 0 });
    const script = `
import socket, struct, sys
for _ in range(5):
    client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
`;
    const { code, stderr } = await runToEnd([python, "-c", script, String(listener.addr.port)]);
    assert.equal(code, 0, stderr);
    using client = await Client.connect(listener.addr.port);
    await using server = new TestServer({}, { net: { listen: () => listener } });
    assert.match(await client.reply(), /^220 /);
    assert.deepEqual(server.told, []);
  },
);
