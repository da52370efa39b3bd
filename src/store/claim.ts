/**
 * Hands out what is due: by destination, each as much as is fair, the longest due first.
 *
 * Promises: a claim costs no more however long the queue is, or the backlog of one
 * destination; what nobody settles within its lease is handed out again; a message whose row
 * makes no sense is set aside, and delays no other.
 */

import type { Database, Row } from "../ports/database.ts";
import { ALL_OTHERS, type Claim, type Claimed, type ClaimRequest } from "../ports/store.ts";
import { recipientOf, senderOf } from "./rows.ts";

/** RFC 5321 §4.5.3.1.8: what every server takes in one transaction. */
const MOST_RECIPIENTS = 100;

/**
 * How many more transactions a destination may have: never so many that it has more than
 * are then still free. So one that answers slowly, or not at all, leaves room for the next;
 * and each one, however late it comes, gets something as long as anything is free.
 */
export function share(free: number, busy: number, most: number): number {
  const fair = busy === 0 ? Math.ceil(free / 2) : Math.floor((free - busy) / 2);
  return Math.max(0, Math.min(most - busy, fair));
}

/** What was handed out, and messages that are not as they were written. */
export interface ClaimedPart extends Claimed {
  readonly damaged: readonly Damage[];
}

export interface Damage {
  readonly message: number;
  readonly id?: string;
  readonly reason: string;
}

export class Claims {
  readonly #setAside: (damage: Damage) => void;
  readonly #destinations;
  readonly #destinationsOf;
  readonly #recipients;
  readonly #message;
  readonly #lease;
  readonly #earliest;
  readonly #setDue;
  readonly #forget;
  readonly #next;
  readonly #leased;
  readonly #endLeases;
  /** No other claim has the same: by it what was handed out can be taken back. */
  lastLease = 0;

