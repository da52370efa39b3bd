/**
 * A whole relay in this process that serves HTTP, with a clock that stands still until it is
 * turned, on a store of its own.
 */

import assert from "node:assert/strict";
import { loadConfig } from "../../src/config.ts";
import { world as realWorld } from "../../src/deno/world.ts";
import { Meter } from "../../src/meter.ts";
import { fieldsOf, type LogFields, type World } from "../../src/ports.ts";
import type { Delivery } from "../../src/ports/delivery.ts";
import type { Store } from "../../src/ports/store.ts";
import { Relay } from "../../src/relay.ts";
import { Client } from "./client.ts";
import { TurnedClock } from "./clock.ts";
import { environmentOf } from "./environment.ts";
import { ask, WITH_HTTP } from "./http.ts";
import { settled } from "./settled.ts";
import { TestStore } from "./store.ts";

const LOOPBACK = {
  ...WITH_HTTP,
  SMTP_LISTEN: "127.0.0.1",
  SMTP_PORT: "0",
  SMTP_MODE: "relay",
  SMTP_DEBUG: "false",
  SMTP_MIN_FREE: "0B",
};

type Texts = Readonly<Record<string, string>>;

export interface HttpParts {
  readonly settings?: Texts;
  /** Those that the settings name. */
  readonly files?: Texts;
  /** Without one, mail is held. */
  readonly delivery?: Delivery;
  readonly world?: Partial<World>;
  /** What the relay has in place of its store. */
  readonly store?: (store: Store) => Store;
}

export class HttpRelay implements AsyncDisposable {
  readonly clock: TurnedClock;
  readonly meter = new Meter();
  readonly logged: { level: string; event: string; fields: LogFields }[] = [];
  readonly relay: Relay;
  readonly #test: TestStore;
  readonly #stopped: Promise<void>;

  private constructor(test: TestStore, clock: TurnedClock, parts: HttpParts) {
    this.#test = test;
    this.clock = clock;
    const world: World = {
      ...realWorld,
      clock,
      meter: this.meter,
      log: (level, event, fields = {}) =>
        void this.logged.push({ level, event, fields: fieldsOf(fields) }),
      ...parts.world,
    };
    const store = parts.store?.(test.store) ?? test.store;
    const { delivery } = parts;
    this.relay = new Relay(configOf(parts), store, world, delivery && { delivery });
    this.#stopped = this.relay.run();
  }

  static async start(parts: HttpParts = {}): Promise<HttpRelay> {
    const clock = new TurnedClock();
    return new HttpRelay(await TestStore.open({ clock }), clock, parts);
  }

  get store(): Store {
    return this.#test.store;
  }

  get port(): number {
    return this.relay.server.address.port;
  }

  get httpPort(): number {
    return this.relay.httpAddresses[0].port;
  }

  /** What the log tells of it, in their order. */
  told(event: string): LogFields[] {
    return this.logged.filter((each) => each.event === event).map(({ fields }) => fields);
  }

  /** As a daemon reads its settings again. */
  reload(parts: HttpParts): void {
    this.relay.apply(configOf(parts));
  }

  /** One message; what is said to its content. */
  /** Until the store is at rest again. */
  async mail(subject?: string): Promise<string> {
    const reply = await mail(this.port, { subject });
    await this.#test.store.stats();
    return reply;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.relay.stop();
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

function configOf({ settings, files }: HttpParts) {
  return loadConfig(environmentOf({ ...LOOPBACK, ...settings }, files), { dev: true }).config;
}

export interface Letter {
  readonly from?: string;
  readonly to?: readonly string[];
  readonly subject?: string;
}

/** One message over a connection of its own; what is said to its content. */
export async function mail(port: number, letter: Letter = {}): Promise<string> {
  const { from = "a@example.com", to = ["b@example.net"], subject = "x" } = letter;
  using client = await Client.greeted(port);
  await client.ask("EHLO client.example");
  await client.ask(`MAIL FROM:<${from}>`);
  for (const recipient of to) await client.ask(`RCPT TO:<${recipient}>`);
  await client.ask("DATA");
  const reply = await client.ask(`Subject: ${subject}\r\n\r\nx\r\n.`);
  await client.ask("QUIT");
  await client.rest();
  return reply;
}

/** Descriptors of this process; elsewhere than on Linux nobody knows. */
function descriptors(): number {
  return Deno.build.os === "linux" ? [...Deno.readDirSync("/proc/self/fd")].length : 0;
}

/** What it does leaves no descriptor and no timer, and HTTP and mail as they were. */
export async function leavesNothing(relay: HttpRelay, work: () => Promise<void>): Promise<void> {
  const round = async () => {
    await work();
    assert.equal((await ask(relay.httpPort, "/livez")).body, "OK\n");
    assert.match(await relay.mail(), /^250 /);
  };
  await round();
  const isOver = () => relay.relay.server.activeClients === 0 && relay.clock.timers <= before;
  // Its reader is there from the first question on.
  await relay.store.stats();
  const before = await quietTimers(relay);
  const open = descriptors();
  for (let i = 0; i < 2; i++) await round();
  for (let i = 0; i < 1_000 && (!isOver() || descriptors() > open); i++) await settled();
  assert.ok(relay.clock.timers <= before, `${relay.clock.timers} timers, ${before} before`);
  assert.ok(descriptors() <= open, `${descriptors()} descriptors, ${open} before`);
}

/** Once nobody is left. */
async function quietTimers({ clock, relay }: HttpRelay): Promise<number> {
  let [last, same] = [clock.timers, 0];
  while (same < 20 || relay.server.activeClients > 0) {
    await settled();
    same = clock.timers === last ? same + 1 : 0;
    last = clock.timers;
  }
  return last;
}
