/** Senders are told of what could not be delivered, over real connections, and once. */

import assert from "node:assert/strict";
import { type Answers, Mailbox, told } from "../fakes/bounce_mailbox.ts";
import { House, send } from "../fakes/bounce_house.ts";
import { testWithReaders } from "../fakes/bounce_readers.ts";
import { BounceRelay } from "../fakes/bounce_relay.ts";
import { octetsOf, utf8 } from "../fakes/bounces.ts";

const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const REFUSALS: Record<string, string> = {
  "b": "550 5.1.1 <b@refusing.example>: nobody",
  "c": "550-5.7.1 No mail\r\n550 5.7.1 of yours",
};
const refusing: Answers = (line) => REFUSALS[/^RCPT TO:<(\w)@/.exec(line)?.[1] ?? ""];

Deno.test("B12 a sender is told of each failure, with one bounce for all of an attempt", async () => {
  await using house = await House.build(refusing);
  const { sender, daemon } = house;
  const id = await house.send([
    "<b@refusing.example> ORCPT=rfc822;B@refusing.example",
    "<c@refusing.example>",
    "<d@refusing.example>",
    "<e@null.example>",
    "<f@nowhere.example>",
    "<g@failing.example>",
  ], { mail: " ENVID=x+2By" });
  const letters = await house.told(id, 3);
  assert.equal(letters.length, 3);
  const all = letters.map(told);
  const facts = all.map(({ perRecipient, perMessage, subject, returned }) => {
    assert.equal(subject, "Your message could not be delivered");
    assert.equal(perMessage["Original-Envelope-Id"], "x+y");
    assert.equal(perMessage["Reporting-MTA"], "dns; relay.example");
    assert.match(returned!, /\r\nReceived: from client\.example .*[^]*\r\n\r\nthe body\r\n$/);
    return perRecipient.map((group) =>
      ["Original-Recipient", "Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code"]
        .flatMap((name) => group[name] ?? []).join(" | ")
    );
  });
  assert.deepEqual(facts.sort(), [
    [
      "rfc822; B@refusing.example | rfc822; b@refusing.example | failed | 5.1.1 | " +
      "dns; mx.refusing.example | smtp; 550 5.1.1 <b@refusing.example>: nobody",
      "rfc822; c@refusing.example | failed | 5.7.1 | dns; mx.refusing.example | " +
      "smtp; 550 5.7.1 No mail of yours",
    ],
    [
      "rfc822; e@null.example | failed | 5.1.10 | " +
      "x-dinopost; domain null.example takes no mail (null MX)",
    ],
    [
      "rfc822; f@nowhere.example | failed | 5.1.2 | " +
      "x-dinopost; domain nowhere.example does not exist",
    ],
  ]);
  for (const { mail, to, content } of letters) {
    assert.match(mail, /^MAIL FROM:<> SIZE=\d+$/);
    assert.deepEqual(to, ["alice@example.com"]);
    assert.match(content, /^Received: by relay\.example /);
    assert.match(content, /\r\nIn-Reply-To: <m1@example\.com>\r\n/);
  }
  assert.deepEqual(house.refuser.letters.map(({ to }) => to), [["d@refusing.example"]]);
  assert.doesNotMatch(daemon.output, /cannot be told/);
  const { accepted, generated, delivered, failed, queued, bounced, unbounced, holds } = await house
    .sum();
  assert.deepEqual(
    { accepted, generated, delivered, failed, queued, bounced, unbounced, holds },
    {
      accepted: 6,
      generated: 3,
      delivered: 4,
      failed: 4,
      queued: 1,
      bounced: 4,
      unbounced: 0,
      holds: true,
    },
  );
  assert.equal(sender.letters.length, 3);
});

