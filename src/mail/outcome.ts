/** What an attempt to deliver came to, for one recipient. */

/** How far a failure reaches: what it says of others on the same way. */
export type Scope = "session" | "site" | "message" | "recipient";

export interface Outcome {
  /** `held`: somebody has to let it go on. */
  readonly kind: "delivered" | "deferred" | "failed" | "held";
  readonly scope: Scope;
  /** Who said so, as far as there was somebody. */
  readonly host?: string;
  /** The command that was answered. */
  readonly command?: string;
  /** What was answered, or went wrong, in one line. */
  readonly reply: string;
  /** RFC 3463. */
  readonly status: string;
  /** Of what was delivered: the next server was told what the sender wishes to hear of it. */
  readonly confirms?: boolean;
  /** How the connection was protected; `doubt`: why its certificate is not valid. */
  readonly tls?: { readonly version: string; readonly cipher: string; readonly doubt?: string };
}

/** An outcome and when it came. */
export interface Attempt {
  readonly at: number;
  readonly outcome: Outcome;
}
