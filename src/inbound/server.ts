/**
 * An SMTP server: listens, lets clients in, and hands each message to a handler through
 * middleware. It knows nothing of what becomes of messages; the relay is one user of it.
 *
 * Promises: `listenAndServe` has bound every address before it first waits, or has bound
 * none and rejects with a ListenError; `shutdown` answers no message with 250 that the
 * handler has not, and ends in time.
 */

import { CHANCE, newId } from "../mail/id.ts";
import type { Client, Envelope } from "../mail/envelope.ts";
import type { Connection, Endpoint, Listener, World } from "../ports.ts";
import { format, isFinal, type Reply } from "../smtp/reply.ts";
import * as replies from "../smtp/replies.ts";
import { type Observer, Session } from "../smtp/session.ts";
import type { Mail, Peer, Question, State } from "../smtp/state.ts";
import { acceptAll } from "./acceptor.ts";
import { plain } from "./access.ts";
import { Admission } from "./admission.ts";
import { Conversation, type Host } from "./conversation.ts";
import { compose, type Handler, type Middleware } from "../mail/handler.ts";
import { listenOn } from "./listen.ts";
import { type Checks, DEFAULTS, type Refusal, type ServerOptions } from "./options.ts";

/** As many refusals of one session are told: a client must not be able to fill the log. */
const MOST_REFUSALS = 20;

const NOTHING = { lines: false, content: false };

/** For the last replies to be sent to sessions that are cut. */
const LAST_WORDS = 250;

export class Server {
  #options: ServerOptions & typeof DEFAULTS;
  readonly #world: World;
  readonly #middleware: Middleware[] = [];
  readonly #clients = new Set<Conversation>();
  readonly #admission = new Admission((error) => this.#failed(error));
  #listeners: Listener[] = [];
  #handle: Handler;
  #sessions = 0;
  #phase: "new" | "serving" | "stopping" | "stopped" = "new";
  #whenEmpty: (() => void) | undefined;
  #whenStopped: Promise<void> = Promise.resolve();

  constructor(options: ServerOptions, world: World) {
    this.#options = { ...DEFAULTS, ...given(options) } as ServerOptions & typeof DEFAULTS;
    this.#world = world;
    this.#handle = options.handler;
  }

