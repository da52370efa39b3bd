/** P1: whatever might look like the end of a message, there is one message or a refusal. */

import assert from "node:assert/strict";
import { Driver } from "../fakes/driver.ts";

const NEWLINES = ["\r\n", "\n", "\r", "\r\r\n", "\n\r", "\r\0\n", ""];
const SMUGGLED = "MAIL FROM:<mallory@example.com>\r\nRCPT TO:<c@example.net>\r\nDATA\r\n" +
  "Subject: smuggled\r\n\r\nsmuggled\r\n.\r\nQUIT\r\n";

for (const bareNewline of ["reject", "normalize"] as const) {
  for (const before of NEWLINES) {
    for (const behind of NEWLINES) {
      if (before === "\r\n" && behind === "\r\n") continue;
      const name = JSON.stringify(`${before}.${behind}`);
      Deno.test(`P1 ${name} does not end a message (${bareNewline})`, () => {
        const wire = `Subject: x\r\n\r\nbody${before}.${behind}${SMUGGLED}`;
        for (let cut = 0; cut <= "Subject: x\r\n\r\nbody".length + 12; cut++) {
          const driver = new Driver({ bareNewline }).ready();
          driver.send("DATA\r\n");
          const said = driver.send(wire.slice(0, cut)) + driver.send(wire.slice(cut));
          const senders = driver.messages.map(({ from }) => from);
          const context = `cut at ${cut}: ${said}`;
          assert.ok(!senders.includes("mallory@example.com"), context);
          assert.ok(senders.length === 1 || /^55[0-9] /.test(said), context);
          for (const { content } of driver.messages) assert.ok(isSound(content), context);
        }
      });
    }
  }

  Deno.test(`P1 a lone dot between bare newlines is told at once (${bareNewline})`, () => {
    for (const end of ["\n.\n", "\n.\r\n", "\r.\r\n", "\r\n.\n", "\r\n.\rx"]) {
      const driver = new Driver({ bareNewline }).ready();
      driver.send("DATA\r\n");
      assert.match(
        driver.send(`Subject: x\r\n\r\nbody${end}`),
        /^554 5\.5\.2 /,
        JSON.stringify(end),
      );
      assert.equal(driver.session.state.at, "closed");
    }
  });

  Deno.test(`P1 the same endings in BDAT end nothing (${bareNewline})`, () => {
    for (const end of ["\n.\n", "\n.\r\n", "\r\n.\r\n", "\r.\r"]) {
      const body = `Subject: x\r\n\r\nbody${end}${SMUGGLED}`;
      const driver = new Driver({ bareNewline }).ready();
      const said = driver.send(`BDAT ${body.length} LAST\r\n${body}`);
      assert.ok(driver.messages.length === 1 || /^550 5\.5\.2 /.test(said), said);
      for (const { content, from } of driver.messages) {
        assert.equal(from, "a@example.com");
        assert.ok(isSound(content));
      }
    }
  });
}

/** P2 begins here: what is kept has no bare CR or LF that could be sent on. */
function isSound(content: string): boolean {
  return !/\r(?!\n)|(?<!\r)\n/.test(content);
}
