/**
 * An SMTP server: listens, lets clients in, and hands each message to a handler through
 * middleware. It knows nothing of what becomes of messages; the relay is one user of it.
 *
 * Promises: `listenAndServe` has bound every address before it first waits, or has bound
 * none and rejects with a ListenError; `shutdown` answers no message with 250 that the
 * handler has not, and ends in time.
 */

import type { Connection, Endpoint, Listener, LogFields, World } from "../ports.ts";
import { compose, type Middleware } from "../mail/handler.ts";
import { acceptAll } from "../listening/acceptor.ts";
import { Admission } from "./admission.ts";
import { listenOn } from "../listening/listen.ts";
import { DEFAULTS, type Options, type ServerOptions } from "./options.ts";
import { type House, Visit } from "./visit.ts";

/** For the last replies to be sent to sessions that are cut. */
const LAST_WORDS = 250;

/** What may be changed while the server runs. */
export type Changeable = Pick<ServerOptions, "access" | "auth" | "senderDomains">;

export class Server {
  #options: Options;
  readonly #world: World;
  readonly #middleware: Middleware[] = [];
  readonly #visits = new Set<Visit>();
  readonly #house: House;
  #listeners: Listener[] = [];
  /** Where TLS begins at once. */
  #tlsListeners: Listener[] = [];
  /** Why they do not accept. */
  readonly #troubles = new Map<Listener, string>();
  #sessions = 0;
  #phase: "new" | "serving" | "stopping" | "stopped" = "new";
  #whenEmpty: (() => void) | undefined;
  #whenStopped: Promise<void> = Promise.resolve();

  constructor(options: ServerOptions, world: World) {
    this.#options = { ...DEFAULTS, ...given(options) } as Options;
    this.#world = world;
    this.#house = this.#houseOf(options);
  }

  #houseOf({ handler }: ServerOptions): House {
    const current = () => this.#options;
    const isServing = () => this.#phase === "serving";
    const failed = (error: unknown, about?: LogFields) => this.#failed(error, about);
    return {
      get options() {
        return current();
      },
      get isServing() {
        return isServing();
      },
      world: this.#world,
      admission: new Admission(failed),
      handle: handler,
      failed,
    };
  }

  /** Puts middleware around the handler; the first one used is outermost. */
  use(...middleware: Middleware[]): this {
    if (this.#phase !== "new") throw new Error("use middleware: the server is serving already");
    this.#middleware.push(...middleware);
    return this;
  }

  /** For clients that come from now on. */
  update(options: Changeable): void {
    this.#options = { ...this.#options, ...options };
  }

  /** Settles when the server has stopped; rejects where it cannot listen. */
  async listenAndServe(): Promise<void> {
    if (this.#phase !== "new") throw new Error("listen: the server has been started before");
    const { addresses, port, tlsPort, tls, handler } = this.#options;
    const { clock, log } = this.#world;
    if (tlsPort !== undefined && tls === undefined) {
      throw new Error(`listen on port ${tlsPort} for TLS: there is no certificate`);
    }
    this.#listeners = listenOn(addresses, port, this.#world);
    try {
      if (tlsPort !== undefined) this.#tlsListeners = listenOn(addresses, tlsPort, this.#world);
    } catch (error) {
      for (const listener of this.#listeners.splice(0)) listener.close();
      throw error;
    }
    this.#phase = "serving";
    this.#house.handle = compose(this.#middleware, handler);
    const isOver = () => this.#phase === "stopped";
    const serve = (listeners: readonly Listener[], implicitTls: boolean) => {
      const take = (connection: Connection) => this.#take(connection, implicitTls);
      return listeners.map((listener) => {
        const troubled = (trouble: string | undefined) => this.#trouble(listener, trouble);
        return acceptAll(listener, take, { clock, log, isOver, troubled });
      });
    };
    await Promise.all([...serve(this.#listeners, false), ...serve(this.#tlsListeners, true)]);
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

  get tlsAddresses(): readonly Endpoint[] {
    return this.#tlsListeners.map(({ addr }) => addr);
  }

  /** Why clients cannot come now, if they cannot. */
  get troubles(): readonly string[] {
    if (this.#phase === "serving") return [...this.#troubles.values()];
    return [this.#phase === "new" ? "not listening yet" : "stopping"];
  }

  get activeClients(): number {
    return this.#visits.size;
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
    for (const visit of this.#visits) visit.stop({ now: false });
    await this.#drained(within);
    const cut = this.#visits.size;
    if (cut > 0) {
      this.#world.log("warning", "sessions are cut", { sessions: cut });
      for (const visit of this.#visits) visit.stop({ now: true });
      await this.#drained(LAST_WORDS);
    }
    this.#phase = "stopped";
    for (const listener of [...this.#listeners, ...this.#tlsListeners]) listener.close();
    for (const visit of this.#visits) visit.close();
  }

  #trouble(listener: Listener, trouble: string | undefined): void {
    if (trouble === undefined) this.#troubles.delete(listener);
    else this.#troubles.set(listener, `port ${listener.addr.port}: ${trouble}`);
  }

  async #drained(within: number): Promise<void> {
    if (this.#visits.size === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#world.clock.timer(within, resolve);
      this.#whenEmpty = () => {
        cancel();
        resolve();
      };
    });
  }

  #take(connection: Connection, implicitTls: boolean): void {
    const visit = new Visit(++this.#sessions, connection, this.#house);
    this.#visits.add(visit);
    visit.run({ implicitTls }).finally(() => {
      this.#visits.delete(visit);
      if (this.#visits.size === 0) this.#whenEmpty?.();
    });
  }

  /** A fault of whoever handles mail here is no reason to lose it: the client tries again. */
  #failed(error: unknown, about: LogFields = {}): void {
    const detail = error instanceof Error ? error.stack ?? error.message : String(error);
    this.#world.log("error", "could not serve a client", { ...about, error: detail });
  }
}

/** The options that are set: `undefined` does not hide a default. */
function given<T extends object>(options: T): Partial<T> {
  const set = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(set) as Partial<T>;
}
