/**
 * The store: keeps messages, their recipients and what was tried for them.
 *
 * Promises: `commit` resolves only when the message is on stable storage, and leaves nothing
 * behind when it rejects; every recipient is in one state at any time, and the tally of all
 * states is changed together with them.
 */

import type { Client, Envelope } from "../mail/envelope.ts";
import type { Attempt } from "../mail/outcome.ts";
import type { Content } from "../smtp/content.ts";
import type { Recipient, Sender } from "../smtp/transaction.ts";
import type { Space } from "./files.ts";

/** `captured`, `delivered`, `failed`, `dropped`: it has left the queue. */
export type RecipientState =
  | "queued"
  | "held"
  | "captured"
  | "delivered"
  | "failed"
  | "dropped"
  | "quarantined";

/** A message to be kept. */
export interface Entry {
  readonly envelope: Envelope;
  readonly state: "queued" | "held" | "captured";
  /** A client's, or made here: a bounce, a notice. */
  readonly origin: "accepted" | "generated";
  /** Why it is held. */
  readonly note?: string;
  /** Decoded; for people. */
  readonly subject: string;
  /** What a search looks in, in lower case. */
  readonly keys: string;
  /** Most recipients of this client that may be in the queue; none: any number. */
  readonly limit?: number;
}

/** Stands for all domains whose mail goes the same way. */
export const ALL_OTHERS = "*";

export interface ClaimRequest {
  /**
   * Domains that are destinations of their own, where all the others are one, `ALL_OTHERS`: a
   * relay takes their mail. Absent: each domain is one.
   */
  readonly apart?: readonly string[];
  /** How many more transactions can be driven. */
  readonly free: number;
  /** Most of them to one destination. */
  readonly perDestination: number;
  /** Destinations that may have more now, or fewer. */
  readonly windows?: readonly (readonly [domain: string, transactions: number])[];
  /** Destinations that have some already. */
  readonly busy: readonly (readonly [domain: string, transactions: number])[];
  /** Milliseconds until others may take them up. */
  readonly lease: number;
}

/** One message to its recipients in one domain: what one transaction carries. */
export interface Claim {
  readonly message: number;
  readonly id: string;
  readonly domain: string;
  readonly sender: Sender;
  readonly recipients: readonly ClaimedRecipient[];
  readonly size: number;
  /** In the store's own time. */
  readonly enteredAt: number;
  /** Names the lease: what is settled without it is settled by another. */
  readonly lease: number;
}

export interface ClaimedRecipient extends Recipient {
  readonly position: number;
  /** Attempts before this one. */
  readonly attempts: number;
  readonly delayTold: boolean;
}

export interface Claimed {
  readonly claims: readonly Claim[];
  /** When the next will be due, in the store's time; none: nothing is queued. */
  readonly next: number | undefined;
}

/** What became of a claim. */
export interface Settlement {
  readonly message: number;
  readonly lease: number;
  readonly recipients: readonly SettledRecipient[];
  /** Bounces and notices that this makes due; kept together with it, or not at all. */
  readonly generated: readonly Entry[];
}

export interface SettledRecipient {
  readonly position: number;
  /** Absent: it was not tried, and is due as before. */
  readonly attempt?: Attempt;
  readonly state: "delivered" | "queued" | "held" | "failed";
  /** In the store's time; of what is queued. */
  readonly due?: number;
  readonly delayTold?: boolean;
  /** Of what failed: whether its sender is told. */
  readonly bounced?: boolean;
}

/** Which messages an order is about. */
export type Selection =
  | { readonly ids: readonly string[] }
  | { readonly domain: string }
  | { readonly all: true };

/** What an order did. */
export interface Changed {
  readonly messages: number;
  readonly recipients: number;
  /** Recipients left alone because they are being delivered now. */
  readonly underway: number;
  /** Ids that no message has. */
  readonly unknown: readonly string[];
  /** Messages that were named, and have no recipient that the order is for. */
  readonly unfit: readonly Unfit[];
}

export interface Unfit {
  readonly id: string;
  /** Of its recipients, each once. */
  readonly states: readonly RecipientState[];
}

