/**
 * One request and its response over a connection, and no more: the client closes, or is closed.
 *
 * Promises: a client that is slow to ask, or to read, is cut when its time is over, however much
 * or little it sends; a response that goes on for ever ends when its client has gone.
 */

import { Deadline } from "../deadline.ts";
import type { Clock, Connection } from "../ports.ts";
import { joined } from "../mail/parts.ts";
import { chunk, gathered, headOf, LAST_CHUNK } from "./response.ts";
import { type Head, headEnd, MOST_HEAD, parseHead, type Refused } from "./request.ts";

/** Milliseconds: for the head, the body, the answer, and for some of that to be read. */
const HEAD = 10_000;
const BODY = 30_000;
const ANSWER = 60_000;
const PIECE = 30_000;
/** How long what a client still sends is read, so that it gets its response. */
const LINGER = 1_000;

const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();

export type Answer = (request: Request, address: string) => Response | Promise<Response>;

/** The client has gone, or was cut. */
class Gone extends Error {
  override name = "Gone";
}

export class Exchange {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #answer: Answer;
  readonly #deadline: Deadline;
  #unread = EMPTY;
  #ended: Promise<void> | undefined;

  constructor(connection: Connection, clock: Clock, answer: Answer) {
    this.#connection = connection;
    this.#clock = clock;
    this.#answer = answer;
    this.#deadline = new Deadline(clock, () => this.close());
  }

  /** Ends with the connection closed. Rejects with what is a fault of ours. */
  async run(): Promise<void> {
    try {
      await this.#exchange();
    } catch (error) {
      if (!(error instanceof Gone)) throw error;
    } finally {
      this.#deadline.clear();
      this.close();
    }
  }

  close(): void {
    try {
      this.#connection.close();
    } catch {
      // It is closed already.
    }
  }

  async #exchange(): Promise<void> {
    this.#within(HEAD);
    const head = await this.#head();
    if (head === undefined) return;
    if ("status" in head) await this.#respond(refusal(head), undefined);
    else {
      const body = await this.#body(head);
      this.#within(ANSWER);
      const request = new Request(`http://${head.host}${head.target}`, {
        method: head.method,
        headers: head.headers,
        // What has none may have no body.
        ...(body.length > 0 && head.method !== "GET" && head.method !== "HEAD" && { body }),
      });
      const response = await this.#answer(request, this.#connection.remoteAddr.hostname);
      try {
        await this.#respond(response, head);
      } finally {
        // Where nobody has begun to read it, as for HEAD.
        await response.body?.cancel().catch(() => {});
      }
    }
    await this.#leave();
  }

  #within(time: number): void {
    this.#deadline.set(this.#clock.monotonic() + time);
  }

  /** `undefined`: nothing came. */
  async #head(): Promise<Head | Refused | undefined> {
    const buffer = new Uint8Array(MOST_HEAD);
    for (let length = 0; length < MOST_HEAD;) {
      const got = await this.#read(buffer.subarray(length));
      if (got === null) return undefined;
      length += got;
      const end = headEnd(buffer.subarray(0, length), length - got);
      if (end < 0) continue;
      this.#unread = buffer.subarray(end, length);
      return parseHead(buffer.subarray(0, end));
    }
    return { status: 431, why: `more than ${MOST_HEAD} octets of header` };
  }

  async #body({ headers, length }: Head): Promise<Uint8Array<ArrayBuffer>> {
    if (length === 0) return EMPTY;
    const body = new Uint8Array(length);
    const first = this.#unread.subarray(0, length);
    body.set(first);
    this.#within(BODY);
    if (first.length < length && /^100-continue$/i.test(headers.get("expect") ?? "")) {
      await this.#write(encoder.encode("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    for (let at = first.length; at < length;) {
      const got = await this.#read(body.subarray(at));
      if (got === null) throw new Gone();
      at += got;
    }
    return body;
  }

  async #respond(response: Response, head: Head | undefined): Promise<void> {
    const { body } = response;
    const date = `date: ${new Date(this.#clock.now()).toUTCString()}`;
    // RFC 9110 §8.6: to HEAD no length is told that GET would not have.
    if (head?.method === "HEAD") return await this.#send(headOf(response, [date]));
    const reader = body?.getReader();
    const { octets, next } = reader === undefined
      ? { octets: EMPTY, next: undefined }
      : await gathered(reader);
    if (reader === undefined || next === undefined) {
      const length = `content-length: ${octets.length}`;
      return await this.#send(joined([headOf(response, [date, length]), octets]));
    }
    // Whoever waits for a stream hears nothing else of a client that goes.
    this.#untilEnd().then(() => reader.cancel()).catch(() => {});
    const isChunked = head?.isHttp10 === false;
    const wrap = isChunked ? chunk : (octets: Uint8Array) => octets;
    const fields = isChunked ? [date, "transfer-encoding: chunked"] : [date];
    const first = octets.length > 0 ? [wrap(octets)] : [];
    await this.#send(joined([headOf(response, fields), ...first]));
    for (let read = await next; !read.done; read = await reader.read()) {
      await this.#send(wrap(read.value));
    }
    if (isChunked) await this.#send(LAST_CHUNK);
  }

  #untilEnd(): Promise<void> {
    return this.#ended ??= this.#readOn();
  }

  /** What else a client sends is nothing to us. */
  async #readOn(): Promise<void> {
    const buffer = new Uint8Array(1024);
    try {
      while (await this.#connection.read(buffer) !== null);
    } catch {
      // It is closed, by us or by the client.
    }
  }

  /** Closing a socket with octets unread resets it, and the client may not see its response. */
  async #leave(): Promise<void> {
    this.#within(LINGER);
    await this.#connection.closeWrite().catch(() => {});
    await this.#untilEnd();
  }

  async #read(buffer: Uint8Array): Promise<number | null> {
    try {
      return await this.#connection.read(buffer);
    } catch {
      throw new Gone();
    }
  }

  /** As long as the client goes on reading. */
  async #send(octets: Uint8Array): Promise<void> {
    await this.#write(octets, { timed: true });
    this.#deadline.set(Infinity);
  }

  async #write(octets: Uint8Array, { timed = false } = {}): Promise<void> {
    try {
      while (octets.length > 0) {
        if (timed) this.#within(PIECE);
        octets = octets.subarray(await this.#connection.write(octets));
      }
    } catch {
      throw new Gone();
    }
  }
}

const refusal = ({ status, why }: Refused) => new Response(`${why}\n`, { status, headers: PLAIN });

const PLAIN = { "content-type": "text/plain; charset=utf-8" };
