/**
 * The one socket loop: reads octets for the session, sends what it says, and fetches what it
 * asks for. All decisions are the session's.
 *
 * Promises: one write for all replies to what one read brought; no reading while a reply or
 * an answer is outstanding, so that a client cannot run ahead of what is done for it; every
 * wait for the client has an absolute deadline; the connection is closed at the end,
 * whatever that end is.
 *
 * When the client goes, the conversation ends quietly. A fault of ours is logged, and the
 * client told 421.
 */

import type { Connection } from "../ports.ts";
import { format, isPositive, type Reply } from "../smtp/reply.ts";
import { brokenOff } from "../smtp/replies.ts";
import { writeAscii } from "../smtp/octets.ts";
import type { News, Session } from "../smtp/session.ts";
import type { Secured } from "../smtp/state.ts";
import { type Answer, newsOf } from "./authentication.ts";
import { giveBuffer, isSmall, takeBuffer } from "./buffers.ts";
import { ConnectionLost, hasSpoken, untilEnd } from "./beginning.ts";
import { Deadline } from "../deadline.ts";
import type { Host } from "./host.ts";
import { Patience } from "./patience.ts";

const LARGE_BUFFER = 64 * 1024;
/** Most replies fit in; memory of its own for each would cost more than to write it. */
const REPLY_BUFFER = 512;
/** How long, and how much, a client may go on sending to a session that is over. */
const LINGER_TIME = 2_000;
const LINGER_OCTETS = 1024 * 1024;

const encoder = new TextEncoder();

/** As many octets in our buffer, or octets of their own; `null` at the end. */
type Got = number | Uint8Array<ArrayBuffer> | null;

export class Conversation {
  #connection: Connection;
  readonly #session: Session;
  readonly #host: Host;
  readonly #deadline: Deadline;
  #reading = false;
  /** `run` waits for the connection itself. */
  #onWire = false;
  /** The client has ended its side. */
  #gone = false;
  #buffer = takeBuffer();
  readonly #replyBuffer = new Uint8Array(REPLY_BUFFER);
  #pendingRead: Promise<Got> | undefined;
  readonly #patience = new Patience();
  #lastSaid: Promise<void> | undefined;

  constructor(connection: Connection, session: Session, host: Host) {
    this.#connection = connection;
    this.#session = session;
    this.#host = host;
    this.#deadline = new Deadline(host.clock, () => this.#timeout());
  }

  /**
   * Ends with the connection closed. Whether the client may talk at all is waited for before
   * the greeting: what it sends until then, it sends too early (RFC 5321 §4.3.1).
   */
  async run(refusal: Reply | undefined | Promise<Reply | undefined>): Promise<void> {
    try {
      this.#pendingRead = this.#get();
      // A client that is turned away is not waited for; its read fails with the connection.
      this.#pendingRead.catch(() => {});
      const answer = refusal instanceof Promise
        ? await Promise.race([refusal, untilEnd(this.#pendingRead)])
        : refusal;
      const early = answer === undefined &&
        await hasSpoken(this.#connection, this.#pendingRead);
      const tls = securedOf(this.#connection);
      this.#session.tell({ kind: "opened", refusal: answer, early, tls });
      while (this.#session.state.at !== "closed" && !this.#gone) {
        if (!this.#session.wantsOctets) {
          const turn = this.#turn();
          // Most questions are answered at once.
          if (turn !== undefined) await turn;
          continue;
        }
        // Each message has four of these: what is said, and what comes upon it. They are waited
        // for here: a function in between would cost a promise more for each.
        const replies = this.#session.takeReplies();
        if (replies !== "") {
          const octets = this.#toSend(replies);
          // All that was read in one turn is dealt with before any of it is answered: a client
          // that hears of its sessions one at a time is woken for each.
          await undefined;
          this.#onWire = true;
          const written = await this.#connection.write(octets);
          if (written < octets.length) await this.#sendRest(octets.subarray(written));
          this.#onWire = false;
        }
        if (this.#session.wantsOctets) {
          const now = this.#host.clock.monotonic();
          this.#deadline.set(this.#patience.until(this.#session, this.#host.times, now));
          this.#reading = this.#onWire = true;
          const got = await this.#next();
          this.#reading = this.#onWire = false;
          this.#receive(got);
        }
      }
      if (!this.#gone) await this.#leave();
    } catch (error) {
      // On the wire nothing fails but the connection.
      if (!this.#onWire && !(error instanceof ConnectionLost)) await this.#breakOff(error);
    } finally {
      this.#deadline.clear();
      this.#session.abandon();
      this.close();
      if (!this.#reading && this.#pendingRead === undefined) giveBuffer(this.#buffer);
    }
  }

  /** The server is to end: says so once nothing is under way, or `now`. */
  stop({ now }: { now: boolean }): void {
    this.#interrupt({ kind: "stop", now });
  }

  /** Cuts the connection. */
  close(): void {
    try {
      this.#connection.close();
    } catch {
      // It is closed already.
    }
  }

  /** What the session asks for; nothing where that was there at once. */
  #turn(): Promise<void> | undefined {
    const { state } = this.#session;
    switch (state.at) {
      case "asking": {
        const answer = this.#host.ask(state);
        if (answer instanceof Promise) return this.#tellLater(answer);
        return void this.#session.tell({ kind: "verdict", refusal: answer });
      }
      case "committing":
        return this.#commit(this.#host.deliver(state));
      case "securing":
        return this.#secure();
      case "authenticating":
        return this.#authenticate(this.#host.authenticate(state.exchange));
      case "claiming":
        return this.#tellLater(Promise.resolve(this.#host.claim(state.claim)));
      default:
        return this.#flush();
    }
  }

  async #tellLater(answer: Promise<Reply | undefined>): Promise<void> {
    this.#session.tell({ kind: "verdict", refusal: await this.#work(answer) });
  }

  async #commit(delivering: Promise<Reply>): Promise<void> {
    const reply = await this.#work(delivering);
    this.#session.tell({ kind: isPositive(reply) ? "committed" : "refused", reply });
  }

  async #authenticate(answering: Promise<Answer>): Promise<void> {
    this.#session.tell(newsOf(await this.#work(answering)));
  }

  /** The invitation is the last that is said in plain text. */
  async #secure(): Promise<void> {
    await this.#flush();
    const { clock, times } = this.#host;
    this.#deadline.set(clock.monotonic() + times.handshakeTimeout);
    const secure = await this.#host.secure(this.#connection);
    this.#gone = secure === undefined;
    if (secure === undefined) return;
    this.#connection = secure;
    this.#session.tell({ kind: "secured", tls: secure.secured });
  }

  async #breakOff(error: unknown): Promise<void> {
    this.#host.failed(error);
    this.#deadline.set(this.#host.clock.monotonic() + LINGER_TIME);
    await this.#connection.write(encoder.encode(format(brokenOff))).catch(() => {});
  }

  /** The client is not waited for meanwhile. */
  #work<T>(work: Promise<T>): Promise<T> {
    this.#deadline.set(Infinity);
    return work;
  }

  #receive(got: Got): void {
    this.#gone = got === null;
    if (got === null) return;
    this.#host.meter.received.value += lengthOf(got);
    if (typeof got !== "number") return this.#session.receive(got, true);
    this.#session.receive(this.#buffer.subarray(0, got));
    if (!this.#session.wantsOctets) return;
    if (this.#session.state.at === "idle") {
      if (!isSmall(this.#buffer)) this.#buffer = takeBuffer();
    } else if (got === this.#buffer.length && got < LARGE_BUFFER) {
      this.#buffer = new Uint8Array(LARGE_BUFFER);
    }
  }

  #next(): Promise<Got> {
    const read = this.#pendingRead ?? this.#get();
    this.#pendingRead = undefined;
    return read;
  }

  #get(): Promise<Got> {
    return this.#connection.take?.() ?? this.#connection.read(this.#buffer);
  }

  async #flush(): Promise<void> {
    const text = this.#session.takeReplies();
    if (text !== "") await this.#sendRest(this.#toSend(text));
  }

