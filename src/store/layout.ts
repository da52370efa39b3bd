/**
 * Where things lie in the spool.
 *
 *     queue.db        messages, recipients, attempts; the bodies of those in the queue
 *     journal-1, -2   messages that were acknowledged just now
 *     salvaged.db     what is made of a damaged database, until it takes its place
 *     damaged         there where a command has met damage: the daemon is to look for it
 *     daemon.lock     held by the one daemon that serves this spool
 *     mta-sts.json    what domains have published of their TLS, written by the way out
 *     bodies/         large bodies, a file each, under the id
 *     quarantine/     what is damaged
 *     2026-11-20/     the names of messages, one per recipient
 *
 * Promises: no address and no octet of a client's choosing is part of a name.
 */

import type { Disk } from "../ports/files.ts";

/** Bodies up to this size lie in the database. */
export const LARGE = 256 * 1024;

/** Of a Date. */
const LAST_TIME = 8.64e15;
const DAY = 86_400_000;

export class Layout {
  readonly database: string;
  /** What is made of a damaged database, until it takes its place. */
  readonly salvaged: string;
  /** Left by a command that has met damage. */
  readonly mark: string;
  readonly lock: string;
  /** One is written while the tables take what is in the other. */
  readonly journals: readonly [string, string];
  readonly bodies: string;
  readonly quarantine: string;

  /** Most messages are of the day of the one before. */
  #lastDay = { number: NaN, path: "" };

  constructor(readonly folder: string) {
    this.database = `${folder}/queue.db`;
    this.salvaged = `${folder}/salvaged.db`;
    this.mark = `${folder}/damaged`;
    this.lock = `${folder}/daemon.lock`;
    this.journals = [`${folder}/journal-1`, `${folder}/journal-2`];
    this.bodies = `${folder}/bodies`;
    this.quarantine = `${folder}/quarantine`;
  }

  body(id: string): string {
    return `${this.bodies}/${id}`;
  }

  day(receivedAt: number): string {
    // What is no time was not written by us; the message may be whole nevertheless.
    const time = Math.abs(receivedAt) <= LAST_TIME ? receivedAt : 0;
    const number = Math.floor(time / DAY);
    if (number !== this.#lastDay.number) {
      const path = `${this.folder}/${new Date(time).toISOString().slice(0, 10)}`;
      this.#lastDay = { number, path };
    }
    return this.#lastDay.path;
  }

  /** One for each recipient; such as differ only in case share one. */
  names(
    { id, receivedAt, addresses }: {
      readonly id: string;
      readonly receivedAt: number;
      readonly addresses: readonly string[];
    },
    digest: Disk["digest"],
  ): string[] {
    const day = this.day(receivedAt);
    const recipients = new Set(addresses.map((address) => address.toLowerCase()));
    return [...recipients].map((address) => `${day}/${id}_${digest(address).slice(0, 16)}.eml`);
  }
}
