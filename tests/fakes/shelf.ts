/** Certificates whose files are not there, and whose clock is turned. */

import assert from "node:assert/strict";
import { tls } from "../../src/deno/tls.ts";
import { type CertificateFiles, Certificates } from "../../src/inbound/certificates.ts";
import { type Clock, fieldsOf } from "../../src/ports.ts";
import type { KeyPair, TlsContext } from "../../src/ports/tls.ts";
import { TurnedClock } from "./clock.ts";
import type { Logged } from "./server.ts";

export const SECOND = 1000;
export const DAY = 24 * 60 * 60 * SECOND;
export const FILES = { cert: "/cert.pem", key: "/key.pem" };

export class Shelf implements Disposable {
  readonly files: Record<string, string> = {};
  readonly clock = new TurnedClock();
  readonly logged: Logged[] = [];
  readonly certificates: Certificates;
  readonly #pairs = new Map<TlsContext, KeyPair>();
  #jumped = 0;
  #made = Promise.withResolvers<void>();

  constructor(files?: CertificateFiles, hostname = "localhost") {
    const { clock } = this;
    const jumping: Clock = {
      now: () => clock.now() + this.#jumped,
      monotonic: () => clock.monotonic(),
      timer: (delay, call) => clock.timer(delay, call),
    };
    this.certificates = new Certificates(hostname, files, {
      clock: jumping,
      log: (level, event, fields = {}) =>
        this.logged.push({ level, event, fields: fieldsOf(fields) }),
      readText: (path) => this.files[path] ?? { missing: true, reason: "no such file" },
      tls: {
        context: (pair) => {
          const context = tls.context(pair);
          this.#pairs.set(context, pair);
          this.#made.resolve();
          this.#made = Promise.withResolvers();
          return context;
        },
      },
    });
  }

  /** Days of which the monotonic clock knows nothing. */
  jump(days: number): void {
    this.#jumped += days * DAY;
  }

  now(): number {
    return this.clock.now() + this.#jumped;
  }

  put({ cert, key }: Partial<KeyPair>, files: CertificateFiles = FILES): void {
    if (cert !== undefined) this.files[files.cert] = cert;
    if (key !== undefined) this.files[files.key] = key;
  }

  /** What serves now. */
  async serving(): Promise<KeyPair> {
    return this.#pairs.get(await this.certificates.context())!;
  }

  /** The next certificate that is read or made. */
  get next(): Promise<void> {
    return this.#made.promise;
  }

  /** The events since the last call. */
  told(): string[] {
    return this.logged.splice(0).map(({ event, fields: { problem } }) =>
      problem === undefined ? event : `${event}: ${problem}`
    );
  }

  [Symbol.dispose](): void {
    this.certificates.stop();
    assert.equal(this.clock.timers, 0);
  }
}
