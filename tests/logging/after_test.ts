/** B26: what a client says once a message is over is not told as of that message. */

import assert from "node:assert/strict";
import * as replies from "../../src/smtp/replies.ts";
import { TestServer } from "../fakes/server.ts";

/** Ways in which a message ends: what is said, and how that is answered. */
const ENDINGS: Record<string, readonly (readonly [said: string, answer: RegExp])[]> = {
  "taken": [["DATA", /^354 /], ["Subject: x\r\n\r\n.", /^250 /]],
  "refused once it was there": [["DATA", /^354 /], ["Subject: no\r\n\r\n.", /^554 /]],
  "refused by what is in it": [["DATA", /^354 /], ["Subject: x\nbare\r\n\r\n.", /^550 /]],
  "too large": [["DATA", /^354 /], [`Subject: ${"x".repeat(2000)}\r\n\r\n.`, /^552 /]],
  "taken in one chunk": [["BDAT 3 LAST\r\nx", /^250 /]],
  "refused as a chunk": [["BDAT 3000 LAST\r\n" + "x".repeat(2998), /^552 /]],
  "given up": [["RSET", /^250 /]],
  "begun anew": [["EHLO client.example", /^250/]],
};

for (const [ending, lines] of Object.entries(ENDINGS)) {
  Deno.test(`B26 what comes behind a message that was ${ending} has nothing to do with it`, async () => {
    await using server = new TestServer({
      maxSize: 1000,
      handler: ({ content }) =>
        new TextDecoder().decode(content.chunks[0]).includes("no")
          ? replies.tooManyHops(1)
          : replies.accepted("x"),
    });
    using client = await server.connect();
    await client.reply();
    for (const line of ["EHLO client.example", "MAIL FROM:<a@example.com>"]) await client.ask(line);
    assert.match(await client.ask("WHILE"), /^500 /);
    await client.ask("RCPT TO:<b@example.net>");
    for (const [said, answer] of lines) assert.match(await client.ask(said), answer);
    for (const line of ["AFTER", "MAIL FROM:<wrong>", "DATA"]) {
      assert.match(await client.ask(line), /^50[013] /, line);
    }
    const ids = Object.fromEntries(
      server.logged.filter(({ event }) => event === "refused").map((
        { fields },
      ) => [fields.what, fields.id]),
    );
    const [begins] = server.logged.filter(({ event }) => event === "message begins");
    assert.equal(ids["WHILE"], begins.fields.id);
    for (const what of ["AFTER", "MAIL FROM:<wrong>", "DATA"]) {
      assert.ok(what in ids, what);
      assert.equal(ids[what], undefined, what);
    }
  });
}
