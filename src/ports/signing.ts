/** Keys that messages are signed with. */

import type { Algorithm, Sha256 } from "../mail/dkim.ts";

export type { Algorithm, Sha256 };

/** A key that cannot be used, and why. It tells nothing of the key. */
export class KeyError extends Error {
  override name = "KeyError";
}

export interface SigningKey {
  readonly algorithm: Algorithm;
  /** As the record in DNS has it behind `p=`, in base64 (RFC 6376 §3.6.1, RFC 8463 §4.2). */
  readonly publicKey: string;
  readonly bits: number;
  /** Hashes the octets and signs. What takes long is done off this thread. */
  sign(octets: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
}

export interface Signing {
  /** Throws a KeyError. */
  key(pem: string): Promise<SigningKey>;
  generate(algorithm: Algorithm): Promise<{ readonly pem: string; readonly key: SigningKey }>;
  sha256(): Sha256;
}
