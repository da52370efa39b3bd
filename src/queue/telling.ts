/** What is told of an attempt: one event for all recipients who were answered alike. */

import type { Meter } from "../meter.ts";
import type { Log } from "../ports.ts";
import type { Claim } from "../ports/store.ts";
import { format } from "../smtp/address.ts";
import type { Decided, Moment } from "./settle.ts";

const LEVELS = { delivered: "info", deferred: "info", failed: "warning", held: "info" } as const;

/** `took`: milliseconds. */
export function tell(
  claim: Claim,
  { recipients }: Decided,
  { moment: { time, now }, took, log, meter }: {
    moment: Moment;
    took: number;
    log: Log;
    meter: Meter;
  },
): void {
  const { id, domain, enteredAt } = claim;
  const byPosition = new Map(claim.recipients.map((each) => [each.position, each]));
  const tried = recipients.filter(({ attempt }) => attempt !== undefined);
  const answers = Map.groupBy(tried, ({ attempt }) => {
    const { kind, reply } = attempt!.outcome;
    return `${kind} ${reply}`;
  });
  for (const alike of answers.values()) {
    const [{ position, attempt, state, due = 0 }] = alike;
    const { kind, host, reply, status, tls } = attempt!.outcome;
    const { mailbox, attempts } = byPosition.get(position)!;
    meter.attempts.count(kind, alike.length);
    log(LEVELS[kind], `message ${kind}`, {
      id,
      to: alike.length === 1 ? `<${format(mailbox)}>` : `${alike.length} recipients`,
      domain,
      attempt: attempts + 1,
      host,
      tls: tls && tls.version + (tls.doubt === undefined ? "" : `, not valid: ${tls.doubt}`),
      status,
      reply,
      took: Math.round(took),
      next: state === "queued" ? new Date(now + due - time) : undefined,
    });
    if (kind === "failed") meter.failures.value += alike.length;
    if (kind !== "delivered") continue;
    meter.delivered.value += alike.length;
    for (const _ of alike) meter.deliveries.observe((time - enteredAt) / 1000);
  }
  if (tried.length > 0) meter.transactions.observe(took / 1000);
}
