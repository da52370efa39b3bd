/** Connections that fail before they are ours: which are a reason to wait, and which are not. */

import assert from "node:assert/strict";
import { net } from "../../src/deno/net.ts";
import type { Net } from "../../src/ports.ts";
import { Client } from "../fakes/client.ts";
import { runToEnd } from "../fakes/daemon.ts";
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
