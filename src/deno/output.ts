/**
 * Text to standard output and standard error, without ever waiting for whoever reads it.
 *
 * Promises: lines leave in their order, several in one write where they come quickly; a
 * reader that has stopped, or gone, and a disk that is full, cost lines but never time. What is
 * lost is counted and told as soon as something can be told again; no line is left half.
 */

interface Stream {
  write(octets: Uint8Array): Promise<number>;
  isTerminal(): boolean;
}

/** Octets that may wait for a slow reader. */
const ROOM = 1024 * 1024;

/** Milliseconds from one write to the next: lines that come quickly share one. */
const PACE = 10;

const NONE = new Uint8Array(0);
const LINE_FEED = 10;

const encoder = new TextEncoder();

export class Output {
  readonly isTerminal: boolean;
  /** The line that tells of lines that were lost. */
  lostLine = (lost: number) => `(${lost} lines lost)`;
  readonly #stream: Stream;
  #waiting = "";
  /** Lines that were lost before those that wait, and behind them. */
  #lostBefore = 0;
  #lostBehind = 0;
  /** Of a line that was begun when the disk was full. */
  #rest: Uint8Array = NONE;
  #writing: Promise<void> | undefined;
  #wroteAt = -Infinity;
  #hurry: () => void = () => {};
  #broken = false;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.isTerminal = stream.isTerminal();
  }

  line(text: string): void {
    if (this.#broken) return;
    if (this.#waiting.length + text.length > ROOM) {
      this.#lostBehind++;
      return;
    }
    this.#waiting += text + "\n";
    // What else is said in this turn goes into the same write.
    this.#writing ??= this.#pause().then(() => this.#write());
  }

  async #pause(): Promise<void> {
    const left = this.#wroteAt + PACE - performance.now();
    if (left <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, left);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Resolves when everything is written, or when a reader has not taken it in time. */
  async flush(within: number): Promise<void> {
    if (this.#writing === undefined) return;
    this.#hurry();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, within);
    await Promise.race([this.#writing, promise]);
    clearTimeout(timer);
  }

  async #write(): Promise<void> {
    while (this.#waiting !== "" || this.#lostBefore > 0) {
      const told = this.#lostBefore;
      const first = told > 0 ? `${this.lostLine(told)}\n` : "";
      const octets = encoder.encode(first + this.#waiting);
      this.#waiting = "";
      this.#lostBefore = this.#lostBehind;
      this.#lostBehind = 0;
      const left = await this.#endLine() ? await this.#writeOut(octets) : octets;
      if (left.length === 0 && !this.#isCut) continue;
      const isWhole = left.length === octets.length;
      this.#lostBefore += linesIn(left) + (isWhole && told > 0 ? told - 1 : 0);
      break;
    }
    this.#wroteAt = performance.now();
    this.#writing = undefined;
  }

  get #isCut(): boolean {
    return this.#rest.length > 0;
  }

  /** Writes what is missing of the last line; whether it is whole now. */
  async #endLine(): Promise<boolean> {
    if (this.#isCut) this.#rest = await this.#tryOut(this.#rest);
    return !this.#isCut;
  }

  /** The lines that could not be written. */
  async #writeOut(octets: Uint8Array): Promise<Uint8Array> {
    const left = await this.#tryOut(octets);
    const at = octets.length - left.length;
    const isBegun = at > 0 && octets[at - 1] !== LINE_FEED;
    const end = isBegun ? left.indexOf(LINE_FEED) + 1 : 0;
    this.#rest = left.subarray(0, end);
    return left.subarray(end);
  }

  /** What could not be written. */
  async #tryOut(octets: Uint8Array): Promise<Uint8Array> {
    let left = octets;
    try {
      while (left.length > 0) left = left.subarray(await this.#stream.write(left));
    } catch (error) {
      // Nobody reads it any more; mail flows on.
      if (isGone(error)) this.#broken = true;
    }
    return left;
  }
}

/** And not: there is no room on the disk for now. */
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.BadResource ||
    /bad file descriptor/i.test(String(error));
}

function linesIn(octets: Uint8Array): number {
  let lines = 0;
  for (const octet of octets) if (octet === LINE_FEED) lines++;
  return lines;
}

export const stdout = new Output(Deno.stdout);
export const stderr = new Output(Deno.stderr);

/** Before the process ends: what was said shall be read, but nobody is waited for long. */
export async function flush(): Promise<void> {
  await Promise.all([stdout.flush(1_000), stderr.flush(1_000)]);
}
