/**
 * Takes a message into the store. Only when the store has it is it accepted.
 *
 * On failure the client is told to come again: 452 where room may be made, else 451.
 */

import type { Handler } from "./mail/handler.ts";
import type { Envelope } from "./mail/envelope.ts";
import { type Log, type Store, StoreFullError } from "./ports.ts";
import { format } from "./smtp/address.ts";
import type { Reply } from "./smtp/reply.ts";
import * as replies from "./smtp/replies.ts";

export function intake(store: Store, log: Log): Handler {
  return async (envelope: Envelope): Promise<Reply> => {
    try {
      await store.commit(envelope);
    } catch (error) {
      log("error", "message not stored", { id: envelope.id, error: String(error) });
      return error instanceof StoreFullError ? replies.storeFull : replies.notStored;
    }
    log("info", "message accepted", {
      id: envelope.id,
      from: `<${format(envelope.sender.mailbox)}>`,
      to: envelope.recipients.length === 1
        ? `<${format(envelope.recipients[0].mailbox)}>`
        : `${envelope.recipients.length} recipients`,
      size: envelope.content.size,
      client: envelope.client.address,
    });
    return replies.accepted(envelope.id);
  };
}
