/**
 * What the server proves itself with: the certificate of files, or one that it made itself.
 *
 * Promises: files that have changed are taken within ten seconds, without a restart; while
 * they are no sound pair, as in the middle of a renewal, the certificate before them serves
 * on, and it is told. One that it made itself is made anew a month before it ends.
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
  #context: TlsContext | undefined;
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
    if (this.#files !== undefined && files === undefined) this.#forget();
    this.#files = files;
    this.#look();
  }

  /** One that is made takes a moment, the first client perhaps waits for it. */
  context(): TlsContext | Promise<TlsContext> {
    return this.#context ?? this.#making ??
      Promise.reject(new CertificateError("there is no certificate"));
  }

  #forget(): void {
    this.#context = undefined;
    this.#serving = "";
  }

  #look(): void {
    if (this.#files === undefined) this.#lookAtOwn();
    else this.#lookAtFiles(this.#files);
    this.#warn();
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
      if (text === this.#serving) return;
      try {
        this.#context = tls.context({ cert, key });
        const until = new Date(this.#context.ends).toISOString();
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

  #lookAtOwn(): void {
    const { clock, log, tls } = this.#world;
    const serves = this.#context !== undefined &&
      this.#context.ends - clock.now() > RENEWED_BEFORE;
    if (serves || this.#making !== undefined) return;
    this.#making = makeSelfSigned(this.#hostname, clock.now()).then((pair) => {
      if (this.#files === undefined) this.#context = tls.context(pair);
      return tls.context(pair);
    });
    this.#making.catch((error) => log("error", "cannot make a certificate", { error: `${error}` }))
      .finally(() => this.#making = undefined);
  }

  #warn(): void {
    if (this.#files === undefined || this.#context === undefined) return;
    const { clock, log } = this.#world;
    const left = this.#context.ends - clock.now();
    if (left > WARNED_BEFORE || clock.monotonic() - this.#warnedAt < DAY) return;
    this.#warnedAt = clock.monotonic();
    const until = new Date(this.#context.ends).toISOString();
    const event = left > 0 ? "certificate ends soon" : "certificate has ended";
    log("warning", event, { file: this.#files.cert, until });
  }
}

/** The maker is loaded only where it is needed: most have a certificate. */
async function makeSelfSigned(hostname: string, now: number): Promise<KeyPair> {
  const { selfSigned } = await import("./self_signed.ts");
  return await selfSigned(hostname, { from: now - VALID_BEFORE, until: now + LIFETIME });
}
