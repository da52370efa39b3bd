/**
 * Where the mail of the daemon goes: takes it as a server of others would (`session.ts`), and
 * remembers what it has taken. It kills the daemon where it is told to.
 *
 * What breaks off before the last dot has not been taken.
 */

import type { Chance } from "./chance.ts";
import { type Moment, type Receipt, Session, type Surroundings, type Tally } from "./session.ts";

export interface Stroke {
  readonly moment: Moment;
  readonly run: number;
  /** Milliseconds behind the moment. */
  readonly after?: number;
  /** Whether there was a daemon to be killed. */
  strike(): boolean;
}

export class Sink implements AsyncDisposable, Surroundings {
  readonly receipts: Receipt[] = [];
  /** Recipients, in all of them. */
  taken = 0;
  readonly tally: Tally = { sessions: 0, putOff: 0, tooMany: 0, deferred: 0, ended: 0, broken: 0 };
  /** What the daemon must not have said. */
  readonly complaints: string[] = [];
  readonly chance: Chance;
  readonly isCalm: boolean;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Map<Deno.Conn, Promise<void>>();
  readonly #accepting: Promise<void>;
  readonly #underway = new Set<Promise<void>>();
  #stroke: Stroke & { done(): void } | undefined;
  #progress = Promise.withResolvers<void>();

  /** One that is calm takes everything. */
  constructor(chance: Chance, { isCalm = false } = {}) {
    this.chance = chance;
    this.isCalm = isCalm;
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
    while (this.#underway.size > 0) await Promise.all(this.#underway);
  }

  /** At the next message that comes so far; resolves when it was done. Replaces the one before. */
  strike(stroke: Stroke): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stroke = { ...stroke, done: resolve };
    return promise;
  }

  /** What has not been done by now shall not be. */
  spare(): void {
    this.#stroke = undefined;
  }

  async reach(moment: Moment, run: number): Promise<boolean> {
    const stroke = this.#stroke;
    if (stroke?.moment !== moment || stroke.run !== run) return false;
    this.#stroke = undefined;
    const { after = 0 } = stroke;
    if (after > 0) await new Promise((resolve) => setTimeout(resolve, after));
    const isStruck = stroke.strike();
    stroke.done();
    return isStruck;
  }

  begin(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#underway.add(promise);
    return () => {
      this.#underway.delete(promise);
      resolve();
    };
  }

  take(receipt: Receipt): void {
    this.receipts.push(receipt);
    this.taken += receipt.recipients.length;
    this.#progress.resolve();
    this.#progress = Promise.withResolvers();
  }

  complain(of: string): void {
    this.complaints.push(of);
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      connection.setNoDelay(true);
      const work = new Session(connection, this).serve()
        .catch((error) => this.complain(String(error)))
        .finally(() => this.#close(connection));
      this.#open.set(connection, work);
    }
  }

  #close(connection: Deno.Conn): void {
    if (this.#open.delete(connection)) connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    const sessions = [...this.#open.values()];
    for (const connection of [...this.#open.keys()]) this.#close(connection);
    await Promise.all(sessions);
  }
}
