/** What passwords are checked with. What takes long is done off the critical thread. */

type Octets = Uint8Array<ArrayBuffer>;

/** RFC 7914 §2. */
export interface ScryptCost {
  /** The cost is two to the power of it. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

export interface Digests {
  sha256(octets: Octets): Octets;
  /** HMAC-SHA-256. */
  hmac(key: Octets, octets: Octets): Octets;
  /** PBKDF2-HMAC-SHA-256, of 32 octets. */
  pbkdf2(password: Octets, salt: Octets, iterations: number): Promise<Octets>;
  scrypt(password: Octets, salt: Octets, cost: ScryptCost, length: number): Promise<Octets>;
  /** In a time that tells nothing of where they differ. */
  same(a: Octets, b: Octets): boolean;
}
