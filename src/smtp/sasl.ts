/**
 * What passes between the two sides of AUTH (RFC 4954): the mechanisms, the octets said and
 * asked so far, and the base64 that they travel in. Whether a client is who it says is for
 * others to find out.
 */

/** In the order in which they are offered. */
export const MECHANISMS = ["SCRAM-SHA-256", "PLAIN", "LOGIN"] as const;

export type Mechanism = (typeof MECHANISMS)[number];

export interface Exchange {
  readonly mechanism: Mechanism;
  /** What the client said, in its order. */
  readonly said: readonly Uint8Array[];
  /** The challenges between: one less than what was said, or as many. */
  readonly asked: readonly Uint8Array[];
}

/** `undefined` for what is no base64 (RFC 4648 §4), to the last bit. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) {
    return undefined;
  }
  const octets = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return toBase64(octets) === text ? octets : undefined;
}

export function toBase64(octets: Uint8Array): string {
  let text = "";
  for (const octet of octets) text += String.fromCharCode(octet);
  return btoa(text);
}