Deno.test("RFC 3461 who wants to hear nothing hears nothing, who wants to hear of success does", async () => {
  await using house = await House.build(refusing);
  const id = await house.send([
    "<b@refusing.example> NOTIFY=NEVER",
    "<e@null.example> NOTIFY=SUCCESS,DELAY",
    "<c@refusing.example> NOTIFY=SUCCESS,FAILURE",
    "<d@refusing.example> NOTIFY=FAILURE,SUCCESS",
    "<x@refusing.example> NOTIFY=FAILURE",
    "<y@refusing.example>",
  ], { mail: " RET=HDRS" });
  await house.daemon.says(new RegExp(`message failed id=${id} .* domain=null.example`));
  const letters = (await house.told(id, 2)).map(told);
  const facts = letters.map(({ perRecipient, returned }) => {
    assert.match(returned!, /^\r\nContent-Type: text\/rfc822-headers\r\n/);
    assert.doesNotMatch(returned!, /the body/);
    return perRecipient.map((group) =>
      `${group["Final-Recipient"]} ${group.Action} ${group.Status} ${group["Diagnostic-Code"]}`
    );
  });
  assert.deepEqual(facts.sort(), [
    ["rfc822; c@refusing.example failed 5.7.1 smtp; 550 5.7.1 No mail of yours"],
    ["rfc822; d@refusing.example relayed 2.0.0 smtp; 250 2.0.0 taken"],
  ]);
  const { generated, failed, bounced, unbounced, holds } = await house.sum();
  assert.deepEqual(
    { generated, failed, bounced, unbounced, holds },
    { generated: 2, failed: 3, bounced: 1, unbounced: 2, holds: true },
  );
});

Deno.test("RFC 3461 §5.2.2 a server that confirms by itself is not confirmed for", async () => {
  const answers: Answers = (line) =>
    line.startsWith("EHLO") ? "250-remote\r\n250 DSN" : refusing(line);
  await using house = await House.build(answers);
  const id = await house.send([
    "<d@refusing.example> NOTIFY=SUCCESS",
    "<b@refusing.example> NOTIFY=SUCCESS,FAILURE",
  ]);
  const [letter, ...more] = await house.told(id, 1);
  assert.deepEqual(more, []);
  assert.deepEqual(told(letter).perRecipient.map(({ Action }) => Action), ["failed"]);
  assert.ok(house.refuser.lines.includes("RCPT TO:<d@refusing.example> NOTIFY=SUCCESS"));
  assert.equal((await house.sum()).generated, 1);
});

Deno.test("RFC 6533 who has an address in UTF-8 is told in UTF-8, where that is taken", async () => {
  await using house = await House.build(refusing);
  const from = "älice@example.com", asWire = utf8(from);
  const id = await house.send(["<b@refusing.example>"], { from, mail: " SMTPUTF8" });
  const [letter, ...more] = await house.told(id, 1);
  assert.deepEqual(more, []);
  assert.match(letter.mail, /^MAIL FROM:<> SIZE=\d+ BODY=8BITMIME SMTPUTF8$/);
  assert.deepEqual(letter.to, [asWire]);
  assert.ok(letter.content.includes(`\r\nTo: <${asWire}>\r\n`));
  assert.match(letter.content, /\r\nContent-Type: message\/global-delivery-status\r\n/);
});

Deno.test("what a server would refuse is told as our word, since it has not said so", async () => {
  const answers: Answers = (line) => line.startsWith("EHLO") ? "250 remote" : undefined;
  await using house = await House.build(answers);
  const id = await house.send(["<bö@refusing.example>"], { mail: " SMTPUTF8" });
  const [{ perRecipient: [group], explanation }] = (await house.told(id, 1)).map(told);
  assert.equal(group.Status, "5.6.7");
  assert.match(group["Diagnostic-Code"], /^x-dinopost; /);
  assert.doesNotMatch(atob(explanation.split("\r\n\r\n")[1]), / said: /);
});

const HOSTILE = [
  "550 5.7.1 \x1b[2J\x07 \x00 \x7f",
  "550-5.7.1 <script>alert(1)</script>\r\n550 5.7.1 --=_x",
  "550-5.7.1 .\r\n550-5.7.1 \r\n550 5.7.1 Action: delivered",
  "550 5.7.1 a\rb\r.\rc",
  `550 5.7.1 ${"x".repeat(1000)}`,
  `550 5.7.1 ${"  x  ".repeat(190)}`,
  "550 5.7.1 gr\u00fcn \u{1f4ee} \u2028 \u0085",
];

