/**
 * Where the mail of the daemon goes: takes it over connections of its own kind, one for each
 * transaction, and remembers what it has taken. Some recipients it puts off, by chance.
 *
 * The daemon sends a line of JSON, a `Handover`, and the octets of the message; it is answered
 * by a line with `1` for each recipient that was taken and `0` for each that was put off.
 * What breaks off before the last octet has not been taken.
 */

import type { Chance } from "./chance.ts";
import { examine } from "./letter.ts";

export interface Handover {
  /** Which start of the daemon. */
  readonly run: number;
  readonly size: number;
  readonly recipients: readonly string[];
}

/** A message that the sink has taken for some of its recipients. */
export interface Receipt {
  readonly run: number;
  readonly key: string | undefined;
  readonly sum: string;
  readonly recipients: readonly string[];
}

const PUT_OFF = 0.1;
/** Milliseconds until it answers: meanwhile the daemon may be killed. */
const SLOWEST = 30;

export class Sink implements AsyncDisposable {
  readonly receipts: Receipt[] = [];
  /** Recipients, in all of them. */
  taken = 0;
  readonly #chance: Chance;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;
  #progress = Promise.withResolvers<void>();

  constructor(chance: Chance) {
    this.#chance = chance;
    this.#accepting = this.#accept();
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  /** Resolves when it has taken more. */
  progress(): Promise<void> {
    return this.#progress.promise;
  }

  /** Resolves when no transaction is under way. */
  async idle(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open);
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      const work = this.#serve(connection).finally(() => this.#open.delete(work));
      this.#open.add(work);
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    try {
      const { run, recipients, octets } = await received(connection);
      const isTaken = recipients.map(() => !this.#chance.happens(PUT_OFF));
      const { key, sum } = examine(octets);
      this.#take({ run, key, sum, recipients: recipients.filter((_, i) => isTaken[i]) });
      const wait = this.#chance.between(0, SLOWEST);
      await new Promise((resolve) => setTimeout(resolve, wait));
      const answer = isTaken.map((is) => is ? "1" : "0").join("") + "\n";
      await connection.write(new TextEncoder().encode(answer));
    } catch {
      // The daemon was killed.
    } finally {
      connection.close();
    }
  }

  #take(receipt: Receipt): void {
    this.receipts.push(receipt);
    this.taken += receipt.recipients.length;
    this.#progress.resolve();
    this.#progress = Promise.withResolvers();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    await this.idle();
  }
}

const LF = 10;
const MOST_FIRST = 64 * 1024;

async function received(
  connection: Deno.TcpConn,
): Promise<Handover & { readonly octets: Uint8Array }> {
  const first = new Uint8Array(MOST_FIRST);
  let have = 0;
  let end = -1;
  while (end < 0) {
    have += await count(connection.read(first.subarray(have)));
    end = first.subarray(0, have).indexOf(LF);
  }
  const handover: Handover = JSON.parse(new TextDecoder().decode(first.subarray(0, end)));
  const octets = new Uint8Array(handover.size);
  octets.set(first.subarray(end + 1, have));
  for (let at = have - end - 1; at < octets.length;) {
    at += await count(connection.read(octets.subarray(at)));
  }
  return { ...handover, octets };
}

async function count(reading: Promise<number | null>): Promise<number> {
  const octets = await reading;
  if (octets === null) throw new Error("it broke off");
  return octets;
}
