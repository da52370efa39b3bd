/** Connections to others. */

import type { Connection, Endpoint } from "../ports.ts";
import type { SecureConnection, Secured } from "./tls.ts";

export type { SecureConnection, Secured };

/** A server that could not be reached, and why, in a few words. */
export class DialError extends Error {
  override name = "DialError";
}

/** Whom the server must prove to be, and whether it must. */
export interface TlsWish {
  readonly hostname: string;
  readonly verified: boolean;
}

/** TLS with a server, as it came to be. */
export interface SecuredServer {
  readonly connection: SecureConnection;
  /** Why its certificate is not valid; absent where it is. */
  readonly doubt?: string;
}

export interface Outward {
  /**
   * The text at an address of HTTPS whose server is verified, without being led elsewhere.
   * Rejects for whatever else, and what is too large or comes too late.
   */
  fetchText(url: string): Promise<string>;
  /** Addresses of this host. */
  ownAddresses(): readonly string[];
  /** Throws a DialError; the signal ends the wait. */
  dial(endpoint: Endpoint, signal: AbortSignal): Promise<Connection>;
  /**
   * Begins TLS. Rejects with a HandshakeError, the connection closed; so it does where the server
   * must be verified and is not.
   */
  secure(connection: Connection, wish: TlsWish): Promise<SecuredServer>;
}