  constructor(database: Database, setAside: (damage: Damage) => void) {
    this.#setAside = setAside;
    const prepare = (sql: string) => database.prepare(sql);
    this.#destinations = prepare(
      "SELECT domain FROM destination WHERE due <= ? ORDER BY due LIMIT ?",
    );
    this.#destinationsOf = prepare(
      "SELECT domain FROM destination WHERE due <= ? " +
        "AND domain IN (SELECT value FROM json_each(?)) ORDER BY due LIMIT ?",
    );
    this.#recipients = prepare(
      "SELECT message, position, address, wishes, attempts, delay_told, due FROM recipient " +
        "WHERE domain = ? AND state = 0 AND due <= ? ORDER BY due, message, position LIMIT ?",
    );
    this.#message = prepare(
      "SELECT id, sender, wishes, size, entered_at FROM message WHERE number = ?",
    );
    this.#lease = prepare(
      "UPDATE recipient SET due = ?, lease = ? WHERE message = ? AND position = ?",
    );
    this.#earliest = prepare(
      "SELECT min(due) AS due FROM recipient WHERE domain = ? AND state = 0",
    );
    this.#setDue = prepare("UPDATE destination SET due = ? WHERE domain = ?");
    this.#forget = prepare("DELETE FROM destination WHERE domain = ?");
    this.#next = prepare("SELECT min(due) AS due FROM destination WHERE due > ?");
    this.#leased = prepare(
      // Left to itself the engine would look at every recipient that is queued.
      "SELECT DISTINCT domain FROM recipient INDEXED BY recipient_lease " +
        "WHERE lease >= ?1 AND lease <= ?2 AND state = 0",
    );
    this.#endLeases = prepare(
      "UPDATE recipient SET lease = NULL, due = ?3 WHERE lease >= ?1 AND lease <= ?2",
    );
  }

  claim(request: ClaimRequest, time: number): ClaimedPart {
    const { free, perDestination, busy, windows = [], lease } = request;
    const apart = request.apart && new Set(request.apart);
    const keyOf = (domain: string) => !apart || apart.has(domain) ? domain : ALL_OTHERS;
    const allowed = new Map(windows);
    const until = this.lastLease = Math.max(time + lease, this.lastLease + 1);
    const damaged: Damage[] = [];
    const inUse = new Map(busy);
    const claims: Claim[] = [];
    let left = free;
    const mayHave = (key: string) =>
      share(left, inUse.get(key) ?? 0, allowed.get(key) ?? perDestination);
    const hasOthers = () => apart !== undefined && mayHave(ALL_OTHERS) > 0;
    for (let again = true; again && left > 0;) {
      const withOthers = hasOthers();
      again = false;
      // Each of them yields something, is busy, or was not due after all.
      const due = apart === undefined || withOthers
        ? this.#destinations.all(time, inUse.size + left)
        : this.#destinationsOf.all(time, JSON.stringify(request.apart), inUse.size + left);
      const domains = due.map(({ domain }) => String(domain))
        .filter((each) => mayHave(keyOf(each)) > 0);
      for (const [i, domain] of domains.entries()) {
        const key = keyOf(domain);
        const most = mayHave(key);
        // Those that are due together have the same; what some of them leave is for another round.
        const same = Math.min(most, Math.ceil(left / (domains.length - i)));
        if (same === 0) continue;
        const found = this.#claimOf(domain, same, { time, until, damaged });
        if (found.length === 0 || (found.length === same && same < most)) again = true;
        claims.push(...found);
        inUse.set(key, (inUse.get(key) ?? 0) + found.length);
        left -= found.length;
      }
      // They may have stood before all that go another way.
      if (withOthers && !hasOthers()) again = true;
    }
    const next = this.#next.get(time)?.due ?? null;
    return { claims, next: next === null ? undefined : Number(next), damaged };
  }

  #claimOf(
    domain: string,
    most: number,
    { time, until, damaged }: { time: number; until: number; damaged: Damage[] },
  ): Claim[] {
    const claims = this.#transactionsOf(domain, most, time).flatMap((group) => {
      const claim = this.#claimFor(domain, group, until);
      if (!("reason" in claim)) return [claim];
      this.#setAside(claim);
      damaged.push(claim);
      return [];
    });
    const { due } = this.#earliest.get(domain)!;
    if (due === null) this.#forget.run(domain);
    else this.#setDue.run(due, domain);
    return claims;
  }

  /** As many as there may be, each with all of its recipients. */
  #transactionsOf(domain: string, most: number, time: number): Row[][] {
    // Most messages have one recipient in a domain: so many rows are nearly always enough.
    for (let limit = most + 1;; limit *= 10) {
      const rows = this.#recipients.all(domain, time, limit);
      const groups = grouped(rows);
      // The last of them may go on.
      if (rows.length < limit || groups.length > most) return groups.slice(0, most);
    }
  }

  #claimFor(domain: string, group: readonly Row[], lease: number): Claim | Damage {
    const message = Number(group[0].message);
    const row = this.#message.get(message);
    if (row === undefined) return { message, reason: "its row is missing" };
    let claim: Claim;
    try {
      claim = { message, domain, lease, ...claimFrom(row, group) };
    } catch (error) {
      return { message, id: String(row.id), reason: `its row cannot be read: ${error}` };
    }
    for (const { position } of group) this.#lease.run(lease, lease, message, position);
    return claim;
  }

  /** Whoever had this lease, or any, has not heard of it, or is dead. The destinations with some. */
  endLeases(time: number, { first = 0, last = Number.MAX_SAFE_INTEGER } = {}): string[] {
    const domains = this.#leased.all(first, last).map(({ domain }) => String(domain));
    if (domains.length > 0) this.#endLeases.run(first, last, time);
    return domains;
  }
}

function grouped(rows: readonly Row[]): Row[][] {
  const groups: Row[][] = [];
  for (const row of rows) {
    const group = groups.at(-1);
    const first = group?.[0];
    const isSame = first?.message === row.message && first?.due === row.due;
    if (group !== undefined && isSame && group.length < MOST_RECIPIENTS) group.push(row);
    else groups.push([row]);
  }
  return groups;
}

function claimFrom(row: Row, group: readonly Row[]) {
  return {
    id: String(row.id),
    sender: senderOf(row),
    size: Number(row.size),
    enteredAt: Number(row.entered_at),
    recipients: group.map((recipient) => ({
      ...recipientOf(recipient),
      position: Number(recipient.position),
      attempts: Number(recipient.attempts),
      delayTold: recipient.delay_told === 1,
    })),
  };
}
