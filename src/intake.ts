/**
 * Takes a message into the store: writes its trace in front of it, adds what a submitting
 * client left out, be it the empty line before the text, and accepts it only when the store has
 * it.
 *
 * On failure the client is told to come again: 452 where room may be made, else 451. A message
 * that goes in circles is refused for good.
 */

import { examine } from "./mail/headers.ts";
import type { Handler } from "./mail/handler.ts";
import { prepend, withHeaderEnded } from "./mail/insertion.ts";
import type { Bounce, Reporter } from "./mail/bounce.ts";
import type { Client, Envelope } from "./mail/envelope.ts";
import { made, missing, MOST_HOPS, received } from "./mail/trace.ts";
import type { Log, LogFields, World } from "./ports.ts";
import type { Space } from "./ports/files.ts";
import {
  type Entry,
  QueueLimitError,
  type Store,
  StoreError,
  StoreFullError,
} from "./ports/store.ts";
import { format, type Mailbox } from "./smtp/address.ts";
import type { Content } from "./smtp/content.ts";
import type { Reply } from "./smtp/reply.ts";
import * as replies from "./smtp/replies.ts";

export interface IntakeRules {
  readonly hostname: string;
  readonly hideClient: boolean;
  /** What becomes of a message first, and why it is held. */
  readonly state: Entry["state"];
  readonly note?: string;
  /** Most recipients of one client in the queue. */
  readonly maxQueuedPerClient?: number;
  /** Octets that must be free. */
  readonly minFree: number;
}

/** Files that must still be possible, where the disk has only so many. */
const LEAST_FILES = 16;

/** The fields to stand in front of a content that prove whose it is; empty: there is no key. */
export type Sign = (content: Content, sender: Mailbox | null) => string | Promise<string>;

/** The rules are asked for at each message: they may change while the daemon runs. */
export function intake(
  store: Store,
  { log, meter }: Pick<World, "log" | "meter">,
  rules: () => IntakeRules,
  sign: Sign,
): Handler {
  return async (envelope: Envelope): Promise<Reply> => {
    const { id } = envelope;
    const examined = examine(envelope.content);
    if (examined.hops >= MOST_HOPS) {
      log("warning", "message goes in circles", { id, hops: examined.hops });
      return replies.tooManyHops(MOST_HOPS);
    }
    const { hostname, hideClient, state, note, maxQueuedPerClient } = rules();
    const whole = withHeaderEnded(envelope.content, examined.textAt);
    const added = missing(examined, envelope, hostname);
    let signature: string;
    try {
      const signed = sign(prepend(whole, added), envelope.sender.mailbox);
      signature = typeof signed === "string" ? signed : await signed;
    } catch (error) {
      log("error", "message not signed", { id, error: String(error) });
      return replies.notSigned;
    }
    const header = received(envelope, { hostname, hideClient }) + signature + added;
    const content = prepend(whole, header);
    const { subject, keys } = examined;
    try {
      await store.commit({
        envelope: { ...envelope, content },
        state,
        origin: "accepted",
        note,
        subject,
        keys,
        limit: maxQueuedPerClient,
      });
    } catch (error) {
      return refusalFor(error, id, log);
    }
    meter.queued.value++;
    const { client } = envelope;
    log("info", "message accepted", {
      id,
      session: envelope.session,
      from: `<${format(envelope.sender.mailbox)}>`,
      to: envelope.recipients.length === 1
        ? `<${format(envelope.recipients[0].mailbox)}>`
        : `${envelope.recipients.length} recipients`,
      size: envelope.content.size,
      client: client.address,
      helo: client.helo,
      tls: client.tls?.version,
      user: client.user,
    });
    return replies.accepted(id);
  };
}

/** What is made here goes the way of all mail. Rejects where it cannot be signed. */
export async function entryOf(
  bounce: Bounce,
  { id, now, hostname }: Reporter,
  sign: Sign,
): Promise<Entry> {
  const { subject, keys } = examine(bounce.content);
  const header = made({ id, receivedAt: now }, hostname) + await sign(bounce.content, null);
  const content = prepend(bounce.content, header);
  const client: Client = { address: "", port: 0, helo: hostname, esmtp: true };
  return {
    envelope: { ...bounce, id, client, content, receivedAt: now },
    state: "queued",
    origin: "generated",
    subject,
    keys,
  };
}

function refusalFor(error: unknown, id: string, log: Log): Reply {
  if (error instanceof QueueLimitError) return replies.queueLimit;
  log("error", "message not stored", { id, error: String(error) });
  return error instanceof StoreFullError ? replies.storeFull : replies.notStored;
}

/** What there is too little of on the disk for mail to come; none: there is room. */
export function wantOfRoom({ free, files }: Space, minFree: number): string | undefined {
  if (free < minFree) return `${free} octets are free, SMTP_MIN_FREE is ${minFree}`;
  if (files === undefined || files >= LEAST_FILES) return undefined;
  return `${files} more files can be made, ${LEAST_FILES} must be`;
}

/** Whether a message may come, asked before it does: what is known then need not be sent. */
export function roomCheck(store: Store, log: Log, rules: () => IntakeRules) {
  let told: Reply | undefined;
  const tell = (refusal: Reply | undefined, fields: LogFields) => {
    if (refusal === told) return;
    told = refusal;
    if (refusal === undefined) log("info", "room on the disk again: mail is taken", fields);
    else if (refusal === replies.storeFull) {
      log("error", "no room on the disk: mail is refused", fields);
    } else log("error", "room on the disk is not known: mail is refused", fields);
  };
  const refusalNow = (minFree: number): Reply | undefined => {
    let space: Space;
    try {
      space = store.space();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      tell(replies.notStored, { error: error.message });
      return replies.notStored;
    }
    const isFull = wantOfRoom(space, minFree) !== undefined;
    const refusal = isFull ? replies.storeFull : undefined;
    tell(refusal, { ...space, minFree });
    return refusal;
  };
  return (
    _sender: unknown,
    recipients: readonly unknown[],
    client: Client,
  ): Reply | undefined | Promise<Reply | undefined> => {
    const { minFree, maxQueuedPerClient } = rules();
    const refusal = refusalNow(minFree);
    if (refusal !== undefined) return refusal;
    if (maxQueuedPerClient === undefined) return undefined;
    return store.queuedBy(client).then((queued) =>
      queued + recipients.length > maxQueuedPerClient ? replies.queueLimit : undefined
    );
  };
}
