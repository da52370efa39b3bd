/**
 * What the server proves itself with: the certificate of files, or one that it made itself.
 *
 * Promises: files that have changed are taken within ten seconds, without a restart; while
 * they are no sound pair, as in the middle of a renewal, the certificate before them serves
 * on, and it is told. One that it makes itself is made for the first client that wants it, since
 * its maker takes memory that most never need, and anew from a month before it ends.
 */

import type { World } from "../ports.ts";
import { CertificateError, type KeyPair, type TlsContext } from "../ports/tls.ts";

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** Gives what handshakes go by now. */
export interface TlsSource {
  context(): TlsContext | Promise<TlsContext>;
}

const LOOK_EVERY = 10_000;
const DAY = 24 * 60 * 60_000;
/** Browsers and mail programs distrust what lasts longer than about a year. */
const LIFETIME = 365 * DAY;
const RENEWED_BEFORE = 30 * DAY;
/** Clocks of clients may be late. */
const VALID_BEFORE = DAY;
/** Of a certificate that is soon to end, once a day is enough. */
const WARNED_BEFORE = 14 * DAY;

type Surroundings = Pick<World, "clock" | "log" | "readText" | "tls">;

export class Certificates implements TlsSource {
  readonly #world: Surroundings;
  readonly #hostname: string;
  #files: CertificateFiles | undefined;
  /** The text of both files that serve. */
  #serving = "";
  /** The last text, or trouble, that was told of. */
  #told = "";
  /** That of files. */
  #context: TlsContext | undefined;
  /** The one it made itself. */
  #made: TlsContext | undefined;
  #making: Promise<TlsContext> | undefined;
  #cancel: (() => void) | undefined;
  #warnedAt = -Infinity;

  constructor(hostname: string, files: CertificateFiles | undefined, world: Surroundings) {
    this.#hostname = hostname;
    this.#files = files;
    this.#world = world;
  }

  /** Looks now, and from now on. */
  start(): void {
    this.#look();
    this.#cancel = this.#world.clock.timer(LOOK_EVERY, () => this.start());
  }

  stop(): void {
    this.#cancel?.();
  }

  update(files: CertificateFiles | undefined): void {
    // What one names no more shall not serve on.
    if (files === undefined) this.#context = undefined;
    this.#files = files;
    this.#serving = "";
    this.#look();
  }

  /** Rejects with a CertificateError where there is none. */
  context(): TlsContext | Promise<TlsContext> {
    if (this.#files === undefined) return this.#own();
    return this.#context ?? Promise.reject(new CertificateError("there is no certificate"));
  }

  /** Why the one that serves is not what was to be read. */
  get trouble(): string | undefined {
    if (this.#told !== "") return this.#told;
    const { ends } = this;
    const left = (ends ?? Infinity) - this.#world.clock.now();
    if (this.#files === undefined || left > WARNED_BEFORE) return undefined;
    const when = new Date(ends!).toISOString();
    return left > 0 ? `certificate ends on ${when}` : `certificate has ended on ${when}`;
  }

  /** When the one that serves ends, by the clock on the wall. */
  get ends(): number | undefined {
    return (this.#context ?? this.#made)?.ends;
  }

  #look(): void {
    if (this.#files === undefined) return;
    this.#lookAtFiles(this.#files);
    this.#warn(this.#files);
  }

  #lookAtFiles(files: CertificateFiles): void {
    const { log, readText, tls } = this.#world;
    const cert = readText(files.cert);
    const key = readText(files.key);
    let problem: string;
    if (typeof cert !== "string") problem = `cannot read ${files.cert}: ${cert.reason}`;
    else if (typeof key !== "string") problem = `cannot read ${files.key}: ${key.reason}`;
    else {
      const text = `${cert}\n${key}`;
      if (text === this.#serving) {
        this.#told = "";
        return;
      }
      try {
        this.#context = tls.context({ cert, key });
        const until = new Date(this.#context.ends);
        log("info", "certificate read", { file: files.cert, until });
        this.#serving = text;
        this.#told = "";
        return;
      } catch (error) {
        if (!(error instanceof CertificateError)) throw error;
        problem = error.message;
      }
    }
    if (problem === this.#told) return;
    this.#told = problem;
    log("error", "certificate kept as it was", { file: files.cert, problem });
  }

  /** Until a new one is made the old one serves. */
  #own(): TlsContext | Promise<TlsContext> {
    const { clock, log } = this.#world;
    const left = (this.#made?.ends ?? -Infinity) - clock.now();
    if (left <= RENEWED_BEFORE && this.#making === undefined) {
      this.#making = this.#make().finally(() => this.#making = undefined);
      this.#making.catch((error) => {
        log("error", "cannot make a certificate", { error: String(error) });
      });
    }
    return left > 0 ? this.#made! : this.#making!;
  }

  async #make(): Promise<TlsContext> {
    const { clock, log, tls } = this.#world;
    const pair = await makeSelfSigned(this.#hostname, clock.now());
    const made = this.#made = tls.context(pair);
    const until = new Date(made.ends);
    log("info", "certificate made", { name: this.#hostname, until });
    return made;
  }

  #warn({ cert }: CertificateFiles): void {
    if (this.#context === undefined) return;
    const { clock, log } = this.#world;
    const left = this.#context.ends - clock.now();
    if (left > WARNED_BEFORE || clock.monotonic() - this.#warnedAt < DAY) return;
    this.#warnedAt = clock.monotonic();
    const until = new Date(this.#context.ends);
    log("warning", left > 0 ? "certificate ends soon" : "certificate has ended", {
      file: cert,
      until,
    });
  }
}

/** The maker is loaded only where it is needed: most have a certificate. */
async function makeSelfSigned(hostname: string, now: number): Promise<KeyPair> {
  const { selfSigned } = await import("./self_signed.ts");
  return await selfSigned(hostname, { from: now - VALID_BEFORE, until: now + LIFETIME });
}