  /** Puts middleware around the handler; the first one used is outermost. */
  use(...middleware: Middleware[]): this {
    if (this.#phase !== "new") throw new Error("use middleware: the server is serving already");
    this.#middleware.push(...middleware);
    return this;
  }

  /** For clients that come from now on. */
  update(options: Pick<ServerOptions, "access" | "senderDomains">): void {
    this.#options = { ...this.#options, ...options };
  }

  /** Settles when the server has stopped; rejects where it cannot listen. */
  async listenAndServe(): Promise<void> {
    if (this.#phase !== "new") throw new Error("listen: the server has been started before");
    const { addresses, port, handler } = this.#options;
    this.#listeners = listenOn(addresses, port, this.#world);
    this.#phase = "serving";
    this.#handle = compose(this.#middleware, handler);
    const { clock, log } = this.#world;
    const isOver = () => this.#phase === "stopped";
    const take = (connection: Connection) => this.#take(connection);
    await Promise.all(
      this.#listeners.map((listener) => acceptAll(listener, take, { clock, log, isOver })),
    );
    await this.#whenStopped;
  }

  /** The first address that is listened on. */
  get address(): Endpoint {
    if (this.#listeners.length === 0) throw new Error("address: the server is not listening");
    return this.#listeners[0].addr;
  }

  get addresses(): readonly Endpoint[] {
    return this.#listeners.map(({ addr }) => addr);
  }

  get activeClients(): number {
    return this.#clients.size;
  }

  /**
   * New clients are sent away; sessions between messages are told 421; content under way may
   * still become a message. What is not over within the time is cut.
   */
  shutdown({ within = 30_000 }: { within?: number } = {}): Promise<void> {
    if (this.#phase === "serving") this.#whenStopped = this.#stop(within);
    return this.#whenStopped;
  }

  async #stop(within: number): Promise<void> {
    this.#phase = "stopping";
    for (const conversation of this.#clients) conversation.stop({ now: false });
    await this.#drained(within);
    const cut = this.#clients.size;
    if (cut > 0) {
      this.#world.log("warning", "sessions are cut", { sessions: cut });
      for (const conversation of this.#clients) conversation.stop({ now: true });
      await this.#drained(LAST_WORDS);
    }
    this.#phase = "stopped";
    for (const listener of this.#listeners) listener.close();
    for (const conversation of this.#clients) conversation.close();
  }

  async #drained(within: number): Promise<void> {
    if (this.#clients.size === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#world.clock.timer(within, resolve);
      this.#whenEmpty = () => {
        cancel();
        resolve();
      };
    });
  }

  #take(connection: Connection): void {
    const address = plain(connection.remoteAddr.hostname);
    const number = ++this.#sessions;
    const session = new Session(this.#options, this.#observer(number, address));
    const host = this.#hostFor(address, connection.remoteAddr.port);
    const conversation = new Conversation(connection, session, host);
    const place = this.#phase === "serving"
      ? this.#admission.enter(address, this.#options)
      : undefined;
    this.#clients.add(conversation);
    this.#note(number, `connected ${address} port ${connection.remoteAddr.port}`);
    conversation.run(place ? place.refusal : replies.stopping(this.#options.hostname)).finally(
      () => {
        this.#note(number, "disconnected");
        this.#clients.delete(conversation);
        place?.leave();
        if (this.#clients.size === 0) this.#whenEmpty?.();
      },
    );
  }

  #note(session: number, text: string): void {
    const { audit } = this.#options;
    try {
      if (audit?.wants.lines) audit.line(session, "*", text);
    } catch (error) {
      // An audit that fails must not leave a client uncounted.
      this.#failed(error);
    }
  }

  #observer(session: number, client: string): Observer {
    const { audit } = this.#options;
    const { log } = this.#world;
    let refusals = 0;
    return {
      get wants() {
        return audit?.wants ?? NOTHING;
      },
      line: (side, text) => audit?.line(session, side, text),
      refused(what, reply) {
        refusals++;
        if (refusals > MOST_REFUSALS) return;
        log("info", "refused", { session, client, what, reply: format(reply).trimEnd() });
        if (refusals === MOST_REFUSALS) log("info", "more refusals are not told", { session });
      },
    };
  }

  #hostFor(address: string, port: number): Host {
    const { commandTimeout, dataTimeout } = this.#options;
    const { clock, log } = this.#world;
    return {
      clock,
      log,
      commandTimeout,
      dataTimeout,
      ask: (state) => this.#ask(state, clientOf(state.peer, address, port)),
      deliver: (state) => this.#deliver(state, clientOf(state.peer, address, port)),
    };
  }

  #ask({ mail, question }: State & { at: "asking" }, client: Client): Refusal {
    const { checks } = this.#options;
    if (checks === undefined) return undefined;
    const failed = (error: unknown) => {
      this.#failed(error);
      return replies.failed;
    };
    try {
      const refusal = this.#check(checks, mail, question, client);
      return refusal instanceof Promise ? refusal.catch(failed) : refusal;
    } catch (error) {
      return failed(error);
    }
  }

  #check(checks: Checks, mail: Mail, question: Question, client: Client): Refusal {
    switch (question.about) {
      case "sender":
        return checks.sender?.(mail.sender, client);
      case "recipient":
        return checks.recipient?.(question.recipient, mail.sender, client);
      case "content":
        return checks.content?.(mail.sender, [...mail.recipients.values()], client);
    }
  }

  async #deliver(state: State & { at: "committing" }, client: Client): Promise<Reply> {
    const { clock, random } = this.#world;
    const { transaction, content } = state;
    const now = clock.now();
    const chance = new Uint8Array(CHANCE);
    random.fill(chance);
    const envelope: Envelope = {
      id: newId(now, chance),
      client,
      ...transaction,
      content,
      receivedAt: now,
    };
    try {
      const reply = await this.#handle(envelope);
      if (isFinal(reply)) return reply;
      throw new TypeError(`handle message: ${JSON.stringify(reply)} is no reply`);
    } catch (error) {
      this.#failed(error, envelope.id);
      return replies.notStored;
    }
  }

  /** A fault of whoever handles mail here is no reason to lose it: the client tries again. */
  #failed(error: unknown, id?: string): void {
    const detail = error instanceof Error ? error.stack ?? error.message : String(error);
    this.#world.log("error", "could not serve a client", { id, error: detail });
  }
}

function clientOf({ helo = "", esmtp }: Peer, address: string, port: number): Client {
  return { address, port, helo, esmtp };
}

/** The options that are set: `undefined` does not hide a default. */
function given<T extends object>(options: T): Partial<T> {
  const set = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(set) as Partial<T>;
}
