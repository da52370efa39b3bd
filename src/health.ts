/**
 * Whether mail can come, be kept and leave: what is wrong, in words for the operator.
 *
 * Promises: to ask often costs no more than once a second; the store is asked to write, as for a
 * message, and is waited for only so long.
 */

import type { Certificates } from "./inbound/certificates.ts";
import type { Server } from "./inbound/server.ts";
import { wantOfRoom } from "./intake.ts";
import type { Clock } from "./ports.ts";
import type { Check } from "./ports/check.ts";
import type { Store, StoreStats } from "./ports/store.ts";
import type { Dispatcher } from "./queue/dispatcher.ts";
import { Recent } from "./recent.ts";
import type { Signatures } from "./signing.ts";

export interface HealthParts {
  readonly server: Pick<Server, "troubles">;
  readonly store: Pick<Store, "probe" | "space" | "stats">;
  readonly dispatcher?: Pick<Dispatcher, "stillFor">;
  readonly certificates?: Pick<Certificates, "trouble">;
  readonly signatures: Pick<Signatures, "trouble">;
  readonly clock: Clock;
  /** Octets that must be free. */
  minFree(): number;
  /** Why settings are not those that were to be read. */
  settingsTrouble(): string | undefined;
}

/** Milliseconds. */
const REMEMBERED = 1_000;
const LONGEST_WRITE = 5_000;
/**
 * What is due, and nobody begins or ends anything: the queue stands. Longer than a server may let
 * us wait (RFC 5321 §4.5.3.2): one that is slow is no fault of ours.
 */
const LONGEST_STILL = 15 * 60_000;
/** Messages without their names: accepting will soon be slowed down. */
const LONG_LAG = 80_000;

export class Health {
  readonly #parts: HealthParts;
  readonly #recent: Recent<readonly Check[]>;

  constructor(parts: HealthParts) {
    this.#parts = parts;
    this.#recent = new Recent(parts.clock, REMEMBERED, () => this.#check());
  }

  checks(): Promise<readonly Check[]> {
    return this.#recent.get();
  }

  async #check(): Promise<readonly Check[]> {
    const { server, certificates, signatures } = this.#parts;
    const stats = await this.#inTime(this.#parts.store.stats());
    return [
      failing("listeners", server.troubles.join("; ")),
      failing("store", faultOf(await this.#inTime(this.#parts.store.probe()))),
      await this.#space(),
      typeof stats === "string" ? failing("queue", stats) : this.#queue(stats),
      this.#names(stats),
      warning("certificate", certificates?.trouble),
      warning("dkim", signatures.trouble),
      warning("settings", this.#parts.settingsTrouble()),
    ];
  }

  async #space(): Promise<Check> {
    // The folder may be gone.
    const space = await this.#inTime(Promise.try(() => this.#parts.store.space()));
    if (typeof space === "string") return failing("space", space);
    const want = wantOfRoom(space, this.#parts.minFree());
    return failing("space", want && `${want}: mail is refused`);
  }

  #queue({ overdue }: StoreStats): Check {
    const still = this.#parts.dispatcher?.stillFor ?? 0;
    const stands = Math.min(overdue, still) > LONGEST_STILL;
    const detail = `nothing was begun or ended for ${seconds(still)} s, though something is due ` +
      `for ${seconds(overdue)} s`;
    return failing("queue", stands ? detail : undefined);
  }

  #names(stats: StoreStats | string): Check {
    const lag = typeof stats === "string" ? 0 : stats.lag;
    return warning("names", lag > LONG_LAG ? `${lag} messages are without names` : undefined);
  }

  /** What it came to, or what went wrong. */
  async #inTime<T>(work: Promise<T>): Promise<T | string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const late = `no answer within ${seconds(LONGEST_WRITE)} s`;
    const cancel = this.#parts.clock.timer(LONGEST_WRITE, () => resolve(late));
    try {
      return await Promise.race([work, promise]);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      cancel();
    }
  }
}

const seconds = (milliseconds: number) => Math.round(milliseconds / 1000);
const faultOf = (result: void | string) => result as string | undefined;
const failing = (name: string, detail?: string) => checkOf(name, "failing", detail);
const warning = (name: string, detail?: string) => checkOf(name, "warning", detail);

function checkOf(name: string, state: "warning" | "failing", detail?: string): Check {
  return detail ? { name, state, detail } : { name, state: "ok" };
}
