/** R5: a client that does not read is not read from either, and is let go in time. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { TestServer } from "../fakes/server.ts";
import { settled } from "../fakes/settled.ts";
import { net } from "../../src/deno/net.ts";
import type { Connection, Endpoint, Listener, Net } from "../../src/ports.ts";

/** A network whose connections can be made to write as a full socket does: for ever. */
class CloggedNet implements Net {
  reads = 0;
  clogged = false;
  readonly #closed = Promise.withResolvers<number>();

  constructor() {
    this.#closed.promise.catch(() => {});
  }

  listen(endpoint: Endpoint): Listener {
    const listener = net.listen(endpoint);
    return {
      addr: listener.addr,
      close: () => listener.close(),
      accept: async () => this.#wrap(await listener.accept()),
    };
  }

  #wrap(connection: Connection): Connection {
    return {
      remoteAddr: connection.remoteAddr,
      read: (buffer) => {
        this.reads++;
        return connection.read(buffer);
      },
      write: (octets) => this.clogged ? this.#closed.promise : connection.write(octets),
      closeWrite: () => connection.closeWrite(),
      close: () => {
        connection.close();
        this.#closed.reject(new Error("closed"));
      },
    };
  }
}

Deno.test("R5 nothing is read while a reply cannot be sent; then the connection is closed", async () => {
  const clock = new TurnedClock();
  const net = new CloggedNet();
  await using server = new TestServer({}, { clock, net });
  using client = await Client.greeted(server.port);
  await client.ask("EHLO x");
  net.clogged = true;
  const { reads } = net;
  for (let i = 0; i < 20; i++) {
    await client.send("NOOP\r\n");
    await settled();
  }
  // The read that was outstanding is over; no other was begun.
  assert.equal(net.reads, reads);
  assert.equal(server.server.activeClients, 1);
  clock.turn(15 * 60_000 + 1);
  assert.equal(await client.rest().catch(() => ""), "");
  assert.equal(server.server.activeClients, 0);
});

Deno.test("R5 a client that pipelines and never reads stops a real socket, not the server", async () => {
  await using server = new TestServer();
  using deaf = await Client.greeted(server.port);
  await deaf.ask("EHLO x");
  // Accepted messages are not counted as idle: this could go on for ever.
  const message = "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nBDAT 2 LAST\r\n\r\n";
  const flood = new TextEncoder().encode(message.repeat(1000));
  let sent = 0;
  const sending = (async () => {
    for (; sent < 2000; sent++) await deaf.send(flood);
  })().catch(() => {});
  let before = -1;
  // Back-pressure: the messages taken come to a stop long before all are sent.
  while (server.messages.length !== before) {
    before = server.messages.length;
    for (let i = 0; i < 50; i++) {
      using other = await Client.greeted(server.port);
      assert.equal(await other.ask("NOOP"), "250 2.0.0 OK");
    }
  }
  assert.ok(sent < 2000, `${sent} floods were taken`);
  deaf.close();
  await sending;
});
