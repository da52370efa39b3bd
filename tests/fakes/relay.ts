/** A whole relay in this process, with a clock that stands still, on a store of its own. */

import { loadConfig } from "../../src/config.ts";
import { world as realWorld } from "../../src/deno/world.ts";
import { Meter } from "../../src/meter.ts";
import { Relay } from "../../src/relay.ts";
import { Client } from "./client.ts";
import { TurnedClock } from "./clock.ts";
import { environmentOf } from "./environment.ts";
import { claim, IPV4 } from "./proxy.ts";
import { TestStore } from "./store.ts";

type Settings = Readonly<Record<string, string>>;

const LOOPBACK = {
  SMTP_LISTEN: "127.0.0.1",
  SMTP_PORT: "0",
  SMTP_MODE: "relay",
  SMTP_DEBUG: "false",
  SMTP_MIN_FREE: "0B",
  SMTP_HEALTH_DISABLE: "true",
  SMTP_ALLOW_NETWORKS: "0.0.0.0/0,::/0",
  // Whoever tests it may be any client.
  SMTP_PROXIES: "127.0.0.1",
};

const configOf = (settings: Settings) =>
  loadConfig(environmentOf({ ...LOOPBACK, ...settings }), { dev: true }).config;

export class TestRelay implements AsyncDisposable {
  readonly clock = new TurnedClock();
  readonly meter = new Meter();
  readonly #test: TestStore;
  readonly #relay: Relay;
  readonly #stopped: Promise<void>;

  private constructor(test: TestStore, settings: Settings) {
    this.#test = test;
    const world = { ...realWorld, clock: this.clock, log: () => {}, meter: this.meter };
    this.#relay = new Relay(configOf(settings), test.store, world);
    this.#stopped = this.#relay.run();
  }

  static async start(settings: Settings = {}): Promise<TestRelay> {
    return new TestRelay(await TestStore.open(), settings);
  }

  get store() {
    return this.#test.store;
  }

  get port() {
    return this.#relay.server.address.port;
  }

  /** As a daemon reads its settings again. */
  reload(settings: Settings): void {
    this.#relay.apply(configOf(settings));
  }

  /** A client that has said hello: of some address, and perhaps a user. */
  async client({ address = IPV4, user }: { address?: string; user?: string } = {}) {
    const client = await Client.greeted(this.port);
    await claim(client, `ADDR=${address}` + (user === undefined ? "" : ` LOGIN=${user}`));
    await client.ask("EHLO client.example");
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.#relay.stop();
    // Nobody else turns the clock for what it waits for.
    this.clock.turn(60_000);
    this.clock.turn(60_000);
    await stopped;
    // It has closed the store.
    await this.#stopped;
    const { folder } = this.#test;
    await Deno.remove(folder.slice(0, folder.lastIndexOf("/")), { recursive: true });
  }
}