export interface Filter {
  /** Messages with a recipient in one of these states. */
  readonly states?: readonly RecipientState[];
  /** Looked for in subject, addresses and Message-ID. */
  readonly text?: string;
  /** Only what is older than this message: where the page before ended. */
  readonly before?: number;
  /** Oldest first, from behind this one. */
  readonly after?: number;
  readonly limit: number;
}

export interface MessageRow {
  readonly number: number;
  readonly id: string;
  readonly receivedAt: number;
  readonly sender: string;
  readonly subject: string;
  readonly size: number;
  readonly recipients: readonly RecipientRow[];
}

export interface RecipientRow {
  readonly address: string;
  readonly state: RecipientState;
  readonly attempts: number;
  /** By the clock on the wall, as far as can be told; of what is queued. */
  readonly nextAttempt?: number;
  readonly underway: boolean;
  readonly lastError?: string;
}

export interface ShownMessage extends MessageRow {
  readonly origin: "accepted" | "generated";
  readonly client: Client;
  readonly wishes: Sender;
  readonly attempts: readonly ShownAttempt[];
  /** Whether its content is still there to be read. */
  readonly hasContent: boolean;
}

export interface ShownAttempt extends Attempt {
  readonly address: string;
}

/** Counted in recipients, since the store was made. */
export interface Tally {
  readonly accepted: number;
  readonly generated: number;
  readonly delivered: number;
  readonly failed: number;
  readonly queued: number;
  readonly held: number;
  readonly captured: number;
  readonly dropped: number;
  readonly quarantined: number;
  /** Of the failed: whose sender is told, and whose is not to be. */
  readonly bounced: number;
  readonly unbounced: number;
}

export interface StoreStats extends Tally {
  /** Of the oldest message that is queued, and of what is due and has not been taken up. */
  readonly age: number;
  readonly overdue: number;
  /** Messages whose names in the spool are still to be written. */
  readonly lag: number;
  /** Messages that were acknowledged, and in the journal alone, when this was asked. */
  readonly untaken: number;
}

export interface Swept {
  readonly messages: number;
  /** Files that could not be removed, and why. */
  readonly problems: readonly string[];
}

/** How the queue is changed; a program of the command line has the same at hand. */
export interface Store {
  /** Rejects with a StoreFullError, QueueLimitError or StoreError. */
  commit(entry: Entry): Promise<void>;
  claim(request: ClaimRequest): Promise<Claimed>;
  settle(settlement: Settlement): Promise<void>;
  /**
   * The octets of a message; rejects with a DamagedError, and then it is quarantined. Whoever
   * tells its id has what was just committed without reading, once.
   */
  content(message: number, id?: string): Promise<Content>;
  list(filter: Filter): Promise<readonly MessageRow[]>;
  show(id: string): Promise<ShownMessage | undefined>;
  hold(which: Selection): Promise<Changed>;
  release(which: Selection): Promise<Changed>;
  drop(which: Selection): Promise<Changed>;
  /** Due now, whatever was planned. */
  requeue(which: Selection): Promise<Changed>;
  /** Removes what has left the queue and is older than this, in milliseconds. */
  sweep(age: number): Promise<Swept>;
  stats(): Promise<StoreStats>;
  /** Writes nothing, as safely as a message; rejects with a StoreError, as for that. */
  probe(): Promise<void>;
  /** Recipients that a client has in the queue. */
  queuedBy(client: Client): Promise<number>;
  /** On its disk, as it was at most a second ago; throws a StoreError where nobody can tell. */
  space(): Space;
  backup(folder: string): Promise<void>;
  /** Milliseconds; goes on evenly whatever happens to the clock on the wall. */
  time(): number;
  /** Called when there may be something due that was not before. */
  onNews(call: () => void): void;
  /** Called when it can keep nothing any more, and will not. */
  onBroken(call: (error: Error) => void): void;
  close(): Promise<void>;
}

/** It cannot be kept now. */
export class StoreError extends Error {
  override name = "StoreError";
}

/** There is no room for a message now; later there may be. */
export class StoreFullError extends StoreError {
  override name = "StoreFullError";
}

/** The client has as much in the queue as it may. */
export class QueueLimitError extends StoreError {
  override name = "QueueLimitError";
}

/** The octets are not those that were kept. */
export class DamagedError extends StoreError {
  override name = "DamagedError";
}

/** The spool cannot be used as it is, and why, in words for the operator. */
export class SpoolError extends Error {
  override name = "SpoolError";
}
