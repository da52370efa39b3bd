/** A message on its way: its content, and everything known about it that is not in it. */

import type { Content } from "../smtp/content.ts";
import type { Secured } from "../smtp/state.ts";
import type { Recipient, Sender } from "../smtp/transaction.ts";

/** Who handed the message over. */
export interface Client {
  /** IPv4 addresses in their own form, also where the socket is IPv6. */
  readonly address: string;
  readonly port: number;
  readonly helo: string;
  readonly esmtp: boolean;
  /** How its connection was protected, if it was. */
  readonly tls?: Secured;
  /** Who it has proved to be. */
  readonly user?: string;
  /** Its host's name, where a proxy gave it. */
  readonly name?: string;
}

export interface Envelope {
  /** Unlike every other's; sorts by time, to the millisecond. */
  readonly id: string;
  readonly client: Client;
  readonly sender: Sender;
  readonly recipients: readonly Recipient[];
  readonly content: Content;
  /** The number of the session it came in, of a server that counts them. */
  readonly session?: number;
  /** When its last octet came, in milliseconds since 1970. */
  readonly receivedAt: number;
}
