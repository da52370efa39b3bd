/** P5: whatever the order of commands, the replies are those of a simple model. */

import fc from "fast-check";
import assert from "node:assert/strict";
import { Driver } from "../fakes/driver.ts";

const COMMANDS = {
  EHLO: "EHLO x\r\n",
  HELO: "HELO x\r\n",
  MAIL: "MAIL FROM:<a@example.com>\r\n",
  RCPT: "RCPT TO:<b@example.net>\r\n",
  "RCPT refused": "RCPT TO:<not an address>\r\n",
  "RCPT beyond ASCII": "RCPT TO:<ø@example.net>\r\n",
  DATA: "DATA\r\n",
  "BDAT LAST": "BDAT 3 LAST\r\nx\r\n",
  BDAT: "BDAT 3\r\nx\r\n",
  RSET: "RSET\r\n",
  NOOP: "NOOP\r\n",
  VRFY: "VRFY b\r\n",
};

/** What a server must know to answer, and no more. */
interface Model {
  helo: boolean;
  esmtp: boolean;
  mail: boolean;
  good: boolean;
  bad: boolean;
  chunks: boolean;
}

const fresh = { mail: false, good: false, bad: false, chunks: false };

function expected(model: Model, command: keyof typeof COMMANDS): string {
  const noRecipients = model.bad ? "554 5.5.1" : "503 5.5.1";
  switch (command) {
    case "EHLO":
    case "HELO":
      Object.assign(model, { ...fresh, helo: true, esmtp: command === "EHLO" });
      return "250";
    case "MAIL":
      if (!model.helo || model.mail) return "503 5.5.1";
      model.mail = true;
      return "250 2.1.0";
    case "RCPT":
      if (!model.mail || model.chunks) return "503 5.5.1";
      model.good = true;
      return "250 2.1.5";
    case "RCPT refused":
      if (model.mail) model.bad = true;
      return "501 5.1.3";
    case "RCPT beyond ASCII":
      if (!model.mail || model.chunks) return "503 5.5.1";
      model.bad = true;
      return "553 5.6.7";
    case "DATA":
      if (!model.mail || model.chunks) return "503 5.5.1";
      if (!model.good) return noRecipients;
      Object.assign(model, fresh);
      return "354";
    case "BDAT":
    case "BDAT LAST": {
      if (!model.esmtp) return "503 5.5.1";
      if (model.mail && model.good) {
        if (command === "BDAT") model.chunks = true;
        else Object.assign(model, fresh);
        return "250 2.0.0";
      }
      const refusal = model.mail ? noRecipients : "503 5.5.1";
      Object.assign(model, fresh);
      return refusal;
    }
    case "RSET":
      Object.assign(model, fresh);
      return "250 2.0.0";
    case "NOOP":
      return "250 2.0.0";
    case "VRFY":
      return "252 2.0.0";
  }
}

Deno.test("P5 commands in any order are answered as the model says", () => {
  const names = Object.keys(COMMANDS) as (keyof typeof COMMANDS)[];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...names), { maxLength: 40 }), (commands) => {
      const driver = new Driver({ maxSize: 1000 });
      driver.open();
      const model: Model = { helo: false, esmtp: false, ...fresh };
      for (const command of commands) {
        const start = expected(model, command);
        const said = driver.send(COMMANDS[command]);
        assert.ok(said.startsWith(start), `${command}: ${said} instead of ${start}`);
        if (!model.esmtp && command.startsWith("BDAT")) {
          assert.equal(driver.session.state.at, "closed");
          return;
        }
        if (start === "354") assert.match(driver.send("x\r\n.\r\n"), /^250 2\.0\.0/);
      }
    }),
    { numRuns: 500 },
  );
});
