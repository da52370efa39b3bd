/**
 * What follows for each recipient from what an attempt came to: it has left the queue, or is
 * tried again, or has been tried for long enough. Pure.
 *
 * Recipients that were tried together are tried together again: they share a transaction.
 */

import type { Attempt, Outcome } from "../mail/outcome.ts";
import type { Claim, ClaimedRecipient, SettledRecipient } from "../ports/store.ts";
import type { Notify } from "../smtp/transaction.ts";
import { retryDelay } from "./schedule.ts";

/** Durations in milliseconds. */
export interface Patience {
  /** Then it has failed. */
  readonly lifetime: number;
  /** Then the sender is told; 0 for never. */
  readonly delayNotice: number;
}

export interface Moment {
  /** The store's. */
  readonly time: number;
  /** By the clock on the wall. */
  readonly now: number;
  /** From 0 to 1. */
  readonly chance: number;
}

export interface Told {
  readonly recipient: ClaimedRecipient;
  readonly outcome: Outcome;
}

export interface Decided {
  readonly recipients: readonly SettledRecipient[];
  /** Whose failure the sender is to be told of. */
  readonly failures: readonly Told[];
  /** Whose delay. */
  readonly delays: readonly Told[];
  /** Whose success nobody else will tell. */
  readonly relayed: readonly Told[];
  /** How long what is delayed will be tried, by the clock on the wall. */
  readonly until: number;
}

/** A fault of ours, not of the way: after so many the message waits for somebody to look. */
const MOST_FAULTS = 3;

export function settle(
  claim: Claim,
  outcomes: readonly (Outcome | undefined)[],
  patience: Patience,
  moment: Moment,
): Decided {
  const recipients: SettledRecipient[] = [];
  const failures: Told[] = [];
  const delays: Told[] = [];
  const relayed: Told[] = [];
  for (const [i, recipient] of claim.recipients.entries()) {
    const outcome = outcomes[i];
    if (outcome === undefined) {
      recipients.push({ position: recipient.position, state: "queued", due: moment.time });
      continue;
    }
    const settled = settleOne(claim, recipient, outcome, patience, moment);
    const told = { recipient, outcome: settled.attempt.outcome };
    if (settled.bounced) failures.push(told);
    if (settled.delayTold && !recipient.delayTold) delays.push(told);
    if (isUnconfirmed(claim, told)) relayed.push(told);
    recipients.push(settled);
  }
  const until = moment.now + claim.enteredAt + patience.lifetime - moment.time;
  return { recipients, failures, delays, relayed, until };
}

type Tried = SettledRecipient & { readonly attempt: Attempt };

function settleOne(
  claim: Claim,
  recipient: ClaimedRecipient,
  outcome: Outcome,
  { lifetime, delayNotice }: Patience,
  { time, now, chance }: Moment,
): Tried {
  const { position, attempts, delayTold } = recipient;
  const attempt = { at: now, outcome };
  switch (outcome.kind) {
    case "delivered":
      return { position, attempt, state: "delivered" };
    case "held":
      return { position, attempt, state: "held" };
    case "failed":
      return failed(claim, recipient, attempt);
    case "deferred": {
      const expires = claim.enteredAt + lifetime;
      if (time >= expires) return failed(claim, recipient, { at: now, outcome: expired(outcome) });
      // The last attempt is made when the time is over.
      const due = Math.min(time + retryDelay(attempts + 1, chance), expires);
      const tells = delayNotice > 0 && time - claim.enteredAt >= delayNotice &&
        isTold(claim, recipient, "DELAY");
      return { position, attempt, state: "queued", due, delayTold: delayTold || tells };
    }
  }
}

function failed(claim: Claim, recipient: ClaimedRecipient, attempt: Attempt): Tried {
  const bounced = isTold(claim, recipient, "FAILURE");
  return { position: recipient.position, attempt, state: "failed", bounced };
}

/** RFC 3463 §3.5: delivery time expired. */
function expired(outcome: Outcome): Outcome {
  return { ...outcome, kind: "failed", status: "4.4.7", reply: `gave up: ${outcome.reply}` };
}

/** RFC 3461 §5.2.2: it was wished to be told, and the next server does not know of it. */
function isUnconfirmed({ sender }: Claim, { recipient: { notify }, outcome }: Told): boolean {
  return sender.mailbox !== null && outcome.kind === "delivered" && !outcome.confirms &&
    notify?.includes("SUCCESS") === true;
}

/** RFC 3461 §4.1; and what has no sender is told to nobody (RFC 5321 §4.5.5). */
function isTold({ sender }: Claim, { notify }: ClaimedRecipient, of: Notify): boolean {
  if (sender.mailbox === null) return false;
  return notify === undefined || notify.includes(of);
}

/** What handles the message broke: it is not lost, but not tried for ever either. */
export function settleFault(claim: Claim, error: string, moment: Moment): Decided {
  const outcome: Outcome = {
    kind: "deferred",
    scope: "message",
    reply: `internal error: ${error}`,
    status: "4.3.0",
  };
  const attempt = { at: moment.now, outcome };
  const recipients = claim.recipients.map(({ position, attempts }): SettledRecipient =>
    attempts + 1 >= MOST_FAULTS ? { position, attempt, state: "held" } : {
      position,
      attempt,
      state: "queued",
      due: moment.time + retryDelay(attempts + 1, moment.chance),
    }
  );
  return { recipients, failures: [], delays: [], relayed: [], until: 0 };
}
