/** A message on its way: its content, and everything known about it that is not in it. */

import type { Content } from "../smtp/content.ts";
import type { Recipient, Sender } from "../smtp/transaction.ts";

/** Who handed the message over. */
export interface Client {
  /** IPv4 addresses in their own form, also where the socket is IPv6. */
  readonly address: string;
  readonly port: number;
  readonly helo: string;
  readonly esmtp: boolean;
}

export interface Envelope {
  /** Unlike every other's; sorts by time, to the millisecond. */
  readonly id: string;
  readonly client: Client;
  readonly sender: Sender;
  readonly recipients: readonly Recipient[];
  readonly content: Content;
  /** When its last octet came, in milliseconds since 1970. */
  readonly receivedAt: number;
}
