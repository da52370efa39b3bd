/**
 * Serves pages over HTTP, on connections of our own: the runtime's server keeps a request that
 * does not come to its end for ever, and stops for good when there are no descriptors.
 *
 * Promises: an address that cannot be had is told of, and tried again, while mail flows; there are
 * never more than so many clients, of one address and in all.
 */

import { acceptAll } from "../listening/acceptor.ts";
import { listenOn } from "../listening/listen.ts";
import {
  type Connection,
  type Endpoint,
  type Listener,
  ListenError,
  type World,
} from "../ports.ts";
import { type Answer, Exchange } from "./exchange.ts";

const MOST = 128;
const MOST_OF_ONE = 32;
/** Milliseconds until an address is tried again: at first, and at most. */
const FIRST_PAUSE = 5_000;
const LONGEST_PAUSE = 60_000;

export class HttpServer {
  readonly #hosts: readonly string[];
  readonly #port: number;
  readonly #answer: Answer;
  readonly #world: World;
  readonly #exchanges = new Map<Exchange, string>();
  #listeners: Listener[] = [];
  #stopped = false;
  #cancel: (() => void) | undefined;

  constructor(
    { hosts, port }: { readonly hosts: readonly string[]; readonly port: number },
    answer: Answer,
    world: World,
  ) {
    this.#hosts = hosts;
    this.#port = port;
    this.#answer = answer;
    this.#world = world;
  }

  get addresses(): readonly Endpoint[] {
    return this.#listeners.map(({ addr }) => addr);
  }

  /** Listens at once, or later. */
  start(pause = FIRST_PAUSE): void {
    const { clock, log } = this.#world;
    try {
      this.#listeners = listenOn(this.#hosts, this.#port, this.#world);
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      if (pause === FIRST_PAUSE) {
        log("error", "no HTTP for now, mail flows", { error: error.message });
      }
      const next = Math.min(pause * 2, LONGEST_PAUSE);
      this.#cancel = clock.timer(pause, () => this.start(next));
      return;
    }
    if (pause > FIRST_PAUSE) log("info", "HTTP is served", { port: this.#listeners[0].addr.port });
    const take = (connection: Connection) => this.#take(connection);
    const isOver = () => this.#stopped;
    for (const listener of this.#listeners) {
      void acceptAll(listener, take, { clock, log, isOver });
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    for (const listener of this.#listeners) listener.close();
    for (const exchange of this.#exchanges.keys()) exchange.close();
  }

  #take(connection: Connection): void {
    const { hostname } = connection.remoteAddr;
    const { clock, log } = this.#world;
    const exchange = new Exchange(connection, clock, this.#answer);
    const ofOne = [...this.#exchanges.values()].filter((each) => each === hostname).length;
    if (this.#exchanges.size >= MOST || ofOne >= MOST_OF_ONE) return exchange.close();
    this.#exchanges.set(exchange, hostname);
    exchange.run()
      .catch((error) => log("error", "could not serve a page", { error: String(error) }))
      .finally(() => this.#exchanges.delete(exchange));
  }
}
