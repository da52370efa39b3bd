/** What a message gets on its way into the store, and what is refused there. */

import assert from "node:assert/strict";
import { intake, type IntakeRules, roomCheck, type Sign } from "../src/intake.ts";
import { Meter } from "../src/meter.ts";
import { QueueLimitError, type Store, StoreError, StoreFullError } from "../src/ports/store.ts";
import { Client } from "./fakes/client.ts";
import { TestServer } from "./fakes/server.ts";
import { envelopeOf, TestStore, textOf } from "./fakes/store.ts";

const RULES: IntakeRules = {
  hostname: "relay.example",
  hideClient: false,
  state: "held",
  note: "not yet",
  minFree: 0,
};

/** Nobody has a key. */
const unsigned: Sign = () => Promise.resolve("");

const unheard = () => ({ log() {}, meter: new Meter() });

async function taken(
  text: string,
  rules: Partial<IntakeRules> = {},
  to = ["bob@example.net"],
  sign = unsigned,
) {
  await using test = await TestStore.open();
  const handler = intake(test.store, unheard(), () => ({ ...RULES, ...rules }), sign);
  const receivedAt = Date.UTC(2026, 10, 20, 12);
  const reply = await handler(envelopeOf({ id: "01id", text, to, receivedAt }));
  const [row] = await test.store.list({ limit: 1 });
  return {
    reply,
    row,
    text: row === undefined ? "" : await textOf(test.store.content(row.number)),
  };
}

const WHOLE =
  "Date: today\r\nMessage-ID: <a@b>\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n\r\nHi\r\n";

Deno.test("a message is kept with its trace in front, and otherwise as it came", async () => {
  const { reply, row, text } = await taken(WHOLE);
  assert.equal(reply.code, 250);
  assert.equal(
    text,
    "Received: from client ([127.0.0.1]) by relay.example (Dinopost) with ESMTP id\r\n" +
      " 01id for <bob@example.net>; Fri, 20 Nov 2026 12:00:00 +0000\r\n" + WHOLE,
  );
  assert.equal(row.subject, "grüße");
  assert.deepEqual([row.recipients[0].state, row.recipients[0].lastError], ["held", "not yet"]);
});

Deno.test("what a submitting client left out is added", async () => {
  const { text } = await taken("Subject: x\r\n\r\n");
  assert.match(text, /\r\nMessage-ID: <01id@relay\.example>\r\nDate: Fri, 20 Nov 2026 12:00:00/);
});

const ADDED = "Message-ID: <01id@relay.example>\r\nDate: Fri, 20 Nov 2026 12:00:00 +0000\r\n";
const MAILBOX_LINE = "From alice Fri Nov 20 12:00:00 2026\r\n";

for (
  const [what, given, kept] of [
    ["is no header", "Hello Bob\r\n\r\nyou?\r\n", `${ADDED}\r\nHello Bob\r\n\r\nyou?\r\n`],
    ["begins with a blank", " Hello\r\n", `${ADDED}\r\n Hello\r\n`],
    ["begins with an empty line", "\r\nHello\r\n", `${ADDED}\r\nHello\r\n`],
    ["goes on in mid-header", "To: Bob\r\nHello\r\n", `${ADDED}To: Bob\r\n\r\nHello\r\n`],
    ["lies behind a whole header", WHOLE, WHOLE],
    [
      "lies behind the line of an mbox",
      MAILBOX_LINE + WHOLE,
      `X-Mailbox-Line: ${MAILBOX_LINE}${WHOLE}`,
    ],
  ]
) {
  Deno.test(`P12 all of a client's text is the body, and signed as such, where it ${what}`, async () => {
    let signed = "";
    const { reply, text } = await taken(given, {}, ["bob@example.net"], ({ chunks }) => {
      signed = chunks.map((chunk) => new TextDecoder().decode(chunk)).join("");
      return "X-Signature: x\r\n";
    });
    assert.equal(reply.code, 250);
    assert.equal(signed, kept);
    assert.ok(text.endsWith(`+0000\r\nX-Signature: x\r\n${kept}`), text);
  });
}

Deno.test("SMTP_HIDE_CLIENT leaves the client out of the trace; two recipients betray nobody", async () => {
  const hidden = await taken(WHOLE, { hideClient: true });
  assert.match(hidden.text, /^Received: by relay\.example \(Dinopost\)/);
  const two = await taken(WHOLE, {}, ["a@x.example", "b@x.example"]);
  assert.doesNotMatch(two.text, /x\.example/);
});

Deno.test("O3 a message that went through fifty servers is refused for good", async () => {
  const header = "Received: from x by y; today\r\n";
  assert.equal((await taken(header.repeat(49) + WHOLE)).reply.code, 250);
  const { reply, row } = await taken(header.repeat(50) + WHOLE);
  assert.deepEqual([reply.code, reply.enhanced, row], [554, "5.4.6", undefined]);
});

Deno.test("a store that refuses is told as such, and nothing is answered with 250", async () => {
  for (
    const [error, answer] of [
      [new StoreError("the disk is gone"), /^451 4\.3\.0 /],
      [new StoreFullError("no room"), /^452 4\.3\.1 No space/],
      [new QueueLimitError("3 of 3"), /^452 4\.3\.1 Too many of your recipients/],
    ] as const
  ) {
    const store = { commit: () => Promise.reject(error) } as unknown as Store;
    const handler = intake(store, unheard(), () => RULES, unsigned);
    await using server = new TestServer({ handler });
    using client = await Client.greeted(server.port);
    await client.ready();
    await client.ask("DATA");
    assert.match(await client.ask("."), answer);
    assert.match(await client.ask("NOOP"), /^250 /);
  }
});

Deno.test("D4 what there is no room for is refused before it is sent, and taken again after", async () => {
  const space = { free: 1_000, files: 1_000 as number | undefined };
  const logged: string[] = [];
  let gone = false;
  const look = () => {
    if (gone) throw new StoreError("the folder is gone");
    return space;
  };
  const store = { space: look, queuedBy: () => Promise.resolve(2) } as unknown as Store;
  let rules: IntakeRules = { ...RULES, minFree: 1_000 };
  const content = roomCheck(store, (_level, event) => logged.push(event), () => rules);
  await using server = new TestServer({ checks: { content } });
  using client = await Client.greeted(server.port);
  const answer = async () => {
    await client.ready();
    const reply = await client.ask("DATA");
    return reply.startsWith("354") ? await client.ask(".") : reply;
  };
  assert.match(await answer(), /^250 /);
  space.free = 999;
  assert.match(await answer(), /^452 4\.3\.1 No space/);
  assert.match(await answer(), /^452 4\.3\.1 No space/);
  space.free = 2_000;
  space.files = 3;
  assert.match(await answer(), /^452 4\.3\.1 No space/);
  space.files = undefined;
  assert.match(await answer(), /^250 /);
  gone = true;
  assert.match(await answer(), /^451 4\.3\.0 Message not stored/);
  assert.match(await answer(), /^451 4\.3\.0 Message not stored/);
  gone = false;
  assert.match(await answer(), /^250 /);
  assert.deepEqual(logged, [
    "no room on the disk: mail is refused",
    "room on the disk again: mail is taken",
    "room on the disk is not known: mail is refused",
    "room on the disk again: mail is taken",
  ]);
  rules = { ...rules, maxQueuedPerClient: 3 };
  assert.match(await answer(), /^250 /);
  rules = { ...rules, maxQueuedPerClient: 2 };
  assert.match(await answer(), /^452 4\.3\.1 Too many of your recipients/);
});
