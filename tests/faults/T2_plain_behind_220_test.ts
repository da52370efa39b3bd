/** T2: who talks in plain text where a handshake must be is no client to talk on with. */

import assert from "node:assert/strict";
import { certified, sourceOf } from "../fakes/certificate.ts";
import { Client } from "../fakes/client.ts";
import { TestServer } from "../fakes/server.ts";

/** Full records that go on with a handshake message of the greatest length there is. */
function endless(records: number): Uint8Array {
  const record = new Uint8Array(5 + 16384);
  record.set([0x16, 3, 1, 0x40, 0]);
  const octets = new Uint8Array(records * record.length);
  for (let i = 0; i < records; i++) octets.set(record, i * record.length);
  octets.set([1, 0xff, 0xff, 0xff, 3, 3], 5);
  return octets;
}

const TALK: Record<string, string | Uint8Array> = {
  "a command": "EHLO x\r\n",
  "a whole message": "EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n" +
    "Subject: x\r\n\r\nx\r\n.\r\nQUIT\r\n",
  "a lone CR LF": "\r\n",
  "NULs": new Uint8Array(100),
  "a request": "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "a megabyte without an end": new Uint8Array(1024 * 1024).fill(120),
  "a record of no kind": Uint8Array.of(0x17, 3, 3, 0, 5, 1, 2, 3, 4, 5),
  "a hello of sixteen megabytes": endless(64),
  "a hello that is no hello": Uint8Array.of(0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0xff),
};

for (const [what, octets] of Object.entries(TALK)) {
  Deno.test(`T2 ${what} in place of a handshake: closed, without an SMTP reply`, async () => {
    const { ca, pair } = await certified();
    await using server = new TestServer({ tls: sourceOf(pair), tlsPort: 0 });
    const { port: tlsPort } = server.server.tlsAddresses[0];
    for (const port of [server.port, tlsPort]) {
      using client = await Client.connect(port);
      if (port === server.port) {
        await client.reply();
        await client.ask("EHLO x");
        assert.match(await client.ask("STARTTLS"), /^220 /);
      }
      // The server may close before all is sent.
      await client.send(octets).catch(() => {});
      assert.doesNotMatch(await client.rest().catch(() => ""), /\d{3}[ -]/);
    }
    const told = server.logged.filter(({ event }) => event === "no TLS with client");
    assert.equal(told.length, 2);
    assert.equal(told[0].fields.client, "127.0.0.1");
    assert.equal(server.messages.length, 0);
    using next = await Client.overTls(tlsPort, ca);
    assert.match(await next.reply(), /^220 /);
    assert.equal(server.server.activeClients, 1);
  });
}
