/** What a conversation needs of whoever holds it. */

import type { Meter } from "../meter.ts";
import type { Clock, Connection } from "../ports.ts";
import type { SecureConnection } from "../ports/tls.ts";
import type { Reply } from "../smtp/reply.ts";
import type { Exchange } from "../smtp/sasl.ts";
import type { State } from "../smtp/state.ts";
import type { Claim } from "../smtp/xclient.ts";
import type { Answer } from "./authentication.ts";

/** Whom the session's questions go to. */
export interface Host {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly times: {
    readonly commandTimeout: number;
    readonly dataTimeout: number;
    readonly handshakeTimeout: number;
  };
  /** A refusal, or none. */
  ask(state: State & { at: "asking" }): Reply | undefined | Promise<Reply | undefined>;
  /** Takes a message; resolves once it is safe, or refused. Never rejects. */
  deliver(state: State & { at: "committing" }): Promise<Reply>;
  /** Whether the client is who it says. Never rejects. */
  authenticate(exchange: Exchange): Promise<Answer>;
  /** A fault of ours: the client is told 421. */
  failed(error: unknown): void;
  /** For whom the client speaks; a refusal, or none. */
  claim(claim: Claim): Reply | undefined | Promise<Reply | undefined>;
  /** The same connection under TLS; none, and the reason is told, where that fails. */
  secure(connection: Connection): Promise<SecureConnection | undefined>;
}
