/**
 * What the stages need of the world, as interfaces: `deno/` serves them in the daemon,
 * `tests/fakes/` in tests.
 */

import type { Digests } from "./ports/digests.ts";
import type { Outward } from "./ports/outward.ts";
import type { Signing } from "./ports/signing.ts";
import type { KeyPair, Tls } from "./ports/tls.ts";
import type { Meter } from "./meter.ts";

/** Milliseconds throughout. */
export interface Clock {
  /** The time of day, for what is stored or shown. It may jump. */
  now(): number;
  /** Time that never jumps, for deadlines. */
  monotonic(): number;
  /** Calls back once, early only where the delay is weeks; the returned function takes it back. */
  timer(delay: number, call: () => void): () => void;
}

export interface Random {
  /** Fills with octets that nobody can guess. */
  fill(octets: Uint8Array<ArrayBuffer>): void;
}

export interface Endpoint {
  readonly hostname: string;
  readonly port: number;
}

/** A stream of octets to a client. What a `Deno.TcpConn` has, so that one can be used as it is. */
export interface Connection {
  readonly remoteAddr: Endpoint;
  /** Octets read into the buffer; `null` at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Octets that are the caller's own from then on, where they need not be copied. */
  take?(): Promise<Uint8Array<ArrayBuffer> | null>;
  /**
   * Octets written, which may be fewer than given. Of none, it resolves no sooner than a read
   * of what has arrived already.
   */
  write(octets: Uint8Array): Promise<number>;
  /** Ends our side: the peer reads what was written, then the end. */
  closeWrite(): Promise<void>;
  close(): void;
}

export interface Listener {
  readonly addr: Endpoint;
  accept(): Promise<Connection>;
  close(): void;
}

/** An address that cannot be listened on, and why, in words for the operator. */
export class ListenError extends Error {
  override name = "ListenError";

  constructor(
    readonly endpoint: Endpoint,
    readonly reason: "in use" | "no such address" | "not permitted" | "other",
    detail: string,
  ) {
    super(`listen on ${endpoint.hostname} port ${endpoint.port}: ${detail}`);
  }
}

export interface Net {
  /** Throws a ListenError. */
  listen(endpoint: Endpoint): Listener;
}

/** Names that cannot be looked up now; nothing is known about them. */
export class LookupError extends Error {
  override name = "LookupError";
}

export interface Resolver {
  /** The addresses of a host; none if it has none. Throws a LookupError. */
  addresses(host: string): Promise<readonly string[]>;
  /** The names of an address; none if it has none. Throws a LookupError. */
  names(address: string): Promise<readonly string[]>;
}

export type LogLevel = "debug" | "info" | "warning" | "error";

export type LogFields = Readonly<Record<string, string | number | boolean | Date | undefined>>;

/** Or what makes them, which is only called where somebody reads them. */
export type LazyLogFields = LogFields | (() => LogFields);

/** Takes events; never throws, never waits. */
export type Log = (level: LogLevel, event: string, fields?: LazyLogFields) => void;

export const fieldsOf = (fields: LazyLogFields): LogFields =>
  typeof fields === "function" ? fields() : fields;

/** Everything that surrounds a server. */
export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly net: Net;
  readonly resolver: Resolver;
  readonly log: Log;
  readonly meter: Meter;
  readonly tls: Tls;
  readonly outward: Outward;
  readonly digests: Digests;
  readonly signing: Signing;
  readonly processors: number;
  /** Octets that this process has in memory. */
  memory(): number;
  readonly readText: Environment["readText"];
  readonly namesIn: Environment["namesIn"];
}

/** Whoever started the daemon and wants to know how it is; may be nobody. */
export interface Manager {
  ready(status: string): void;
  reloading(): void;
  stopping(status: string): void;
  alive(): void;
}

/** What settings are read from. */
export interface Environment {
  readonly variables: Readonly<Record<string, string>>;
  readonly processors: number;
  hostname(): string | undefined;
  readText(path: string): string | { readonly missing: boolean; readonly reason: string };
  /** What is in a folder; `file`: it is none. */
  namesIn(folder: string): readonly string[] | { readonly file: boolean; readonly reason: string };
  /** Why a certificate and a key cannot serve together, if they cannot. */
  faultOf(pair: KeyPair): string | undefined;
  /** Why a key cannot sign, if it cannot. */
  faultOfKey(pem: string): string | undefined;
}
