/**
 * A mail transaction (RFC 5321 §3.3): who sends, to whom, and what is wished to be told
 * about it (RFC 3461). Values only; the session gathers them, the envelope carries them on.
 */

import type { Mailbox } from "./address.ts";

export interface Sender {
  /** `null` is the null path of bounces, `<>`. */
  readonly mailbox: Mailbox | null;
  /** The size the client declared (RFC 1870). */
  readonly size?: number;
  readonly body: "7BIT" | "8BITMIME";
  /** RFC 6531: addresses and headers may hold UTF-8. */
  readonly utf8: boolean;
  /** RFC 8689: to be sent on only over verified TLS. */
  readonly requireTls?: boolean;
  /** RFC 3461 §4.3: what a bounce gives back. */
  readonly ret?: "FULL" | "HDRS";
  /** RFC 3461 §4.4, decoded. */
  readonly envid?: string;
}

export type Notify = "NEVER" | "SUCCESS" | "FAILURE" | "DELAY";

export interface Recipient {
  readonly mailbox: Mailbox;
  /** RFC 3461 §4.1; absent: the sender left it to us. */
  readonly notify?: readonly Notify[];
  /** RFC 3461 §4.2, decoded: who the sender first wrote to. */
  readonly orcpt?: { readonly type: string; readonly address: string };
}

export interface Transaction {
  readonly sender: Sender;
  readonly recipients: readonly Recipient[];
}
