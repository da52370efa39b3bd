/**
 * What a session can be at, what can happen to it, and the rules it goes by. Values only:
 * `server.ts` says what follows from what.
 */

import type { Budget } from "./budget.ts";
import type { Content } from "./content.ts";
import type { Command } from "./command.ts";
import type { Reply } from "./reply.ts";
import type { Exchange, Mechanism } from "./sasl.ts";
import type { Recipient, Sender, Transaction } from "./transaction.ts";
import type { Claim } from "./xclient.ts";

/** What this server offers, and how much. */
export interface Rules {
  readonly hostname: string;
  readonly banner: string;
  readonly maxSize: number;
  readonly maxRecipients: number;
  readonly maxUnknownCommands: number;
  readonly bareNewline: "reject" | "normalize";
  /** The domains a sender may have, in lower case; absent: any. */
  readonly senderDomains?: ReadonlySet<string>;
  /** STARTTLS is offered to whoever has no TLS yet. */
  readonly startTls?: boolean;
  /** Ways to authenticate; none: AUTH is not offered. */
  readonly mechanisms?: readonly Mechanism[];
  /** AUTH is offered without TLS, too. */
  readonly authInsecure?: boolean;
  /** This client may say for whom it speaks. */
  readonly xclient?: boolean;
  /** What messages under way may take of the memory, all together. */
  readonly memory?: Budget;
}

/** How a connection is protected. */
export interface Secured {
  /** `TLSv1.3` */
  readonly version: string;
  /** By its registered name: `TLS_AES_128_GCM_SHA256`. */
  readonly cipher: string;
}

/** What is known of the client, beyond the transaction. */
export interface Peer {
  /** The name it gave itself; absent before HELO and EHLO. */
  readonly helo?: string;
  /** It said EHLO, so it may use what that offers. */
  readonly esmtp: boolean;
  readonly tls?: Secured;
  /** Who it has proved to be. */
  readonly user?: string;
  /** For whom it speaks, where it may. */
  readonly claim?: Claim;
  readonly failedLogins: number;
  readonly unknownCommands: number;
  /** Commands since the last message that brought none nearer. */
  readonly idleCommands: number;
  /** The server is to end: no new command is served. */
  readonly stopping: boolean;
}

/** A transaction under way. */
export interface Mail {
  readonly sender: Sender;
  /** By `key` of the mailbox. Grows in place: a copy at each RCPT would cost the square. */
  readonly recipients: Map<string, Recipient>;
  /** RCPTs that were refused, or named a recipient again. */
  readonly fruitlessRcpts: number;
  /** Octets that BDAT brought; absent before the first. */
  readonly received?: number;
}

/** What others may have a say in. */
export type Question =
  | { readonly about: "sender" }
  | { readonly about: "recipient"; readonly recipient: Recipient }
  /** Is there room for a message now? Asked before 354, and at the first BDAT. */
  | { readonly about: "content"; readonly chunk?: Chunk };

/** What a BDAT announces. */
export interface Chunk {
  readonly octets: number;
  readonly last: boolean;
}

export type State =
  | { readonly at: "connected"; readonly peer: Peer }
  | { readonly at: "idle"; readonly peer: Peer }
  | { readonly at: "mail"; readonly peer: Peer; readonly mail: Mail }
  | { readonly at: "asking"; readonly peer: Peer; readonly mail: Mail; readonly question: Question }
  /** DATA: the content follows, to CRLF.CRLF. */
  | { readonly at: "content"; readonly peer: Peer; readonly mail: Mail }
  /** BDAT: its octets follow. */
  | { readonly at: "chunk"; readonly peer: Peer; readonly mail: Mail; readonly chunk: Chunk }
  /** BDAT refused: its octets follow all the same (RFC 3030 §2), and are passed over. */
  | {
    readonly at: "skipping";
    readonly peer: Peer;
    readonly octets: number;
    readonly refusal: Reply;
  }
  /** STARTTLS: the handshake follows. What came before it was thrown away. */
  | { readonly at: "securing"; readonly peer: Peer }
  /** AUTH: what the client said wants an answer. */
  | { readonly at: "authenticating"; readonly peer: Peer; readonly exchange: Exchange }
  /** AUTH: a challenge wants the client's response. */
  | { readonly at: "responding"; readonly peer: Peer; readonly exchange: Exchange }
  /** XCLIENT: may the client for whom it speaks use the server? */
  | { readonly at: "claiming"; readonly peer: Peer; readonly claim: Claim }
  | {
    readonly at: "committing";
    readonly peer: Peer;
    readonly transaction: Transaction;
    readonly content: Content;
  }
  /** `polite`: nothing of the client can be unread, or it has no right to be heard out. */
  | { readonly at: "closed"; readonly peer: Peer; readonly polite: boolean };

export type Input =
  /** `refusal`: the client may not talk at all; `early`: it spoke before it was greeted. */
  | {
    readonly kind: "opened";
    readonly early: boolean;
    readonly refusal?: Reply;
    /** TLS from the beginning. */
    readonly tls?: Secured;
  }
  /** `more`: further octets came with the line. */
  | { readonly kind: "command"; readonly command: Command; readonly more: boolean }
  /** A line that is no command, and the reply that says so. */
  | { readonly kind: "unreadable"; readonly reply: Reply }
  | { readonly kind: "verdict"; readonly refusal?: Reply }
  | { readonly kind: "secured"; readonly tls: Secured }
  /** A line in answer to a challenge. */
  | { readonly kind: "response"; readonly text: string }
  | { readonly kind: "challenged"; readonly challenge: Uint8Array }
  | { readonly kind: "authenticated"; readonly user: string }
  /** DATA or the last BDAT is through. */
  | { readonly kind: "content"; readonly content: Content }
  /** A BDAT is through that is not the last, or was skipped. */
  | { readonly kind: "chunk" }
  /** The content came to its end, but cannot be taken. */
  | { readonly kind: "spoiled"; readonly reply: Reply; readonly final: boolean }
  | { readonly kind: "committed"; readonly reply: Reply }
  | { readonly kind: "refused"; readonly reply: Reply }
  | { readonly kind: "timeout" }
  /** The server is to end; `now`: also where content is under way. */
  | { readonly kind: "stop"; readonly now: boolean };

export interface Step {
  readonly state: State;
  readonly replies: readonly Reply[];
}

export const initial: State = {
  at: "connected",
  peer: { esmtp: false, failedLogins: 0, unknownCommands: 0, idleCommands: 0, stopping: false },
};
