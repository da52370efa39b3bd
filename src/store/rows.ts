/** How messages and recipients are written into rows, and read out of them. */

import type { Row } from "../ports/database.ts";
import type { RecipientState } from "../ports/store.ts";
import { format, type Mailbox } from "../smtp/address.ts";
import type { Recipient, Sender } from "../smtp/transaction.ts";

/** A state is its place here: never reorder, only append. */
export const STATES: readonly RecipientState[] = [
  "queued",
  "held",
  "captured",
  "delivered",
  "failed",
  "dropped",
  "quarantined",
];
export const numberOf = (state: RecipientState): number => STATES.indexOf(state);
export const stateOf = (row: Row): RecipientState => STATES[Number(row.state)];

/** Where a body is. */
export const PLACE = { row: 0, file: 1, gone: 2 } as const;

/** In the queue: counted for the limit of its owner. */
export const isQueued = (state: RecipientState): boolean => state === "queued" || state === "held";

export function mailboxOf(address: string): Mailbox {
  const at = address.lastIndexOf("@");
  if (at < 0) throw new Error(`${JSON.stringify(address)} is no address`);
  return { local: address.slice(0, at), domain: address.slice(at + 1) };
}

/** What a sender wishes, beside its address. */
export function wishesOfSender({ mailbox: _, ...wishes }: Sender): string {
  return JSON.stringify(wishes);
}

export function senderOf({ sender, wishes }: Row): Sender {
  const mailbox = sender === "" ? null : mailboxOf(String(sender));
  return { mailbox, ...JSON.parse(String(wishes)) };
}

/** Nothing for the many that wish nothing. */
export function wishesOf({ mailbox: _, ...wishes }: Recipient): string | null {
  for (const _ in wishes) return JSON.stringify(wishes);
  return null;
}

export function recipientOf({ address, wishes }: Row): Recipient {
  const mailbox = mailboxOf(String(address));
  return wishes === null ? { mailbox } : { mailbox, ...JSON.parse(String(wishes)) };
}

export const addressOf = ({ mailbox }: Recipient | Sender): string => format(mailbox);
