/** R3: recipients without end get 452 4.5.3, then 421. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { TestServer } from "../fakes/server.ts";
import { Driver } from "../fakes/driver.ts";

Deno.test("R3 recipients beyond the limit get 452, and the message goes to the others", async () => {
  await using server = new TestServer({ maxRecipients: 3 });
  using client = await Client.greeted(server.port);
  await client.ask("EHLO x");
  await client.ask("MAIL FROM:<a@example.com>");
  for (let i = 0; i < 10; i++) {
    const said = await client.ask(`RCPT TO:<b${i}@example.net>`);
    assert.match(said, i < 3 ? /^250 2\.1\.5/ : /^452 4\.5\.3 .* limit is 3/);
  }
  await client.ask("DATA");
  await client.send("Subject: x\r\n\r\n.\r\n");
  assert.match(await client.reply(), /^250/);
  assert.equal(server.messages[0].recipients.length, 3);
});

for (
  const [what, rcpt] of [
    ["new ones", (i: number) => `RCPT TO:<b${i}@example.net>\r\n`],
    ["refused ones", () => "RCPT TO:<ø@example.net>\r\n"],
    ["the same one again", () => "RCPT TO:<b@example.net>\r\n"],
  ] as const
) {
  Deno.test(`R3 recipients without end (${what}) end with 421`, () => {
    const driver = new Driver({ maxRecipients: 100 });
    driver.open();
    driver.send("EHLO x\r\n");
    driver.send("MAIL FROM:<a@example.com>\r\n");
    let said = "";
    let count = 0;
    while (driver.session.state.at !== "closed" && count < 5000) {
      said = driver.send(rcpt(count));
      count++;
    }
    assert.equal(said, "421 4.7.0 Far too many recipients\r\n");
    assert.ok(count >= 1000 && count <= 1101, `${count}`);
  });
}
