/** The server as programs use it: the inbound stage on this machine. */

import { world } from "./deno/world.ts";
import { Authentication } from "./inbound/authentication.ts";
import { Certificates, type TlsSource } from "./inbound/certificates.ts";
import { DEFAULTS, type ServerOptions } from "./inbound/options.ts";
import { Server as InboundServer } from "./inbound/server.ts";
import type { KeyPair } from "./ports/tls.ts";

export interface Options extends Omit<ServerOptions, "tls"> {
  /** A certificate and its key as PEM, or one that is made here and that nobody vouches for. */
  readonly tls?: KeyPair | "self-signed" | TlsSource;
  /** Passwords, or hashes of `dinopost hash-password`, by user; in place of `auth`. */
  readonly users?: ReadonlyMap<string, string>;
}

export class Server extends InboundServer {
  /** Throws a CertificateError where the pair is none. */
  constructor({ tls, users, ...options }: Options) {
    super({
      ...options,
      tls: sourceOf(tls, options.hostname ?? DEFAULTS.hostname),
      auth: options.auth ?? (users && new Authentication(users, world)),
    }, world);
  }
}

function sourceOf(tls: Options["tls"], hostname: string): TlsSource | undefined {
  if (tls === "self-signed") return new Certificates(hostname, undefined, world);
  if (tls === undefined || "context" in tls) return tls;
  const context = world.tls.context(tls);
  return { context: () => context };
}
