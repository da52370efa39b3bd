/** P7: NUL and 8-bit octets in commands are refused, and the session lives. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { TestServer } from "../fakes/server.ts";

const octets = (...all: (string | number)[]) =>
  new Uint8Array(
    all.flatMap((each) => typeof each === "number" ? [each] : [...new TextEncoder().encode(each)]),
  );

Deno.test("P7 NUL, 8-bit verbs and addresses: 500 or 501, and the session lives", async () => {
  await using server = new TestServer({ maxUnknownCommands: 100 });
  using client = await Client.greeted(server.port);
  await client.ask("EHLO x");
  for (
    const [line, code] of [
      [octets(0, "NOOP"), "500 5.5.2"],
      [octets("NO", 0, "OP"), "500 5.5.2"],
      [octets("NOOP", 0), "500 5.5.2"],
      [octets("NOOP \x1b[2J"), "500 5.5.2"],
      [octets("NOOP a", 13, "b"), "500 5.5.2"],
      [octets(0xff, 0xfe), "500 5.5.1"],
      [octets("NÖÖP"), "500 5.5.1"],
      [octets(0xe2, 0x84, 0xaa, "ELO x"), "500 5.5.1"],
      [octets("MAıL FROM:<a@example.com>"), "500 5.5.1"],
      [octets("RſET"), "500 5.5.1"],
      [octets(0xef, 0xbb, 0xbf, "NOOP"), "500 5.5.1"],
      [octets("RSET \u00a0\ufeff"), "501 5.5.4"],
      [octets("MAIL FROM:\u3000<a@example.com>"), "501 5.1.7"],
      [octets("MAIL FROM:<a@example.com> ſIZE=5"), "555 5.5.4"],
      [octets("MAIL FROM:<a@example.com> BODY=8BıTMIME"), "501 5.5.4"],
      [octets("EHLO ", 0xf6), "501 5.5.4"],
      [octets("EHLO ö.example"), "501 5.5.4"],
      [octets("MAIL FROM:<", 0xf6, "@example.com>"), "501 5.1.7"],
      [octets("MAIL FROM:<a", 0xc0, 0x80, "@example.com>"), "501 5.1.7"],
    ] as const
  ) {
    await client.send(line);
    await client.send("\r\n");
    const said = await client.reply();
    assert.ok(said.startsWith(code), `${JSON.stringify(new TextDecoder().decode(line))}: ${said}`);
  }
  assert.equal(
    await client.ask("MAIL FROM:<a@example.com>"),
    "250 2.1.0 Sender <a@example.com> OK",
  );
});