testWithReaders(
  ["email"],
  "B12 a hostile server's words come to the sender as words, and as nothing else",
  async ({ email }) => {
    const answers: Answers = (line) => HOSTILE[Number(/^RCPT TO:<r(\d)@/.exec(line)?.[1])];
    await using house = await House.build(answers);
    for (const i of HOSTILE.keys()) {
      const count = house.sender.letters.length;
      const id = await house.send([`<r${i}@refusing.example>`]);
      const letters = await house.told(id, 1);
      assert.equal(letters.length, count + 1);
      const { defects, parts, groups } = await email.email(octetsOf(letters[count].content));
      assert.deepEqual(defects, []);
      assert.deepEqual(parts.map(([type]) => type), [
        "text/plain",
        "message/delivery-status",
        "message/rfc822",
      ]);
      const fields = Object.fromEntries(groups[1]);
      assert.deepEqual([groups.length, fields.Action, fields.Status], [2, "failed", "5.7.1"]);
      // deno-lint-ignore no-control-regex -- control characters are what must not pass
      assert.match(fields["Diagnostic-Code"], /^smtp; 550 5\.7\.1[^\x00-\x1f\x7f-\uffff]*$/);
      const lines = letters[count].content.split("\r\n");
      assert.ok(lines.every((line) => line.length <= 998));
    }
  },
);

Deno.test("B12 a delay is told of once, and the end of the lifetime then", async () => {
  await using sender = new Mailbox();
  await using late = new Mailbox((line) => line.startsWith("RCPT") ? "450 4.2.0 later" : undefined);
  await using relay = await BounceRelay.start({
    SMTP_ROUTES:
      `example.com=smtp://127.0.0.1:${sender.port},late.example=smtp://127.0.0.1:${late.port}`,
  });
  {
    using client = await relay.client();
    assert.match(
      await send(client, ["<b@late.example>", "<c@late.example> NOTIFY=FAILURE"]),
      /^250/,
    );
  }
  await relay.until("message deferred", 1);
  relay.clock.turn(4 * HOUR - 1);
  await relay.until("message deferred", 2);
  assert.equal(sender.letters.length, 0);
  for (const [i, hours] of [1, 20, 48, 30].entries()) {
    relay.clock.turn(hours * HOUR);
    await relay.until("message deferred", 3 + i);
    await relay.until("message delivered", 1);
    const [letter, ...more] = sender.letters;
    assert.equal(more.length, 0);
    const { subject, perRecipient, returned, explanation } = told(letter);
    assert.equal(subject, "Your message is delayed");
    assert.equal(perRecipient.length, 1);
    const [group] = perRecipient;
    assert.deepEqual(
      [group["Final-Recipient"], group.Action, group.Status, group["Will-Retry-Until"]],
      ["rfc822; b@late.example", "delayed", "4.2.0", "Tue, 06 Jan 2026 00:00:00 +0000"],
    );
    assert.match(explanation, /tried again until Tue, 06 Jan 2026 00:00:00 \+0000/);
    assert.doesNotMatch(returned!, /the body/);
  }
  relay.clock.turn(DAY);
  await relay.until("message delivered", 2);
  const [, letter, ...more] = sender.letters;
  assert.deepEqual(more, []);
  const { perRecipient } = told(letter);
  assert.deepEqual(
    perRecipient.map((group) => [group["Final-Recipient"], group.Action, group.Status]),
    [["rfc822; b@late.example", "failed", "4.4.7"], ["rfc822; c@late.example", "failed", "4.4.7"]],
  );
  assert.match(perRecipient[0]["Diagnostic-Code"], /^\S+; gave up: 450 4\.2\.0 later$/);
  // Whoever reads the log sees that it is no longer tried.
  assert.deepEqual(
    relay.happened.filter(({ event }) => event === "message failed").map(({ fields }) =>
      fields.reply
    ),
    ["gave up: 450 4.2.0 later"],
  );
  const { accepted, generated, delivered, failed, queued, bounced } = await relay.store.stats();
  assert.deepEqual(
    { accepted, generated, delivered, failed, queued, bounced },
    { accepted: 2, generated: 2, delivered: 2, failed: 2, queued: 0, bounced: 2 },
  );
});
