/**
 * Writes down what became of recipients, and lets go of bodies that nobody needs any more.
 *
 * Promises: what was delivered is never due again; a settlement whose lease has run out does
 * not undo what was decided since, but is kept among the attempts.
 */

import type { Database } from "../ports/database.ts";
import type { SettledRecipient, Settlement } from "../ports/store.ts";
import type { Ledger } from "./ledger.ts";
import { numberOf, PLACE, stateOf, STATES } from "./rows.ts";

/** A settlement as it goes from thread to thread: what it generates goes beside it. */
export type BareSettlement = Omit<Settlement, "generated">;

export class Settlements {
  readonly #ledger: Ledger;
  readonly #viewed: boolean;
  readonly #recipient;
  readonly #change;
  readonly #putBack;
  readonly #left;
  readonly #setAside;
  readonly #addAttempt;
  readonly #active;
  readonly #body;
  readonly #dropBody;
  readonly #named;
  readonly #setNamed;
  readonly #finished;

  /** `viewed`: a body is also wanted until its names are written. */
  constructor(database: Database, ledger: Ledger, { viewed }: { viewed: boolean }) {
    this.#ledger = ledger;
    this.#viewed = viewed;
    const prepare = (sql: string) => database.prepare(sql);
    this.#recipient = prepare(
      "SELECT r.state, r.lease, r.domain, m.owner " +
        "FROM recipient r JOIN message m ON m.number = r.message " +
        "WHERE r.message = ? AND r.position = ?",
    );
    this.#change = prepare(
      "UPDATE recipient SET state = ?, attempts = attempts + 1, due = ?, lease = NULL, " +
        "last_error = ?, delay_told = max(delay_told, ?) WHERE message = ? AND position = ?",
    );
    this.#putBack = prepare(
      "UPDATE recipient SET due = ?, lease = NULL WHERE message = ? AND position = ?",
    );
    this.#left = prepare(
      "SELECT r.position, r.state, coalesce(m.owner, '') AS owner FROM recipient r " +
        "LEFT JOIN message m ON m.number = r.message WHERE r.message = ? AND r.state IN (0, 1, 2)",
    );
    this.#setAside = prepare(
      `UPDATE recipient SET state = ${numberOf("quarantined")}, lease = NULL, last_error = ? ` +
        "WHERE message = ? AND position = ?",
    );
    this.#addAttempt = prepare(
      "INSERT INTO attempt SELECT ?1, ?2, coalesce(max(sequence), 0) + 1, ?3, ?4 " +
        "FROM attempt WHERE message = ?1 AND position = ?2",
    );
    this.#active = prepare(
      "SELECT 1 FROM recipient WHERE message = ? AND state IN (0, 1, 2) LIMIT 1",
    );
    this.#body = prepare("SELECT id, place FROM message WHERE number = ?");
    this.#dropBody = prepare(
      `UPDATE message SET body = NULL, place = ${PLACE.gone} WHERE number = ?`,
    );
    this.#named = prepare("SELECT named FROM tally");
    this.#setNamed = prepare("UPDATE tally SET named = ?");
    this.#finished = prepare(
      `SELECT number FROM message WHERE number > ? AND number <= ? AND place <> ${PLACE.gone} ` +
        "AND NOT EXISTS (SELECT 1 FROM recipient WHERE message = number AND state IN (0, 1, 2))",
    );
  }

  /** The ids of large bodies that may be removed once this is stable. */
  settle({ message, lease, recipients }: BareSettlement): string[] {
    for (const settled of recipients) this.#settle(message, lease, settled);
    return this.letGo(message);
  }

  #settle(message: number, lease: number, settled: SettledRecipient): void {
    const { position, attempt, state, due = 0, delayTold = false, bounced = false } = settled;
    const row = this.#recipient.get(message, position);
    // Swept, since somebody dropped it meanwhile.
    if (row === undefined) return;
    const before = stateOf(row);
    const isOurs = before === "queued" && row.lease === lease;
    if (attempt === undefined) {
      if (!isOurs) return;
      this.#putBack.run(due, message, position);
      this.#ledger.due(String(row.domain), due);
      return;
    }
    const { at, outcome } = attempt;
    // What has arrived has arrived, whatever was decided meanwhile.
    if (isOurs || (state === "delivered" && before !== "delivered")) {
      const error = state === "delivered" ? null : outcome.reply;
      this.#change.run(numberOf(state), due, error, delayTold ? 1 : 0, message, position);
      this.#ledger.move(before, state, String(row.owner));
      if (state === "queued") this.#ledger.due(String(row.domain), due);
      if (state === "failed") this.#ledger.count(bounced ? "bounced" : "unbounced", 1);
    }
    this.#addAttempt.run(message, position, at, JSON.stringify(outcome));
  }

  /** Its octets are not what they were: nothing of it is delivered. The id of the message. */
  quarantine(message: number, reason: string): string | undefined {
    for (const { position, state, owner } of this.#left.all(message)) {
      this.#setAside.run(reason, message, position);
      this.#ledger.move(STATES[Number(state)], "quarantined", String(owner));
    }
    return this.#body.get(message)?.id as string | undefined;
  }

  /** Once no recipient is in the queue and the names are written. */
  letGo(message: number): string[] {
    if (this.#active.get(message) !== undefined) return [];
    if (this.#viewed && Number(this.#named.get()!.named) < message) return [];
    return this.#dropBodyOf(message);
  }

  #dropBodyOf(message: number): string[] {
    const row = this.#body.get(message);
    if (row === undefined || row.place === PLACE.gone) return [];
    this.#dropBody.run(message);
    return row.place === PLACE.file ? [String(row.id)] : [];
  }

  /** The names of all messages up to this one are written. */
  named(until: number): string[] {
    const before = Number(this.#named.get()!.named);
    if (until <= before) return [];
    this.#setNamed.run(until);
    return this.#finished.all(before, until).flatMap(({ number }) =>
      this.#dropBodyOf(Number(number))
    );
  }
}
