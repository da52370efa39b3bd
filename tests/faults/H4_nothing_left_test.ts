/** H4: however clients of HTTP go, nothing of them is left, and nobody is told of it. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { requestFor } from "../fakes/http.ts";
import { HttpRelay, leavesNothing } from "../fakes/http_relay.ts";
import { settled } from "../fakes/settled.ts";

const ENDINGS: Record<string, (client: Client) => Promise<unknown>> = {
  "at once": () => Promise.resolve(),
  "in the head": (client) => client.send("GET /healthz HTT"),
  "in a body": (client) => client.send("PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"),
  "before the response": (client) => client.send(requestFor("/readyz")),
  "before the stream": (client) => client.send(requestFor("/healthz")),
  "in the stream": async (client) => {
    await client.send(requestFor("/healthz"));
    await client.some();
  },
  "with half a close": async (client) => {
    await client.send(requestFor("/healthz"));
    await client.closeWrite();
  },
  "with what is no HTTP": (client) => client.send(crypto.getRandomValues(new Uint8Array(5_000))),
  "with TLS": (client) => client.send("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"),
  "with mail": (client) => client.send("EHLO x\r\nMAIL FROM:<a@example.com>\r\n\r\n"),
  "with many requests": (client) => client.send(requestFor("/livez").repeat(100)),
};

for (const [how, talk] of Object.entries(ENDINGS)) {
  Deno.test(`H4 nothing is left of clients that go ${how}`, async () => {
    await using relay = await HttpRelay.start({ settings: { SMTP_DEBUG: "true" } });
    await leavesNothing(relay, async () => {
      for (let i = 0; i < 20; i++) {
        using client = await Client.connect(relay.httpPort);
        await talk(client).catch(() => {});
      }
      await settled();
      relay.clock.turn(25);
      await settled();
    });
    assert.deepEqual(relay.told("could not serve a page"), []);
  });
}
