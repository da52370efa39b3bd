/**
 * A whole relay in this process that delivers, with a clock that stands still until it is turned:
 * days pass in a moment. It sends to ports of loopback that its settings name, and nowhere else.
 */

import { loadConfig } from "../../src/config.ts";
import { world as realWorld } from "../../src/deno/world.ts";
import { Meter } from "../../src/meter.ts";
import { fieldsOf, type LazyLogFields, type LogFields } from "../../src/ports.ts";
import { Relay } from "../../src/relay.ts";
import { wayOut } from "../../src/way_out.ts";
import { Client } from "./client.ts";
import { TurnedClock } from "./clock.ts";
import { environmentOf } from "./environment.ts";
import { ListedNames, type Records } from "./names.ts";
import { TestStore } from "./store.ts";

const LOOPBACK = {
  SMTP_LISTEN: "127.0.0.1",
  SMTP_PORT: "0",
  SMTP_MODE: "relay",
  SMTP_DEBUG: "false",
  SMTP_MIN_FREE: "0B",
  SMTP_HEALTH_DISABLE: "true",
  SMTP_HOSTNAME: "relay.example",
  SMTP_ALLOW_NETWORKS: "127.0.0.1",
  SMTP_TLS_DISABLE: "true",
};

export interface Happened {
  readonly event: string;
  readonly fields: LogFields;
}

export class BounceRelay implements AsyncDisposable {
  readonly clock: TurnedClock;
  readonly meter = new Meter();
  readonly happened: Happened[] = [];
  readonly #test: TestStore;
  readonly #relay: Relay;
  readonly #stopped: Promise<void>;

  private constructor(
    test: TestStore,
    clock: TurnedClock,
    settings: Readonly<Record<string, string>>,
    names: Readonly<Record<string, Records>>,
  ) {
    this.#test = test;
    this.clock = clock;
    const world = {
      ...realWorld,
      clock,
      meter: this.meter,
      log: (_level: string, event: string, fields: LazyLogFields = {}) => {
        this.happened.push({ event, fields: fieldsOf(fields) });
      },
    };
    const { config } = loadConfig(environmentOf({ ...LOOPBACK, ...settings }), { dev: true });
    const way = wayOut(config, () => this.#relay.config, new ListedNames(names), world);
    this.#relay = new Relay(config, test.store, world, way);
    this.#stopped = this.#relay.run();
  }

  static async start(
    settings: Readonly<Record<string, string>> = {},
    names: Readonly<Record<string, Records>> = {},
  ): Promise<BounceRelay> {
    const clock = new TurnedClock();
    return new BounceRelay(await TestStore.open({ clock }), clock, settings, names);
  }

  get port(): number {
    return this.#relay.server.address.port;
  }

  get store() {
    return this.#test.store;
  }

  /** The folder of its spool. */
  get folder(): string {
    return this.#test.folder;
  }

  client(): Promise<Client> {
    return Client.greeted(this.port);
  }

  /** Resolves once it has happened so often, and what follows from it was written down. */
  async until(event: string, times: number): Promise<void> {
    const isOver = async () =>
      this.happened.filter((each) => each.event === event).length >= times &&
      !await this.#isUnderway();
    while (!await isOver()) {
      // What became due while the clock was turned waits no longer than that.
      this.clock.turn(0);
      await this.store.stats();
    }
  }

  /** Resolves once so many recipients have failed since the relay was started. */
  async untilFailed(recipients: number): Promise<void> {
    while ((await this.store.stats()).failed < recipients) this.clock.turn(0);
  }

  async #isUnderway(): Promise<boolean> {
    const rows = await this.store.list({ states: ["queued"], limit: 1000 });
    return rows.some(({ recipients }) => recipients.some(({ underway }) => underway));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.#relay.stop();
    // Nobody else turns the clock for what it waits for.
    this.clock.turn(60_000);
    this.clock.turn(60_000);
    await stopped;
    await this.#stopped;
    await Deno.remove(this.folder.slice(0, this.folder.lastIndexOf("/")), { recursive: true });
  }
}
