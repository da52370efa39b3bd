/**
 * The relay: joins the stages in the order in which a message passes them.
 *
 *     inbound -> intake -> store -> queue -> delivery
 *                  ^                          |
 *                  +-------- notices ---------+
 */

import type { Config } from "./config.ts";
import { Access } from "./inbound/access.ts";
import { Authentication } from "./inbound/authentication.ts";
import { type CertificateFiles, Certificates } from "./inbound/certificates.ts";
import { Rates } from "./inbound/rates.ts";
import type { Audit } from "./inbound/options.ts";
import { Server } from "./inbound/server.ts";
import { intake, type IntakeRules, roomCheck } from "./intake.ts";
import type { World } from "./ports.ts";
import type { Delivery } from "./ports/delivery.ts";
import type { Store } from "./ports/store.ts";
import { Budget } from "./smtp/budget.ts";
import { notices } from "./notices.ts";
import { Signatures } from "./signing.ts";
import { Dispatcher, type Limits } from "./queue/dispatcher.ts";
import { Retention } from "./queue/retention.ts";

/** How mail leaves. */
export interface WayOut {
  readonly delivery: Delivery;
  /** Nothing will leave any more. */
  close?(): Promise<void>;
}

/**
 * Octets of messages that have not come to rest in the store. Where they are large, room for
 * some of the largest must be among it.
 */
const LEAST_MEMORY = 256 * 1024 * 1024;
const LARGEST_AT_ONCE = 4;

export class Relay {
  readonly server: Server;
  readonly #world: World;
  readonly #store: Store;
  readonly #retention: Retention;
  readonly #dispatcher: Dispatcher | undefined;
  readonly #wayOut: WayOut | undefined;
  readonly #certificates: Certificates | undefined;
  readonly #authentication: Authentication;
  readonly #signatures: Signatures;
  readonly #rates: Rates;
  readonly #audit: { wants: { lines: boolean; content: boolean }; line: Audit["line"] };
  #config: Config;

  /** Without a way out, mail is held, or captured. */
  constructor(config: Config, store: Store, world: World, wayOut?: WayOut) {
    const { log } = world;
    this.#config = config;
    this.#world = world;
    this.#store = store;
    this.#audit = {
      wants: { lines: false, content: false },
      line: (session, side, text) => log("info", `${session} ${side}: ${text}`),
    };
    this.audit(config.debug);
    const rules = () => intakeRules(this.#config, wayOut !== undefined);
    const { hostname, maxSize } = config;
    this.#certificates = config.tlsDisable
      ? undefined
      : new Certificates(hostname, certificateFiles(config), world);
    this.#signatures = new Signatures(config, world);
    this.#authentication = new Authentication(config.authUsers ?? new Map(), world);
    this.#rates = new Rates(config, world.clock);
    const hasRoom = roomCheck(store, log, rules);
    this.server = new Server({
      handler: intake(store, log, rules, this.#signatures.sign),
      checks: {
        sender: (_, client) => this.#rates.refusal(client),
        content: async (sender, recipients, client) =>
          await hasRoom(sender, recipients, client) ?? this.#rates.take(client),
      },
      addresses: config.listen,
      audit: this.#audit,
      tls: this.#certificates,
      auth: this.#authentication,
      memory: new Budget(Math.max(LEAST_MEMORY, LARGEST_AT_ONCE * maxSize)),
      ...changeable(config, world),
      ...pick(config, [
        "port",
        "tlsPort",
        "hostname",
        "banner",
        "maxSize",
        "maxRecipients",
        "maxUnknownCommands",
        "bareNewline",
        "maxClients",
        "maxClientsPerAddress",
        "commandTimeout",
        "dataTimeout",
        "handshakeTimeout",
        "authInsecure",
        "proxies",
        "proxyProtocol",
      ]),
    }, world);
    this.#retention = new Retention(store, world, () => this.#config.retentionDays);
    this.#wayOut = wayOut;
    if (wayOut !== undefined) {
      const limits = () => limitsOf(this.#config);
      const { delivery } = wayOut;
      this.#dispatcher = new Dispatcher({
        ...world,
        delivery,
        store,
        limits,
        notices: notices(hostname, world, this.#signatures.sign),
      });
    }
  }

  get config(): Config {
    return this.#config;
  }

  /** Takes over what may change while running; sessions begun before keep their rules. */
  apply(config: Config): void {
    if (config.debug !== this.#config.debug) this.audit(config.debug);
    this.#config = config;
    this.#certificates?.update(certificateFiles(config));
    this.#authentication.update(config.authUsers ?? new Map());
    this.#signatures.update(config);
    this.#rates.update(config);
    this.server.update(changeable(config, this.#world));
  }

  get audits(): boolean {
    return this.#audit.wants.lines;
  }

  /** Begins or ends the audit log, for sessions under way as well. */
  audit(on: boolean): void {
    // Captured mail is there to be looked at; mail that passes is nobody's business.
    this.#audit.wants = { lines: on, content: on && this.#config.mode === "capture" };
  }

  /**
   * Settles when the relay has stopped, its store closed. Rejects where it cannot listen, or its
   * store has broken: whoever started it starts it anew.
   */
  async run(): Promise<void> {
    const broken = new Promise<never>((_, reject) => this.#store.onBroken(reject));
    try {
      const stopped = this.server.listenAndServe();
      this.#certificates?.start();
      this.#retention.start();
      this.#dispatcher?.start();
      await Promise.race([stopped, broken]);
      await this.#dispatcher?.stop(this.#config.shutdownTimeout);
    } catch (error) {
      await Promise.all([this.server.shutdown({ within: 0 }), this.#dispatcher?.stop(0)]);
      throw error;
    } finally {
      this.#retention.stop();
      this.#certificates?.stop();
      await this.#wayOut?.close?.();
      await this.#store.close();
    }
  }

  stop(): Promise<void> {
    return this.server.shutdown({ within: this.#config.shutdownTimeout });
  }
}

function changeable(config: Config, world: World) {
  const lists = { networks: config.allowNetworks ?? [], hosts: config.allowHosts ?? [] };
  return { access: new Access(lists, world), senderDomains: senderDomains(config) };
}

function certificateFiles({ tlsCert, tlsKey }: Config): CertificateFiles | undefined {
  return tlsCert === undefined ? undefined : { cert: tlsCert, key: tlsKey! };
}

function intakeRules(config: Config, leaves: boolean): IntakeRules {
  const { hostname, hideClient, maxQueuedPerClient, minFree, mode } = config;
  const rules = { hostname, hideClient, maxQueuedPerClient, minFree };
  if (mode === "capture") return { ...rules, state: "captured" };
  if (leaves) return { ...rules, state: "queued" };
  return { ...rules, state: "held", note: "there is no way out" };
}

function limitsOf(config: Config): Limits {
  return {
    connections: config.queueWorkers * config.workerConnections,
    perDestination: config.destinationConnections,
    apart: config.relayUrl === undefined ? undefined : [...config.routes?.keys() ?? []],
    lifetime: config.queueLifetime,
    delayNotice: config.delayNotice,
  };
}

function senderDomains({ requireLocalDomain, hostname, localDomains }: Config) {
  return requireLocalDomain ? new Set([hostname, ...localDomains ?? []]) : undefined;
}

function pick<T, Key extends keyof T>(from: T, keys: readonly Key[]): Pick<T, Key> {
  return Object.fromEntries(keys.map((key) => [key, from[key]])) as Pick<T, Key>;
}
