/** Names, as delivery needs them: what there is not is told apart from what is not known now. */

export interface Mx {
  readonly preference: number;
  /** Without its trailing dot; empty: mail is not taken (RFC 7505). */
  readonly host: string;
}

export type Answer<T> =
  | { readonly kind: "found"; readonly records: readonly T[] }
  /** The name is there, but has none of these. */
  | { readonly kind: "none" }
  | { readonly kind: "nonexistent" }
  /** Nothing is known now, and why. */
  | { readonly kind: "unknown"; readonly reason: string };

export interface Dns {
  mx(name: string): Promise<Answer<Mx>>;
  addresses(name: string, family: "ipv4" | "ipv6"): Promise<Answer<string>>;
  /** Each record in one piece. */
  texts(name: string): Promise<Answer<string>>;
}
