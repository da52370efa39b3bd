/** What follows from what an attempt came to. */

import assert from "node:assert/strict";
import { type Moment, settle, settleFault } from "../../src/queue/settle.ts";
import type { Claim, ClaimedRecipient } from "../../src/ports/store.ts";
import type { Notify, Sender } from "../../src/smtp/transaction.ts";
import { deferred, delivered, failed } from "../fakes/outcomes.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const patience = { lifetime: 5 * DAY, delayNotice: 4 * HOUR };
const at = (time: number): Moment => ({ time, now: 1e12 + time, chance: 0 });
const sender: Sender = {
  mailbox: { local: "a", domain: "example.com" },
  body: "7BIT",
  utf8: false,
};

function claimOf(
  recipients: Partial<ClaimedRecipient>[] = [{}],
  claim: Partial<Claim> = {},
): Claim {
  return {
    message: 1,
    id: "id",
    domain: "example.net",
    sender,
    size: 1,
    enteredAt: 0,
    lease: 1,
    recipients: recipients.map((recipient, position) => ({
      mailbox: { local: `r${position}`, domain: "example.net" },
      position,
      attempts: 0,
      delayTold: false,
      ...recipient,
    })),
    ...claim,
  };
}

Deno.test("each recipient has its own outcome", () => {
  const claim = claimOf([{}, { attempts: 2 }, {}]);
  const { recipients, failures } = settle(claim, [delivered, deferred, failed], patience, at(10));
  assert.deepEqual(recipients.map(({ state, due }) => [state, due]), [
    ["delivered", undefined],
    ["queued", 10 + 4 * 60_000],
    ["failed", undefined],
  ]);
  assert.deepEqual(recipients[1].attempt, { at: 1e12 + 10, outcome: deferred });
  assert.deepEqual(failures.map(({ recipient }) => recipient.position), [2]);
});

Deno.test("what failed together is tried again together", () => {
  const moment = { ...at(0), chance: 0.37 };
  const { recipients } = settle(claimOf([{}, {}]), [deferred, deferred], patience, moment);
  assert.equal(recipients[0].due, recipients[1].due);
});

Deno.test("the last attempt is made when the lifetime is over, and then it has failed", () => {
  const late = settle(claimOf([{ attempts: 80 }]), [deferred], patience, at(5 * DAY - 60_000));
  assert.deepEqual([late.recipients[0].state, late.recipients[0].due], ["queued", 5 * DAY]);
  const over = settle(claimOf([{ attempts: 81 }]), [deferred], patience, at(5 * DAY));
  const [{ state, attempt, bounced }] = over.recipients;
  assert.deepEqual([state, bounced, attempt?.outcome.status], ["failed", true, "4.4.7"]);
  assert.match(attempt!.outcome.reply, /^gave up: 451 4\.3\.0 later$/);
  assert.equal(over.failures[0].outcome.kind, "failed");
  const arrived = settle(claimOf(), [delivered], patience, at(6 * DAY));
  assert.equal(arrived.recipients[0].state, "delivered");
});

Deno.test("the sender is told of a delay once, if it wants to be and there is one", () => {
  const told = (recipient: Partial<ClaimedRecipient>, time = 4 * HOUR, claim = {}, ask = {}) => {
    const rules = { ...patience, ...ask };
    const { recipients, delays } = settle(
      claimOf([recipient], claim),
      [deferred],
      rules,
      at(time),
    );
    return [delays.length, recipients[0].delayTold];
  };
  assert.deepEqual(told({}), [1, true]);
  assert.deepEqual(told({}, 4 * HOUR - 1), [0, false]);
  assert.deepEqual(told({ delayTold: true }), [0, true]);
  assert.deepEqual(told({ notify: ["FAILURE"] }), [0, false]);
  assert.deepEqual(told({ notify: ["DELAY"] }), [1, true]);
  assert.deepEqual(told({}, 4 * HOUR, { sender: { ...sender, mailbox: null } }), [0, false]);
  assert.deepEqual(told({}, 4 * HOUR, {}, { delayNotice: 0 }), [0, false]);
});

Deno.test("the null sender, and who wants to hear nothing, is told of no failure", () => {
  const bounced = (recipient: Partial<ClaimedRecipient>, claim: Partial<Claim> = {}) => {
    const decided = settle(claimOf([recipient], claim), [failed], patience, at(1));
    assert.equal(decided.failures.length, decided.recipients[0].bounced ? 1 : 0);
    return decided.recipients[0].bounced;
  };
  assert.equal(bounced({}), true);
  assert.equal(bounced({ notify: ["FAILURE", "DELAY"] }), true);
  assert.equal(bounced({ notify: ["SUCCESS"] }), false);
  assert.equal(bounced({ notify: ["NEVER"] }), false);
  assert.equal(bounced({}, { sender: { ...sender, mailbox: null } }), false);
});

Deno.test("D9 who was not tried is due at once, and has no attempt to show", () => {
  const { recipients } = settle(claimOf([{}, {}]), [delivered, undefined], patience, at(7));
  assert.deepEqual(recipients[1], { position: 1, state: "queued", due: 7 });
});

Deno.test("RFC 3461 §5.2.2 success is told where it was wished, and nobody else will", () => {
  const relayed = (notify: Notify[] | undefined, confirms: boolean, from = sender) =>
    settle(claimOf([{ notify }], { sender: from }), [{ ...delivered, confirms }], patience, at(0))
      .relayed.length;
  assert.equal(relayed(["SUCCESS"], false), 1);
  assert.equal(relayed(["SUCCESS"], true), 0);
  assert.equal(relayed(["FAILURE"], false), 0);
  assert.equal(relayed(undefined, false), 0);
  assert.equal(relayed(["SUCCESS"], false, { ...sender, mailbox: null }), 0);
});

Deno.test("O9 what breaks the code that handles it is held after three tries", () => {
  const states = [0, 1, 2].map((attempts) => {
    const [recipient] = settleFault(claimOf([{ attempts }]), "TypeError: x", at(0)).recipients;
    assert.match(recipient.attempt!.outcome.reply, /internal error: TypeError: x/);
    return recipient.state;
  });
  assert.deepEqual(states, ["queued", "queued", "held"]);
});
