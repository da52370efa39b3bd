/** Where mail goes: a host at one of its addresses, and on what terms. */

export type Policy = "verify" | "opportunistic" | "require" | "none";

export interface Credentials {
  readonly user: string;
  readonly password?: string;
  /** OAuth2: asked for at each use, since it does not last. */
  readonly token?: () => string | undefined;
}

/** A server by name. */
export interface Host {
  readonly name: string;
  readonly port: number;
  readonly policy: Policy;
  /** TLS from the beginning. */
  readonly implicitTls: boolean;
  readonly credentials?: Credentials;
}

/** A server at one address. */
export interface Target extends Host {
  readonly address: string;
}

/** In logs, tables and bounces. */
export const placeOf = ({ name, address }: Target): string =>
  name === address ? `[${address}]` : `${name} [${address}]`;

/** Connections to it may be shared. */
export function keyOf({ name, address, port, policy, credentials }: Target): string {
  return [name, address, port, policy, credentials?.user].join(" ");
}
