/** What comes over a connection to the sink: lines, and the contents of messages. */

import { Buffer } from "node:buffer";

/** The other side has gone, in whatever manner. */
export class Gone extends Error {
  override name = "Gone";
}

const SMALL = 64 * 1024;
const LINE_END = Buffer.from("\r\n");
const DOT_LINE = Buffer.from("\r\n.");
const CONTENT_END = Buffer.from("\r\n.\r\n");

export class Incoming {
  readonly #connection: Deno.Conn;
  #octets = Buffer.alloc(SMALL);
  #from = 0;
  #end = 0;

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** Whether something has come that nobody asked for yet. */
  get hasMore(): boolean {
    return this.#end > this.#from;
  }

  /** Without its end. Rejects with Gone. */
  async line(): Promise<string> {
    return (await this.#until(LINE_END)).toString("latin1");
  }

  /** What follows upon the line of DATA, as it was before dots were put into it. */
  async content(): Promise<Uint8Array<ArrayBuffer>> {
    // Behind the end of the line before, the first line is like every other.
    this.#from -= LINE_END.length;
    const stuffed = await this.#until(CONTENT_END);
    const octets = new Uint8Array(stuffed.length + LINE_END.length);
    let size = 0;
    for (let from = 0; from < stuffed.length;) {
      const dot = stuffed.indexOf(DOT_LINE, from);
      const to = dot < 0 ? stuffed.length : dot + LINE_END.length;
      octets.set(stuffed.subarray(from, to), size);
      size += to - from;
      from = dot < 0 ? to : to + 1;
    }
    octets.set(LINE_END, size);
    return octets.subarray(LINE_END.length, size + LINE_END.length);
  }

  /** What stands before the mark, which is passed; it is good until more is read. */
  async #until(mark: Buffer): Promise<Buffer> {
    for (let seen = 0;;) {
      const at = this.#octets.subarray(this.#from, this.#end).indexOf(mark, seen);
      if (at >= 0) {
        const found = this.#octets.subarray(this.#from, this.#from + at);
        this.#from += at + mark.length;
        return found;
      }
      // The mark may have come in part.
      seen = Math.max(this.#end - this.#from - mark.length + 1, 0);
      await this.#hear();
    }
  }

  async #hear(): Promise<void> {
    if (this.#end === this.#octets.length) {
      const kept = this.#octets.subarray(this.#from, this.#end);
      const octets = Buffer.alloc(Math.max(kept.length * 2, SMALL));
      octets.set(kept);
      this.#octets = octets;
      this.#from = 0;
      this.#end = kept.length;
    }
    const count = await this.#connection.read(this.#octets.subarray(this.#end)).catch(() => null);
    if (count === null) throw new Gone();
    this.#end += count;
  }
}
