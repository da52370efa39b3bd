/**
 * Dinopost as a library: an SMTP server with a handler and middleware.
 *
 * @example
 * ```ts
 * import { replies, Server } from "./src/mod.ts";
 *
 * const server = new Server({
 *   port: 0,
 *   addresses: ["127.0.0.1"],
 *   handler: (envelope) => replies.accepted(envelope.id),
 * });
 * const stopped = server.listenAndServe();
 * console.log(`listening on port ${server.address.port}`);
 * await server.shutdown();
 * await stopped;
 * ```
 */

export { type Options, Server } from "./server.ts";
export type { Audit, Checks, ServerOptions } from "./inbound/options.ts";
export type { AccessRule, Network, Verdict } from "./inbound/access.ts";
export type { Answer, Authenticator } from "./inbound/authentication.ts";
export type { TlsSource } from "./inbound/certificates.ts";
export { CertificateError, type KeyPair } from "./ports/tls.ts";
export type { Handler, Middleware } from "./mail/handler.ts";
export type { Client, Envelope } from "./mail/envelope.ts";
export type { Content } from "./smtp/content.ts";
export type { Mailbox } from "./smtp/address.ts";
export type { Notify, Recipient, Sender } from "./smtp/transaction.ts";
export { type Reply, reply } from "./smtp/reply.ts";
export * as replies from "./smtp/replies.ts";
export { ListenError } from "./ports.ts";
