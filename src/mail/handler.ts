/** What becomes of a message: the server's user says. */

import type { Envelope } from "./envelope.ts";
import type { Reply } from "../smtp/reply.ts";

/**
 * The reply to the message. A positive one is a promise: the message is safe. Content may be
 * given away by whoever keeps it: behind `next` it is no longer there to be read.
 */
export type Handler = (envelope: Envelope) => Reply | Promise<Reply>;

/** Stands around the handler: m1 → m2 → handler → m2 → m1. */
export type Middleware = (envelope: Envelope, next: Handler) => Reply | Promise<Reply>;

export function compose(middleware: readonly Middleware[], handler: Handler): Handler {
  return middleware.reduceRight<Handler>(
    (next, outer) => (envelope) => outer(envelope, next),
    handler,
  );
}
