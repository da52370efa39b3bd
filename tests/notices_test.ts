/** The messages that tell senders what became of theirs, as they go into the store. */

import assert from "node:assert/strict";
import { CHANCE, newId, timeOf } from "../src/mail/id.ts";
import { Meter } from "../src/meter.ts";
import { notices } from "../src/notices.ts";
import type { Decided, Told } from "../src/queue/settle.ts";
import type { Content } from "../src/smtp/content.ts";
import { format } from "../src/smtp/address.ts";
import { told } from "./fakes/bounce_mailbox.ts";
import { ORIGINAL, wireOf } from "./fakes/bounces.ts";
import { TurnedClock } from "./fakes/clock.ts";
import { claimOf } from "./fakes/outbound.ts";
import { deferred, delivered, failed } from "./fakes/outcomes.ts";
import { contentFrom } from "./fakes/store.ts";

const HOUR = 3_600_000;
const clock = new TurnedClock();
const ARRIVED = clock.now() - 5 * HOUR;
const about = newId(ARRIVED, new Uint8Array(CHANCE));
const original = () => Promise.resolve(contentFrom(ORIGINAL));

function noticesOf(logged: string[] = []) {
  let drawn = 0;
  return notices("relay.example", {
    clock,
    random: { fill: (octets) => octets.fill(++drawn) },
    log: (_, event, fields) => logged.push(`${event} ${JSON.stringify(fields)}`),
    meter: new Meter(),
  }, () => Promise.resolve(""));
}

const claim = { ...claimOf(["b", "c", "d", "e"]), id: about };
const of = (i: number, outcome: Told["outcome"]): Told => ({
  recipient: claim.recipients[i],
  outcome,
});
const NOTHING: Decided = { recipients: [], failures: [], delays: [], relayed: [], until: 0 };
const letterOf = (content: Content) => ({
  mail: "MAIL FROM:<>",
  to: [],
  content: wireOf({ content }),
});

Deno.test("B12 one message for all failures, one for all delays, one for what was handed on", async () => {
  const logged: string[] = [];
  const until = clock.now() + 9 * HOUR;
  const failures = [of(0, failed), of(1, { ...failed, reply: "550 5.7.1 no", status: "5.7.1" })];
  const decided = {
    ...NOTHING,
    failures,
    delays: [of(2, deferred)],
    relayed: [of(3, delivered)],
    until,
  };
  const entries = await noticesOf(logged)(claim, decided, original);
  assert.equal(entries.length, 3);
  assert.equal(new Set(entries.map(({ envelope: { id } }) => id)).size, 3);
  for (const { envelope, state, origin, subject, keys } of entries) {
    assert.deepEqual([state, origin], ["queued", "generated"]);
    assert.equal(envelope.sender.mailbox, null);
    assert.deepEqual(envelope.recipients.map(({ mailbox }) => format(mailbox)), ["a@example.com"]);
    assert.equal(timeOf(envelope.id), clock.now());
    assert.equal(envelope.receivedAt, clock.now());
    const wire = wireOf(envelope);
    assert.equal(wire.length, envelope.content.size);
    assert.match(wire, new RegExp(`^Received: by relay.example .*id\\s+${envelope.id};`));
    assert.equal(wire.match(/^Message-ID: <.*@relay\.example>\r$/gm)?.length, 1);
    assert.match(subject, /^Your message /);
    assert.match(keys, /mailer-daemon@relay\.example/);
  }
  const [bounce, delay, relayed] = entries.map(({ envelope }) => told(letterOf(envelope.content)));
  assert.deepEqual(
    bounce.perRecipient.map((group) => [group["Final-Recipient"], group.Action, group.Status]),
    [["rfc822; b@d.example", "failed", "5.1.1"], ["rfc822; c@d.example", "failed", "5.7.1"]],
  );
  assert.deepEqual(delay.perRecipient.map(({ Action }) => Action), ["delayed"]);
  assert.deepEqual(relayed.perRecipient.map(({ Action }) => Action), ["relayed"]);
  const dates = [bounce, delay, relayed].map(({ perRecipient: [group] }) =>
    group["Will-Retry-Until"]
  );
  assert.deepEqual(dates, [undefined, "Thu, 01 Jan 2026 09:00:00 +0000", undefined]);
  for (const { perMessage } of [bounce, delay, relayed]) {
    // It is in the id of the message.
    assert.equal(perMessage["Arrival-Date"], "Wed, 31 Dec 2025 19:00:00 +0000");
  }
  assert.match(bounce.returned!, /the body/);
  for (const { returned } of [delay, relayed]) assert.doesNotMatch(returned!, /the body/);
  assert.deepEqual(
    logged.map((line) => line.replace(/"id":"\w+",/, "")),
    [["failed", 2], ["delayed", 1], ["relayed", 1]].map(([kind, recipients]) =>
      `sender is told {"about":"${about}","kind":"${kind}","recipients":${recipients}}`
    ),
  );
});

Deno.test("B12 the null sender is told of nothing, whatever was decided", async () => {
  const decided = {
    ...NOTHING,
    failures: [of(0, failed)],
    delays: [of(1, deferred)],
    relayed: [of(2, delivered)],
  };
  const unsent = { ...claim, sender: { ...claim.sender, mailbox: null } };
  const read = () => Promise.reject(new Error("nobody needs it"));
  assert.deepEqual(await noticesOf()(unsent, decided, read), []);
});

Deno.test("what cannot be read any more is told of all the same", async () => {
  const decided = { ...NOTHING, failures: [of(0, failed)] };
  const damaged = () => Promise.reject(new Error("damaged"));
  const [{ envelope }] = await noticesOf()(claim, decided, damaged);
  const { perRecipient, returned } = told(letterOf(envelope.content));
  assert.equal(perRecipient[0]["Diagnostic-Code"], "smtp; 550 5.1.1 nobody");
  assert.equal(returned, undefined);
});

Deno.test("what the sender wished of it is heeded", async () => {
  const decided = { ...NOTHING, failures: [of(0, failed)] };
  const wishing = { ...claim, sender: { ...claim.sender, ret: "HDRS", envid: "x y" } as const };
  const [{ envelope }] = await noticesOf()(wishing, decided, original);
  const { perMessage, returned } = told(letterOf(envelope.content));
  assert.equal(perMessage["Original-Envelope-Id"], "x y");
  assert.match(returned!, /^\r\nContent-Type: text\/rfc822-headers\r\n\r\nFrom: /);
  assert.doesNotMatch(returned!, /the body/);
});
