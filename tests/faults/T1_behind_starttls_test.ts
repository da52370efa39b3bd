/**
 * T1: text behind STARTTLS may be of somebody who stands between. None of it counts, and
 * nothing that was said before the handshake.
 */

import assert from "node:assert/strict";
import { certified, sourceOf } from "../fakes/certificate.ts";
import { Client } from "../fakes/client.ts";
import { Driver } from "../fakes/driver.ts";
import { TestServer } from "../fakes/server.ts";
import { settled } from "../fakes/settled.ts";

const STARTTLS = "STARTTLS\r\n";
const READY = "220 2.0.0 Ready to start TLS\r\n";
const EVIL = "MAIL FROM:<evil@example.com>\r\nRCPT TO:<evil@example.net>\r\n";
const INJECTED: Record<string, string> = {
  "a sender": `EHLO evil.example\r\n${EVIL}`,
  "a message": `EHLO evil.example\r\n${EVIL}DATA\r\nSubject: evil\r\n\r\nevil\r\n.\r\n`,
  "the first half of a command": "EHLO evil.examp",
  "commands that end the session": "QUIT\r\nGET / HTTP/1.1\r\n\r\n",
  "another STARTTLS": "STARTTLS\r\nSTARTTLS\r\n",
};
const BEFORE = ["EHLO before.example", "MAIL FROM:<before@example.com>", "RCPT TO:<b@example.net>"];
const SMTP_REPLY = /^\d{3}[ -]/m;

/** What must be answered over TLS, as if nothing had been said before. */
const BEHIND: [string, RegExp][] = [
  ["RCPT TO:<b@example.net>", /^503 5\.5\.1 Send MAIL FROM first$/],
  ["MAIL FROM:<a@example.com>", /^503 5\.5\.1 Send HELO or EHLO first$/],
  ["EHLO behind.example", /^250-localhost greets behind\.example\n/],
  ["DATA", /^503 5\.5\.1 Send MAIL FROM first$/],
  ["MAIL FROM:<a@example.com>", /^250 2\.1\.0 Sender <a@example\.com> OK$/],
  ["RCPT TO:<b@example.net>", /^250 /],
  ["DATA", /^354 /],
  ["Subject: behind\r\n\r\n.", /^250 2\.0\.0 Message accepted/],
  ["QUIT", /^221 /],
];

for (const [what, injected] of Object.entries(INJECTED)) {
  Deno.test(`T1 the session forgets ${what} behind STARTTLS, wherever it is cut`, () => {
    const octets = STARTTLS + injected;
    for (let place = 0; place <= octets.length; place++) {
      const driver = new Driver({ startTls: true });
      driver.open();
      for (const line of BEFORE) driver.send(`${line}\r\n`);
      const said = driver.send(octets.slice(0, place)) + driver.send(octets.slice(place));
      assert.equal(said, READY, `cut at ${place}`);
      driver.session.tell({ kind: "secured", tls: { version: "TLSv1.3", cipher: "x" } });
      for (const [line, reply] of BEHIND) {
        assert.match(driver.send(`${line}\r\n`).trimEnd().replaceAll("\r\n", "\n"), reply);
      }
      assert.deepEqual(driver.messages.map(({ from }) => from), ["a@example.com"]);
    }
  });
}

/** Says what comes before, and then these octets. */
async function inject(port: number, octets: string): Promise<Client> {
  const client = await Client.greeted(port);
  for (const line of BEFORE) assert.match(await client.ask(line), /^250/);
  await client.send(octets);
  return client;
}

for (const [what, injected] of Object.entries(INJECTED)) {
  Deno.test(`T1 ${what} in the segment that ends STARTTLS has no effect`, async () => {
    const { ca, pair } = await certified();
    await using server = new TestServer({ tls: sourceOf(pair) });
    for (let place = 0; place < STARTTLS.length; place++) {
      using client = await inject(server.port, STARTTLS.slice(0, place));
      await settled();
      await client.send(STARTTLS.slice(place) + injected);
      assert.equal(await client.reply(), READY.trimEnd());
      await client.startTls(ca);
      for (const [line, reply] of BEHIND) assert.match(await client.ask(line), reply);
      assert.equal(await client.rest(), "");
    }
    assert.equal(server.messages.length, STARTTLS.length);
    for (const { sender, client: { helo, tls } } of server.messages) {
      assert.equal(sender.mailbox?.local, "a");
      assert.equal(helo, "behind.example");
      assert.equal(tls?.version, "TLSv1.3");
    }
  });
}

Deno.test("T1 what of it comes behind the 220 is no handshake: closed without an SMTP reply", async () => {
  const { pair } = await certified();
  await using server = new TestServer({ tls: sourceOf(pair) });
  const injected = INJECTED["a message"];
  for (let place = 0; place < injected.length; place += 7) {
    using client = await inject(server.port, STARTTLS + injected.slice(0, place));
    assert.equal(await client.reply(), READY.trimEnd());
    await client.send(injected.slice(place));
    assert.doesNotMatch(await client.rest().catch(() => ""), SMTP_REPLY, `cut at ${place}`);
  }
  assert.equal(server.messages.length, 0);
});
