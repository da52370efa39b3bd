/** TLS on the listening side. */

import type { Connection } from "../ports.ts";
import type { Secured } from "../smtp/state.ts";

export type { Secured };

/** A certificate with its chain, and its private key, as PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** A certificate that cannot be used, and why. */
export class CertificateError extends Error {
  override name = "CertificateError";
}

/** A client with whom no TLS could be agreed on, and why. */
export class HandshakeError extends Error {
  override name = "HandshakeError";
}

export interface SecureConnection extends Connection {
  readonly secured: Secured;
}

/** What a server proves itself with. */
export interface TlsContext {
  /** When the certificate ends, in milliseconds since 1970. */
  readonly ends: number;
  /**
   * Waits for the client's handshake; closing the connection ends the wait. Rejects with a
   * HandshakeError, the connection closed.
   */
  accept(connection: Connection): Promise<SecureConnection>;
}

export interface Tls {
  /** Throws a CertificateError. */
  context(pair: KeyPair): TlsContext;
}