  /** As one piece to be written; a client that does not read it is waited for only so long. */
  #toSend(text: string): Uint8Array {
    const octets = this.#encoded(text);
    this.#host.meter.sent.value += octets.length;
    this.#deadline.set(this.#host.clock.monotonic() + this.#host.times.commandTimeout);
    return octets;
  }

  async #sendRest(octets: Uint8Array): Promise<void> {
    try {
      while (octets.length > 0) octets = octets.subarray(await this.#connection.write(octets));
    } catch {
      throw new ConnectionLost();
    }
  }

  /** Good until the next is. */
  #encoded(text: string): Uint8Array {
    const fits = text.length <= REPLY_BUFFER;
    const written = fits ? writeAscii(text, this.#replyBuffer) : undefined;
    return written === undefined ? encoder.encode(text) : this.#replyBuffer.subarray(0, written);
  }

  #timeout(): void {
    if (this.#reading && this.#session.state.at !== "closed") this.#interrupt({ kind: "timeout" });
    else this.close();
  }

  /**
   * The session hears of it at once. If that ends it while a read is outstanding, its last
   * replies go out beside that read.
   */
  #interrupt(input: Extract<News, { kind: "timeout" | "stop" }>): void {
    this.#session.tell(input);
    if (this.#reading && this.#session.state.at === "closed") {
      this.#sayLast().catch(() => this.close());
    }
  }

  /** Sends the last replies and ends our side; once, whoever asks first. */
  #sayLast(): Promise<void> {
    return this.#lastSaid ??= this.#flush().then(() => this.#endOurs());
  }

  #endOurs(): Promise<void> {
    this.#deadline.set(this.#host.clock.monotonic() + LINGER_TIME);
    return this.#connection.closeWrite().catch(() => {});
  }

  /**
   * Closing a socket with octets unread resets it, and the client may never see the last
   * reply. So what it still sends is read for a while and dropped.
   */
  async #leave(): Promise<void> {
    const { state } = this.#session;
    if (state.at === "closed" && state.polite) {
      await this.#flush();
      // Without its own end, TLS looks cut off (RFC 8446 §6.1).
      if (securedOf(this.#connection) !== undefined) await this.#endOurs();
      return;
    }
    await this.#sayLast();
    let left = LINGER_OCTETS;
    while (left > 0) {
      const got = await this.#next().catch(() => null);
      if (got === null) return;
      left -= lengthOf(got);
    }
  }
}

function lengthOf(got: number | Uint8Array): number {
  return typeof got === "number" ? got : got.length;
}

function securedOf(connection: Connection & { readonly secured?: Secured }): Secured | undefined {
  return connection.secured;
}
