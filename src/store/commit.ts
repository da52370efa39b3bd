/** Puts messages into the tables. */

import type { Client } from "../mail/envelope.ts";
import type { Database } from "../ports/database.ts";
import type { Disk } from "../ports/files.ts";
import type { Entry } from "../ports/store.ts";
import type { Recipient, Sender } from "../smtp/transaction.ts";
import type { Ledger } from "./ledger.ts";
import { addressOf, numberOf, PLACE, STATES, wishesOf, wishesOfSender } from "./rows.ts";

/** A message without its octets, as it goes from thread to thread, and into the journal. */
export interface Described {
  readonly id: string;
  readonly state: Entry["state"];
  readonly origin: Entry["origin"];
  readonly note: string | undefined;
  readonly receivedAt: number;
  readonly client: Client;
  readonly sender: Sender;
  readonly recipients: readonly Recipient[];
  readonly subject: string;
  readonly keys: string;
  readonly size: number;
}

export interface Packed extends Described {
  readonly limit: number | undefined;
  /** Where its octets begin among those of all; or the checksum of the file they are in. */
  readonly body: { readonly at: number } | { readonly checksum: number };
}

export function pack({ envelope, state, origin, note, subject, keys }: Entry): Described {
  const { id, receivedAt, client, sender, recipients, content } = envelope;
  return {
    id,
    state,
    origin,
    note,
    receivedAt,
    client,
    sender,
    recipients,
    subject,
    keys,
    size: content.size,
  };
}

export const ORIGINS = ["accepted", "generated"] as const;

/** Who a limit is counted for. */
export const ownerOf = ({ address, user }: Client): string =>
  user === undefined ? address : `user ${user}`;

export class Commits {
  readonly #ledger: Ledger;
  readonly #checksum: Disk["checksum"];
  readonly #lastNumber;
  readonly #addMessage;
  readonly #addRecipient;
  readonly #byId;
  readonly #states;
  readonly #removeRecipients;
  readonly #removeMessage;
  /** Of the last message; none: not known yet. Nobody but the daemon adds any. */
  #last: number | undefined;

  constructor(database: Database, ledger: Ledger, checksum: Disk["checksum"]) {
    this.#ledger = ledger;
    this.#checksum = checksum;
    this.#lastNumber = database.prepare("SELECT last_number FROM tally");
    this.#addMessage = database.prepare(
      "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) " +
        "ON CONFLICT (id) DO NOTHING",
    );
    this.#addRecipient = database.prepare(
      "INSERT INTO recipient (message, position, address, domain, wishes, state, due, last_error) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    );
    this.#byId = database.prepare("SELECT number, origin, owner FROM message WHERE id = ?");
    this.#states = database.prepare(
      "SELECT state, count(*) AS recipients FROM recipient WHERE message = ? GROUP BY state",
    );
    this.#removeRecipients = database.prepare("DELETE FROM recipient WHERE message = ?");
    this.#removeMessage = database.prepare("DELETE FROM message WHERE number = ?");
  }

  /** The number it got; none: it is there already. */
  add(packed: Packed, octets: Uint8Array, time: number): number | undefined {
    const owner = ownerOf(packed.client);
    const number = this.#nextNumber();
    const { body } = packed;
    const inRow = "at" in body ? octets.subarray(body.at, body.at + packed.size) : null;
    const { changes } = this.#addMessage.run(
      number,
      packed.id,
      ORIGINS.indexOf(packed.origin),
      packed.receivedAt,
      time,
      owner,
      JSON.stringify(packed.client),
      addressOf(packed.sender),
      wishesOfSender(packed.sender),
      packed.subject,
      packed.keys,
      packed.size,
      "at" in body ? this.#checksum(inRow!) : body.checksum,
      inRow === null ? PLACE.file : PLACE.row,
      inRow,
    );
    if (Number(changes) === 0) return undefined;
    const state = numberOf(packed.state);
    for (const [position, recipient] of packed.recipients.entries()) {
      const domain = recipient.mailbox.domain.toLowerCase();
      this.#addRecipient.run(
        number,
        position,
        addressOf(recipient),
        domain,
        wishesOf(recipient),
        state,
        time,
        packed.note ?? null,
      );
      if (packed.state === "queued") this.#ledger.due(domain, time);
    }
    this.#ledger.count(packed.origin, packed.recipients.length);
    this.#ledger.move(undefined, packed.state, owner, packed.recipients.length);
    return number;
  }

  /** Numbers grow for ever, also where the last messages have been removed. */
  #nextNumber(): number {
    this.#last ??= Number(this.#lastNumber.get()!.last_number);
    this.#ledger.lastNumber(++this.#last);
    return this.#last;
  }

  /** As if it had never been added. */
  remove(id: string): void {
    const row = this.#byId.get(id);
    if (row === undefined) return;
    const { number, origin, owner } = row;
    for (const { state, recipients } of this.#states.all(number)) {
      this.#ledger.count(ORIGINS[Number(origin)], -Number(recipients));
      this.#ledger.move(STATES[Number(state)], undefined, String(owner), Number(recipients));
    }
    this.#removeRecipients.run(number);
    this.#removeMessage.run(number);
  }

  /** The transaction came to nothing. */
  undo(): void {
    this.#last = undefined;
  }
}
