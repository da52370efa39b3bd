/** What a server can be told: its limits, whom it serves, and who has a say in what it takes. */

import type { Client } from "../mail/envelope.ts";
import type { Handler } from "../mail/handler.ts";
import type { Reply } from "../smtp/reply.ts";
import type { Rules } from "../smtp/state.ts";
import type { Recipient, Sender } from "../smtp/transaction.ts";
import type { AccessRule } from "./access.ts";

/** What may be asked before a message comes; the answer is a refusal, or none. */
export interface Checks {
  sender?(sender: Sender, client: Client): Refusal;
  recipient?(recipient: Recipient, sender: Sender, client: Client): Refusal;
  /** Is there room for a message now? */
  content?(sender: Sender, recipients: readonly Recipient[], client: Client): Refusal;
}

/** Why not; or nothing. */
export type Refusal = Reply | undefined | Promise<Reply | undefined>;

/** Durations in milliseconds, sizes in octets. */
export interface ServerOptions extends Partial<Rules> {
  readonly handler: Handler;
  readonly addresses?: readonly string[];
  /** 0 for any free one, the same on every address. */
  readonly port?: number;
  readonly maxClients?: number;
  readonly maxClientsPerAddress?: number;
  readonly commandTimeout?: number;
  readonly dataTimeout?: number;
  /** Absent: every client may use the server. */
  readonly access?: AccessRule;
  readonly checks?: Checks;
  readonly audit?: Audit;
}

/** Sees the lines of all sessions, each with the number of its session. */
export interface Audit {
  readonly wants: { readonly lines: boolean; readonly content: boolean };
  /** `*`: not a line of the dialogue, but something that happened. */
  line(session: number, side: "C" | "S" | "*", text: string): void;
}

export const DEFAULTS = {
  addresses: ["::", "0.0.0.0"],
  port: 2525,
  hostname: "localhost",
  banner: "Dinopost ready",
  maxSize: 10 * 1024 * 1024,
  maxRecipients: 100,
  maxUnknownCommands: 5,
  bareNewline: "reject",
  maxClients: 1000,
  maxClientsPerAddress: 100,
  commandTimeout: 15 * 60_000,
  dataTimeout: 10 * 60_000,
} as const;
