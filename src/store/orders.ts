/**
 * What people order for messages in the queue: hold, release, drop, try now.
 *
 * Promises: a recipient that is being delivered at this moment is left alone, and counted as
 * such: what was handed to another server cannot be called back.
 */

import type { Database, Row } from "../ports/database.ts";
import type { Changed, RecipientState, Selection, Unfit } from "../ports/store.ts";
import type { Ledger } from "./ledger.ts";
import { numberOf, stateOf } from "./rows.ts";
import type { Settlements } from "./settle.ts";

export type Order = "hold" | "release" | "drop" | "requeue";

interface Rule {
  readonly from: readonly RecipientState[];
  /** Only where the message is named: captured mail is not meant by "all that is held". */
  readonly named?: readonly RecipientState[];
  readonly to: RecipientState;
}

const RULES: Readonly<Record<Order, Rule>> = {
  hold: { from: ["queued"], to: "held" },
  release: { from: ["held"], named: ["captured"], to: "queued" },
  drop: { from: ["queued", "held", "quarantined"], named: ["captured"], to: "dropped" },
  requeue: { from: ["queued"], to: "queued" },
};

/** Recipients that one transaction changes at most, so that mail comes in between. */
const MOST = 2_000;

/** Part of an order, and where to go on. */
export interface Ordered extends Changed {
  /** Ids of large bodies that nobody needs any more. */
  readonly released: readonly string[];
  readonly next: Place | undefined;
}

/** A recipient: behind it the order goes on. */
export interface Place {
  readonly message: number;
  readonly position: number;
  /** Its message is among those that were changed. */
  readonly counted: boolean;
}

export class Orders {
  readonly #database: Database;
  readonly #ledger: Ledger;
  readonly #settlements: Settlements;
  readonly #numberOf;
  readonly #states;
  readonly #change;

  constructor(database: Database, ledger: Ledger, settlements: Settlements) {
    this.#database = database;
    this.#ledger = ledger;
    this.#settlements = settlements;
    this.#numberOf = database.prepare("SELECT number FROM message WHERE id = ?");
    this.#states = database.prepare(
      "SELECT DISTINCT state FROM recipient WHERE message = ? ORDER BY state",
    );
    this.#change = database.prepare(
      "UPDATE recipient SET state = ?, due = ?, last_error = ? WHERE message = ? AND position = ?",
    );
  }

  carryOut(order: Order, which: Selection, from?: Place): Ordered {
    const unknown: string[] = [];
    const unfit: Unfit[] = [];
    const rows = "ids" in which
      ? [...new Set(which.ids)].flatMap((id) => {
        const number = this.#numberOf.get(id)?.number;
        if (number === undefined) {
          unknown.push(id);
          return [];
        }
        const rows = this.#rowsOf(order, Number(number));
        if (rows.length === 0) unfit.push({ id, states: this.#states.all(number).map(stateOf) });
        return rows;
      })
      : this.#rowsBehind(order, from, "domain" in which ? which.domain : undefined);
    const { to } = RULES[order];
    const messages = new Set<number>();
    let recipients = 0;
    let underway = 0;
    for (const row of rows) {
      if (row.lease !== null) {
        underway++;
        continue;
      }
      this.#changeOne(row, to, order);
      messages.add(Number(row.message));
      recipients++;
    }
    const released = order === "drop"
      ? [...messages].flatMap((message) => this.#settlements.letGo(message))
      : [];
    const last = rows.at(-1);
    const next = "ids" in which || rows.length < MOST ? undefined : placeOf(last!, messages, from);
    const again = from?.counted && messages.has(from.message) ? 1 : 0;
    const changed = { messages: messages.size - again, recipients, underway, unknown, unfit };
    return { ...changed, released, next };
  }

  #rowsOf(order: Order, message: number): Row[] {
    const { from, named = [] } = RULES[order];
    return this.#rows([...from, ...named], "AND r.message = ?", [message]);
  }

  #rowsBehind(order: Order, from: Place | undefined, domain: string | undefined): Row[] {
    const { message, position } = from ?? { message: 0, position: 0 };
    const ofDomain = domain === undefined ? "" : "AND r.domain = ?";
    return this.#rows(
      RULES[order].from,
      `AND (r.message, r.position) > (?, ?) ${ofDomain}`,
      [message, position, ...(domain === undefined ? [] : [domain])],
      MOST,
    );
  }

  #rows(
    states: readonly RecipientState[],
    where: string,
    values: (string | number)[],
    limit = -1,
  ): Row[] {
    return this.#database.prepare(
      "SELECT r.message, r.position, r.state, r.lease, r.domain, r.last_error, m.owner " +
        "FROM recipient r JOIN message m ON m.number = r.message " +
        `WHERE r.state IN (${states.map(numberOf).join()}) ${where} ` +
        `ORDER BY r.message, r.position LIMIT ${limit}`,
    ).all(...values);
  }

  #changeOne(row: Row, to: RecipientState, order: Order): void {
    const from = stateOf(row);
    // Why it was held says nothing of what comes now.
    const error = order === "release" ? null : row.last_error;
    this.#change.run(numberOf(to), 0, error, row.message, row.position);
    this.#ledger.move(from, to, String(row.owner));
    // Before everything that was ever planned.
    if (to === "queued") this.#ledger.due(String(row.domain), 0);
  }
}

function placeOf({ message, position }: Row, changed: Set<number>, from?: Place): Place {
  const number = Number(message);
  const counted = changed.has(number) || (from?.message === number && from.counted);
  return { message: number, position: Number(position), counted };
}

/** An order in as many parts as it takes. */
export async function wholeOrder(
  part: (from: Place | undefined) => Ordered | Promise<Ordered>,
): Promise<Changed> {
  let messages = 0, recipients = 0, underway = 0;
  const unknown: string[] = [];
  const unfit: Unfit[] = [];
  let from: Place | undefined;
  do {
    const done = await part(from);
    messages += done.messages;
    recipients += done.recipients;
    underway += done.underway;
    unknown.push(...done.unknown);
    unfit.push(...done.unfit);
    from = done.next;
  } while (from !== undefined);
  return { messages, recipients, underway, unknown, unfit };
}
