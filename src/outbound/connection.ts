/**
 * A connection to a server: greeted, secured as its policy wants, known where it must be; then
 * it hands over messages, one after another.
 *
 * Promises: every wait has the time that RFC 5321 §4.5.3.2 gives it; nothing that a server says
 * before a handshake counts behind it; a password is never given where it could be overheard;
 * when a session has failed the connection is closed.
 */

import { logIn } from "../auth/client.ts";
import type { Connection, World } from "../ports.ts";
import type { Secured } from "../ports/tls.ts";
import { HandshakeError } from "../ports/tls.ts";
import { DialError } from "../ports/outward.ts";
import { type Command, type Consignment, type Decision, transact } from "../smtp/client.ts";
import type { Content } from "../smtp/content.ts";
import { NO_OFFERS, type Offers, offersOf } from "../smtp/offers.ts";
import type { Reply } from "../smtp/reply.ts";
import { placeOf, type Target } from "./target.ts";
import { NoReplyError, SessionFailure, Wire } from "./wire.ts";

/** Milliseconds (RFC 5321 §4.5.3.2; S27). */
const DIAL = 30_000;
const HANDSHAKE = 60_000;
const GREETING = 300_000;
const TIMES: Record<Command, number> = {
  "MAIL FROM": 300_000,
  "RCPT TO": 300_000,
  "DATA": 120_000,
  // What is told too late is delivered twice.
  "end of DATA": 600_000,
  "RSET": 300_000,
};
const PIECE = 180_000;
const QUIT = 5_000;
/** Why no session came about, and what was answered by then. */
export class HostFailure extends Error {
  override name = "HostFailure";

  constructor(
    message: string,
    readonly status: string,
    readonly command?: string,
  ) {
    super(message);
  }
}

export type Surroundings = Pick<
  World,
  "clock" | "digests" | "random" | "outward" | "log" | "meter"
>;

/** What is known of how a message went. */
export interface Way {
  /** The host by name and address. */
  readonly host: string;
  readonly tls?: Secured;
  /** Why its certificate is not valid. */
  readonly doubt?: string;
}

export class OutboundConnection {
  readonly target: Target;
  readonly #world: Surroundings;
  #wire: Wire;
  #offers: Offers = NO_OFFERS;
  #tls: Secured | undefined;
  #doubt: string | undefined;
  #closed = false;
  #ended: Reply | undefined;
  /** Messages handed over, or tried. */
  uses = 0;
  /** Of the last: if no reply came then, the server may have taken it all the same. */
  gaveContent = false;

  private constructor(target: Target, connection: Connection, world: Surroundings) {
    this.target = target;
    this.#world = world;
    this.#wire = new Wire(connection, world.clock);
  }

