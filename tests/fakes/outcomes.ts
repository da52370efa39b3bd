/** What attempts come to, for tests of the store and the queue. */

import type { Outcome } from "../../src/mail/outcome.ts";
import type { Claim, SettledRecipient, Store } from "../../src/ports/store.ts";

export const delivered: Outcome = {
  kind: "delivered",
  scope: "recipient",
  host: "mx.example",
  command: "DATA",
  reply: "250 2.0.0 OK",
  status: "2.0.0",
};
export const deferred: Outcome = {
  ...delivered,
  kind: "deferred",
  reply: "451 4.3.0 later",
  status: "4.3.0",
};
export const failed: Outcome = {
  ...delivered,
  kind: "failed",
  command: "RCPT",
  reply: "550 5.1.1 nobody",
  status: "5.1.1",
};

const STATES = {
  delivered: "delivered",
  deferred: "queued",
  failed: "failed",
  held: "held",
} as const;

/** Settles all recipients of a claim alike. */
export function settleAll(
  store: Store,
  { message, lease, recipients }: Claim,
  outcome: Outcome,
  settled: Partial<SettledRecipient> = {},
): Promise<void> {
  const attempt = { at: Date.now(), outcome };
  return store.settle({
    message,
    lease,
    recipients: recipients.map(({ position }) => ({
      position,
      attempt,
      state: STATES[outcome.kind],
      ...settled,
    })),
    generated: [],
  });
}
