/**
 * The octets of a message in chunks, so that a large one never needs one large piece of
 * memory. Each octet is copied once at most; unused room is at most a quarter of the size and
 * a few KiB.
 */

export interface Content {
  readonly chunks: readonly Uint8Array<ArrayBuffer>[];
  readonly size: number;
}

const LEAST_CHUNK = 2 * 1024;
/** So many, and half of what would be held for them, are worth a chunk of their own. */
const LEAST_GIVEN = 4 * 1024;
const LARGEST_CHUNK = 1024 * 1024;
const NONE = new Uint8Array(0);

export class ContentBuilder {
  size = 0;
  #full: Uint8Array<ArrayBuffer>[] = [];
  #last = NONE;
  #used = 0;

  /** `given`: the octets are ours from now on, and need no copy if there are many. */
  append(bytes: Uint8Array<ArrayBuffer>, from: number, to: number, given = false): void {
    this.size += to - from;
    if (given && to - from >= LEAST_GIVEN && 2 * (to - from) >= bytes.buffer.byteLength) {
      this.#closeChunk();
      this.#last = bytes.subarray(from, to);
      this.#used = to - from;
      return;
    }
    const room = Math.min(this.#last.length - this.#used, to - from);
    if (room > 0) {
      this.#last.set(bytes.subarray(from, from + room), this.#used);
      this.#used += room;
      from += room;
    }
    if (from === to) return;
    this.#closeChunk();
    // A message that comes in one piece gets one chunk of just its size; one that comes in
    // many gets chunks that grow with it.
    const grown = Math.min(LARGEST_CHUNK, Math.max(LEAST_CHUNK, this.size >> 2));
    this.#last = new Uint8Array(Math.max(to - from, grown));
    this.#last.set(bytes.subarray(from, to));
    this.#used = to - from;
  }

  /** Changes the octet that was appended last. */
  replaceLast(octet: number): void {
    if (this.#used > 0) this.#last[this.#used - 1] = octet;
  }

  clear(): void {
    this.size = 0;
    this.#full = [];
    this.#last = NONE;
    this.#used = 0;
  }

  finish(): Content {
    this.#closeChunk();
    return { chunks: this.#full, size: this.size };
  }

  #closeChunk(): void {
    if (this.#used > 0) this.#full.push(this.#last.subarray(0, this.#used));
    this.#last = NONE;
    this.#used = 0;
  }
}

const SHOWN_OCTETS = 4096;
const SHOWN_LINES = 40;

/** The first lines, for a person to look at. */
export function beginning({ chunks, size }: Content): string[] {
  const [first = new Uint8Array(0)] = chunks;
  const text = new TextDecoder().decode(first.subarray(0, SHOWN_OCTETS));
  const lines = text.split("\r\n");
  // What is behind the last CRLF is nothing, or cut.
  const shown = lines.slice(0, -1).slice(0, SHOWN_LINES);
  const isWhole = size <= SHOWN_OCTETS && size === first.length && lines.length <= SHOWN_LINES;
  return isWhole ? shown : [...shown, "…"];
}