  /** Rejects with a HostFailure. */
  static async open(
    target: Target,
    hostname: string,
    world: Surroundings,
    signal: AbortSignal,
  ): Promise<OutboundConnection> {
    const connection = await dial(target, world, signal);
    const opened = new OutboundConnection(target, connection, world);
    const abort = () => opened.close();
    signal.addEventListener("abort", abort);
    try {
      await opened.#begin(hostname);
      return opened;
    } catch (error) {
      opened.close();
      if (error instanceof SessionFailure || error instanceof HandshakeError) {
        throw new HostFailure(error.message, "4.4.2");
      }
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  get offers(): Offers {
    return this.#offers;
  }

  get way(): Way {
    return { host: placeOf(this.target), tls: this.#tls, doubt: this.#doubt };
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
    this.#wire.close();
  }

  /** In good order, though nobody waits for it. */
  async quit(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#wire.say("QUIT\r\n", QUIT);
      await this.#wire.reply(QUIT);
    } catch {
      // The message has been handed over; how they part is of no account.
    } finally {
      this.#wire.close();
    }
  }

  /** Rejects with a SessionFailure; what was decided until then is in none of its words. */
  async handOver(
    consignment: Consignment,
    content: Content,
    signal: AbortSignal,
  ): Promise<readonly Decision[]> {
    this.uses++;
    this.gaveContent = false;
    const abort = () => this.close();
    signal.addEventListener("abort", abort);
    try {
      return await this.#transact(consignment, content);
    } catch (error) {
      this.close();
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  async #transact(consignment: Consignment, content: Content): Promise<readonly Decision[]> {
    const transaction = transact(this.#offers, consignment);
    let move = transaction.next([]);
    while (!move.done) {
      const { value } = move;
      const replies: Reply[] = [];
      if (value.kind === "say") {
        await this.#wire.say(value.text, PIECE);
        for (const command of value.commands) replies.push(await this.#reply(command));
      } else {
        this.gaveContent = !value.empty;
        await this.#wire.sayContent(value.empty ? { chunks: [], size: 0 } : content, PIECE);
        replies.push(await this.#reply("end of DATA"));
      }
      move = transaction.next(replies);
    }
    return move.value;
  }

  /** A 421 has ended the session: it is the answer to all that was said with it. */
  async #reply(command: Command): Promise<Reply> {
    if (this.#ended !== undefined) return this.#ended;
    const reply = await this.#wire.reply(TIMES[command]);
    if (reply.code === 421) {
      this.#ended = reply;
      this.close();
    }
    return reply;
  }

  async #begin(hostname: string): Promise<void> {
    const { implicitTls, policy, credentials } = this.target;
    if (implicitTls) await this.#secure();
    const greeting = await this.#wire.reply(GREETING);
    if (greeting.code !== 220) throw refused(greeting, "greeting");
    await this.#hello(hostname);
    if (!implicitTls && policy !== "none") await this.#startTls(hostname);
    if (credentials !== undefined) await this.#logIn();
  }

  async #hello(hostname: string): Promise<void> {
    const answer = await this.#ask(`EHLO ${hostname}\r\n`);
    if (answer.code === 250) this.#offers = offersOf(answer);
    // RFC 5321 §3.2: whoever knows no EHLO knows HELO.
    else if (answer.code >= 500) {
      const plain = await this.#ask(`HELO ${hostname}\r\n`);
      if (plain.code !== 250) throw refused(plain, "HELO");
      this.#offers = NO_OFFERS;
    } else throw refused(answer, "EHLO");
  }

  async #startTls(hostname: string): Promise<void> {
    if (!this.#offers.startTls) {
      if (this.target.policy !== "require") return;
      throw new HostFailure("server offers no TLS, which is required", "4.7.4", "STARTTLS");
    }
    const answer = await this.#ask("STARTTLS\r\n");
    if (answer.code !== 220) {
      if (this.target.policy === "opportunistic") return;
      throw refused(answer, "STARTTLS");
    }
    // Whatever stands there was not said by whom the handshake will prove.
    if (this.#wire.hasMore) throw new SessionFailure("server said more before the handshake");
    await this.#secure();
    await this.#hello(hostname);
  }

  async #secure(): Promise<void> {
    const { name, policy, implicitTls } = this.target;
    const verified = policy === "verify" || policy === "require";
    const { clock, outward } = this.#world;
    const cancel = clock.timer(HANDSHAKE, () => this.#wire.close());
    try {
      const { connection, doubt } = await outward.secure(this.#wire.connection, {
        hostname: name,
        verified,
      });
      this.#tls = connection.secured;
      this.#doubt = doubt;
      this.#wire.letGo();
      this.#wire = new Wire(connection, clock);
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error;
      const command = implicitTls ? "connect" : "STARTTLS";
      throw new HostFailure(`no TLS: ${error.message}`, "4.7.5", command);
    } finally {
      cancel();
    }
  }

  async #logIn(): Promise<void> {
    const { credentials, policy, address } = this.target;
    if (this.#tls === undefined && policy !== "none" && !isLoopback(address)) {
      throw new HostFailure("server offers no TLS, and a password is not sent without", "4.7.4");
    }
    const refusal = await logIn(credentials!, this.#offers.mechanisms, this.#world, {
      ask: (line) => this.#askInSecret(line),
    });
    if (refusal !== undefined) throw new HostFailure(refusal, "4.7.8", "AUTH");
  }

  /** What is no reply might repeat what was said. */
  async #askInSecret(line: string): Promise<Reply> {
    try {
      return await this.#ask(line);
    } catch (error) {
      if (!(error instanceof NoReplyError)) throw error;
      throw new SessionFailure("not a reply of SMTP, to a login");
    }
  }

  async #ask(line: string): Promise<Reply> {
    await this.#wire.say(line, PIECE);
    return await this.#wire.reply(GREETING);
  }
}

async function dial(
  { address, port }: Target,
  { clock, outward }: Surroundings,
  signal: AbortSignal,
): Promise<Connection> {
  const time = new AbortController();
  const cancel = clock.timer(DIAL, () => time.abort());
  try {
    const endpoint = { hostname: address, port };
    return await outward.dial(endpoint, AbortSignal.any([signal, time.signal]));
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    const late = time.signal.aborted ? `no connection within ${DIAL / 1000} s` : error.message;
    throw new HostFailure(late, "4.4.1", "connect");
  } finally {
    cancel();
  }
}

function refused({ code, enhanced, lines }: Reply, command: string): HostFailure {
  const said = [code, enhanced, ...lines].filter((part) => part !== undefined).join(" ");
  return new HostFailure(said, "4.3.2", command);
}

const isLoopback = (address: string) => address === "::1" || address.startsWith("127.");
