/** What a server can be told: its limits, whom it serves, and who has a say in what it takes. */

import type { Client } from "../mail/envelope.ts";
import type { Handler } from "../mail/handler.ts";
import type { Reply } from "../smtp/reply.ts";
import type { Mail, Question, Rules } from "../smtp/state.ts";
import type { Recipient, Sender } from "../smtp/transaction.ts";
import type { AccessRule, Network } from "./access.ts";
import type { Authenticator } from "./authentication.ts";
import type { TlsSource } from "./certificates.ts";

/** What may be asked before a message comes; the answer is a refusal, or none. */
export interface Checks {
  sender?(sender: Sender, client: Client): Refusal;
  recipient?(recipient: Recipient, sender: Sender, client: Client): Refusal;
  /** Is there room for a message now? */
  content?(sender: Sender, recipients: readonly Recipient[], client: Client): Refusal;
}

export function check(
  checks: Checks,
  { sender, recipients }: Mail,
  question: Question,
  client: Client,
): Refusal {
  switch (question.about) {
    case "sender":
      return checks.sender?.(sender, client);
    case "recipient":
      return checks.recipient?.(question.recipient, sender, client);
    case "content":
      return checks.content?.(sender, [...recipients.values()], client);
  }
}

/** Why not; or nothing. */
export type Refusal = Reply | undefined | Promise<Reply | undefined>;

/** Durations in milliseconds, sizes in octets. */
export interface ServerOptions extends Partial<Omit<Rules, "startTls" | "mechanisms" | "xclient">> {
  readonly handler: Handler;
  readonly addresses?: readonly string[];
  /** 0 for any free one, the same on every address. */
  readonly port?: number;
  /** Where TLS begins at once; absent: nowhere. */
  readonly tlsPort?: number;
  readonly maxClients?: number;
  readonly maxClientsPerAddress?: number;
  readonly commandTimeout?: number;
  readonly dataTimeout?: number;
  /** For a handshake of TLS, and for the header of a proxy. */
  readonly handshakeTimeout?: number;
  /** Absent: no TLS. */
  readonly tls?: TlsSource;
  /** Absent: no AUTH. */
  readonly auth?: Authenticator;
  /** Who may speak for others, by XCLIENT or the PROXY protocol. */
  readonly proxies?: readonly Network[];
  /** Proxies must send a PROXY header. */
  readonly proxyProtocol?: boolean;
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
  handshakeTimeout: 30_000,
} as const;

export type Options = ServerOptions & typeof DEFAULTS;

/** For the session of a client; `xclient`: of one that may speak for others. */
export function rulesOf(options: Options, xclient: boolean): Rules {
  let known = rules.get(options);
  if (known === undefined) rules.set(options, known = new Map());
  let found = known.get(xclient);
  if (found === undefined) {
    const { tls, auth } = options;
    found = { ...options, startTls: tls !== undefined, mechanisms: auth?.mechanisms, xclient };
    known.set(xclient, found);
  }
  return found;
}

/** Options change seldom, and most clients have the same. */
const rules = new WeakMap<Options, Map<boolean, Rules>>();
