/** R4: commands that bring no message nearer end with 421 after a limit. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { TestServer } from "../fakes/server.ts";
import { Driver } from "../fakes/driver.ts";

for (const command of ["NOOP", "RSET", "HELP", "VRFY x", "EHLO x", "DATA", "MAIL nonsense"]) {
  Deno.test(`R4 ${command} without end: 421 4.7.0 after a hundred`, () => {
    const driver = new Driver();
    driver.open();
    let count = 0;
    let said = "";
    while (driver.session.state.at !== "closed" && count < 1000) {
      said = driver.send(command + "\r\n");
      count++;
    }
    assert.equal(said, "421 4.7.0 Too many commands that send no mail\r\n");
    assert.equal(count, 101);
  });
}

Deno.test("R4 empty chunks without end: 421", () => {
  const driver = new Driver().ready();
  let count = 0;
  while (driver.session.state.at !== "closed" && count < 1000) {
    driver.send("BDAT 0\r\n");
    count++;
  }
  assert.ok(count <= 101, `${count}`);
});

Deno.test("R4 refused recipients do not count as idle: the message of the good one is taken", () => {
  const driver = new Driver().ready();
  for (let i = 0; i < 150; i++) driver.send("RCPT TO:<nonsense>\r\n");
  driver.send("DATA\r\n");
  assert.match(driver.send(".\r\n"), /^250/);
});

Deno.test("R4 sessions that send mail may go on for ever", () => {
  const driver = new Driver();
  driver.open();
  driver.send("EHLO x\r\n");
  for (let i = 0; i < 500; i++) {
    assert.match(driver.send("NOOP\r\n"), /^250/);
    assert.match(driver.send("RSET\r\n"), /^250/);
    driver.send("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n");
    driver.send("DATA\r\n");
    assert.match(driver.send(".\r\n"), /^250/);
  }
});

Deno.test("R4 a pipelined flood hears its 421, and the others are served", async () => {
  await using server = new TestServer();
  using flood = await Client.greeted(server.port);
  await flood.ask("EHLO x");
  await flood.send("NOOP\r\n".repeat(20_000)).catch(() => {});
  using other = await Client.greeted(server.port);
  assert.equal(await other.ask("NOOP"), "250 2.0.0 OK");
  const said = await flood.rest();
  assert.ok(said.endsWith("421 4.7.0 Too many commands that send no mail\r\n"), said.slice(-200));
});
