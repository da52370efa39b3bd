/**
 * Text to standard output and standard error, without ever waiting for whoever reads it.
 *
 * Promises: lines leave in their order, several in one write where they come quickly; a
 * reader that has stopped, or gone, costs lines but never time. What is lost is counted and
 * told as soon as something can be told again.
 */

interface Stream {
  write(octets: Uint8Array): Promise<number>;
  isTerminal(): boolean;
}

/** Octets that may wait for a slow reader. */
const ROOM = 1024 * 1024;

const encoder = new TextEncoder();

export class Output {
  readonly isTerminal: boolean;
  readonly #stream: Stream;
  #waiting = "";
  #lost = 0;
  #writing: Promise<void> | undefined;
  #broken = false;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.isTerminal = stream.isTerminal();
  }

  line(text: string): void {
    if (this.#broken) return;
    if (this.#waiting.length + text.length > ROOM) {
      this.#lost++;
      return;
    }
    this.#waiting += text + "\n";
    // What else is said in this turn goes into the same write.
    this.#writing ??= Promise.resolve().then(() => this.#write());
  }

  /** Resolves when everything is written, or when a reader has not taken it in time. */
  async flush(within: number): Promise<void> {
    if (this.#writing === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, within);
    await Promise.race([this.#writing, promise]);
    clearTimeout(timer);
  }

  async #write(): Promise<void> {
    try {
      while (this.#waiting !== "") {
        let octets = encoder.encode(this.#waiting);
        this.#waiting = "";
        while (octets.length > 0) octets = octets.subarray(await this.#stream.write(octets));
        if (this.#lost > 0) this.#waiting += `(${this.#lost} lines lost)\n`;
        this.#lost = 0;
      }
    } catch {
      // Nobody reads it any more; mail flows on.
      this.#broken = true;
      this.#waiting = "";
    }
    this.#writing = undefined;
  }
}

export const stdout = new Output(Deno.stdout);
export const stderr = new Output(Deno.stderr);

/** Before the process ends: what was said shall be read, but nobody is waited for long. */
export async function flush(): Promise<void> {
  await Promise.all([stdout.flush(1_000), stderr.flush(1_000)]);
}
