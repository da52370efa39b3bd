/** B26: what goes wrong with a message is told with its id, and with whose session it was. */

import assert from "node:assert/strict";
import type { ServerOptions } from "../../src/inbound/options.ts";
import { Client } from "../fakes/client.ts";
import { type Logged, TestServer } from "../fakes/server.ts";

const breaks = (): never => {
  throw new TypeError("broken");
};

/** Where a fault of ours can be, once a message has begun. */
const FAULTS: Record<string, Partial<ServerOptions>> = {
  "a check of the sender": { checks: { sender: breaks } },
  "a check of the sender that takes time": {
    checks: { sender: () => Promise.reject(new TypeError("broken")) },
  },
  "a check of a recipient": { checks: { recipient: breaks } },
  "a check of the content": { checks: { content: breaks } },
  "what takes the message": { handler: breaks },
  "whoever follows the session": {
    audit: {
      wants: { lines: true, content: false },
      line: (_, side, text) => void (side === "C" && text.startsWith("RCPT") && breaks()),
    },
  },
};

/** A message, as far as it comes. */
async function mail(client: Client): Promise<void> {
  await client.reply();
  for (
    const line of [
      "EHLO client.example",
      "MAIL FROM:<a@example.com>",
      "RCPT TO:<b@example.net>",
      "DATA",
      "Subject: x\r\n\r\n.",
    ]
  ) {
    const answer = await client.ask(line);
    if (!/^[23]/.test(answer)) return;
  }
}

for (const [what, options] of Object.entries(FAULTS)) {
  Deno.test(`B26 a fault is told with the message it was met with: ${what}`, async () => {
    const logged: Logged[] = [];
    {
      await using server = new TestServer(options);
      using client = await server.connect();
      await mail(client);
      logged.push(...server.logged);
    }
    const [begins] = logged.filter(({ event }) => event === "message begins");
    const faults = logged.filter(({ level }) => level === "error");
    assert.ok(faults.length > 0, JSON.stringify(logged));
    for (const { event, fields } of faults) {
      assert.match(String(fields.error), /TypeError: broken/, event);
      assert.equal(fields.id, begins.fields.id, event);
      assert.equal(fields.session, begins.fields.session, event);
    }
  });
}
