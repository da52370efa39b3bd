/**
 * What is said to a server, and the replies out of its octets (RFC 5321 §4.2).
 *
 * Promises: whatever arrives, memory is bounded and no wait goes on longer than its time; what
 * is no reply is a failure of the session.
 */

import { Deadline } from "../deadline.ts";
import { joined } from "../mail/parts.ts";
import type { Clock, Connection } from "../ports.ts";
import type { Content } from "../smtp/content.ts";
import { parse, type Reply } from "../smtp/reply.ts";
import { transparent } from "../smtp/transparency.ts";

/** What the other side did wrong, or did not do; the session is over. */
export class SessionFailure extends Error {
  override name = "SessionFailure";
}

/** What came makes no sense. */
export class NoReplyError extends SessionFailure {
  override name = "NoReplyError";
}

/** Much more than RFC 5321 §4.5.3.1.5 allows. */
const LONGEST_LINE = 4096;
const MOST_LINES = 200;
const BUFFER = 4096;
/** Small pieces go out together. */
const TOGETHER = 64 * 1024;

const encoder = new TextEncoder();

export class Wire {
  readonly connection: Connection;
  readonly #clock: Clock;
  readonly #deadline: Deadline;
  #isLate = false;
  readonly #buffer = new Uint8Array(BUFFER);
  readonly #utf8 = new TextDecoder();
  #text = "";

  constructor(connection: Connection, clock: Clock) {
    this.connection = connection;
    this.#clock = clock;
    this.#deadline = new Deadline(clock, () => {
      this.#isLate = true;
      this.close();
    });
  }

  /** The server has said more than it was asked for. */
  get hasMore(): boolean {
    return this.#text !== "";
  }

  close(): void {
    this.letGo();
    this.connection.close();
  }

  /** The connection goes on without it. */
  letGo(): void {
    this.#deadline.clear();
  }

  /** Milliseconds, for this and for the others. */
  async say(text: string, within: number): Promise<void> {
    await this.#write(encoder.encode(text), within);
  }

  /** Each piece has its time. */
  async sayContent(content: Content, within: number): Promise<void> {
    let together: Uint8Array[] = [], length = 0;
    for (const piece of transparent(content)) {
      together.push(piece);
      length += piece.length;
      if (length < TOGETHER) continue;
      await this.#write(pieceOf(together), within);
      together = [];
      length = 0;
    }
    await this.#write(pieceOf(together), within);
  }

  /** The next reply, whole. */
  async reply(within: number): Promise<Reply> {
    const late = `no reply within ${within / 1000} s`;
    return await this.#inTime(() => this.#next(), within, late);
  }

  async #write(octets: Uint8Array, within: number): Promise<void> {
    await this.#inTime(
      async () => {
        let rest = octets;
        try {
          while (rest.length > 0) rest = rest.subarray(await this.connection.write(rest));
        } catch {
          throw new SessionFailure("connection lost");
        }
      },
      within,
      `server does not read within ${within / 1000} s`,
    );
  }

  /** When the time is over the connection is closed, which ends whatever waits for it. */
  async #inTime<T>(work: () => Promise<T>, within: number, late: string): Promise<T> {
    this.#deadline.set(this.#clock.monotonic() + within);
    try {
      return await work();
    } catch (error) {
      throw this.#isLate ? new SessionFailure(late) : error;
    } finally {
      this.#deadline.set(Infinity);
    }
  }

  async #next(): Promise<Reply> {
    let wire = "";
    for (let lines = 0; lines < MOST_LINES; lines++) {
      const line = await this.#line();
      wire += line + "\r\n";
      if (/^[2-5][0-9]{2}-/.test(line)) continue;
      const reply = parse(wire);
      if (reply !== undefined) return reply;
      throw new NoReplyError(`not a reply of SMTP: ${JSON.stringify(line.slice(0, 100))}`);
    }
    throw new SessionFailure(`a reply of more than ${MOST_LINES} lines`);
  }

  /** Servers that end lines with LF alone are understood. */
  async #line(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end > LONGEST_LINE || (end < 0 && this.#text.length > LONGEST_LINE)) {
        throw new SessionFailure(`a line of more than ${LONGEST_LINE} characters`);
      }
      if (end >= 0) {
        const line = this.#text.slice(0, end).replace(/\r$/, "");
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      let count: number | null;
      try {
        count = await this.connection.read(this.#buffer);
      } catch {
        throw new SessionFailure("connection lost");
      }
      if (count === null) throw new SessionFailure("server closed the connection");
      this.#text += this.#utf8.decode(this.#buffer.subarray(0, count), { stream: true });
    }
  }
}

/** What is one piece already is not copied. */
function pieceOf(together: readonly Uint8Array[]): Uint8Array {
  return together.length === 1 ? together[0] : joined(together);
}
