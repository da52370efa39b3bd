/** Messages as lines of a table, for people. Pure. */

import type { MessageRow, RecipientRow } from "../ports/store.ts";
import { cut, padded, width } from "./columns.ts";
import { counted, plain, size, span } from "./words.ts";

const ID = 20, AGE = 5, SIZE = 11, ADDRESS = 30;

export const HEADING = `${"ID".padEnd(ID)}  ${"AGE".padStart(AGE)}  ${"SIZE".padStart(SIZE)}  FROM`;

export interface Shown {
  readonly now: number;
  /** What is long is cut there; none: nowhere. */
  readonly columns: number | undefined;
  readonly subject: boolean;
  /** Whether a recipient is shown, or only counted. */
  wanted(recipient: RecipientRow): boolean;
}

export function messageLines(message: MessageRow, { now, columns, ...shown }: Shown): string[] {
  const { id, receivedAt, sender, subject, recipients } = message;
  const wanted = recipients.filter(shown.wanted);
  const others = recipients.length - wanted.length;
  const lines = [
    `${id.padEnd(ID)}  ${span(now - receivedAt).padStart(AGE)}  ` +
    `${size(message.size).padStart(SIZE)}  ${path(sender)}`,
    ...(shown.subject ? [`  subject: ${plain(subject)}`] : []),
    ...wanted.flatMap((recipient) => [
      recipientLine(plain(recipient.address), standing(recipient, now), columns),
      ...(recipient.lastError === undefined ? [] : [`    ${plain(recipient.lastError)}`]),
    ]),
    ...(others === 0 ? [] : [`  and ${counted(others, "other recipient")}`]),
  ];
  return lines.map((line) => cut(line, columns));
}

/** What became of it is what was asked for: where there is no room for both, the address is cut. */
function recipientLine(address: string, standing: string, columns = Infinity): string {
  const room = Math.max(columns - width(`    ${standing}`), ADDRESS);
  return `  ${padded(cut(address, room), ADDRESS)}  ${standing}`;
}

/** Nobody's address is `<>`, of bounces. */
export const path = (address: string): string => address === "" ? "<>" : plain(address);

export function standing(recipient: RecipientRow, now: number): string {
  const { state, attempts, nextAttempt, underway } = recipient;
  const parts: string[] = [state];
  if (attempts > 0) parts.push(counted(attempts, "attempt"));
  if (underway) parts.push("being delivered");
  else if (nextAttempt !== undefined) {
    const wait = nextAttempt - now;
    parts.push(wait < 1_000 ? "next now" : `next in ${span(wait)}`);
  }
  return parts.join(", ");
}

export const domainOf = ({ address }: RecipientRow): string =>
  address.slice(address.lastIndexOf("@") + 1).toLowerCase();
