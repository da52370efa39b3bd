/**
 * The relay: joins the stages in the order in which a message passes them.
 *
 *     inbound -> intake -> store -> queue -> delivery
 *                  ^                          |
 *                  +-------- notices ---------+
 */

import { AuditLog } from "./audit.ts";
import type { Config } from "./config.ts";
import { Health } from "./health.ts";
import type { Answer } from "./http/exchange.ts";
import type { Figures } from "./http/figures.ts";
import type { GuardRules } from "./http/guard.ts";
import type { Pages, Site } from "./http/pages.ts";
import { HttpServer } from "./http/server.ts";
import { Access } from "./inbound/access.ts";
import { Authentication } from "./inbound/authentication.ts";
import { type CertificateFiles, Certificates } from "./inbound/certificates.ts";
import { Rates } from "./inbound/rates.ts";
import { Server } from "./inbound/server.ts";
import { intake, type IntakeRules, roomCheck } from "./intake.ts";
import type { Endpoint, World } from "./ports.ts";
import type { Delivery } from "./ports/delivery.ts";
import type { Store } from "./ports/store.ts";
import { Budget } from "./smtp/budget.ts";
import type { Reply } from "./smtp/reply.ts";
import { notices } from "./notices.ts";
import { Loaded, Recent } from "./recent.ts";
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

/** Whoever asks for figures more often gets those of before; in milliseconds. */
const FIGURES_AGE = 1_000;

/** Addresses of all kinds. */
const EVERYWHERE = ["::", "0.0.0.0"];

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
  readonly #http: HttpServer | undefined;
  #pages: Loaded<Pages> | undefined;
  readonly #startedAt: number;
  readonly auditLog: AuditLog;
  /** Why settings that were to be read again are as they were. */
  settingsTrouble: string | undefined;
  #config: Config;

  /** Without a way out, mail is held, or captured. */
  constructor(config: Config, store: Store, world: World, wayOut?: WayOut) {
    const { log } = world;
    this.#config = config;
    this.#world = world;
    this.#store = store;
    this.#startedAt = world.clock.now();
    this.auditLog = new AuditLog(world.clock);
    this.#turnAudit(config.debug);
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
      handler: intake(store, world, rules, this.#signatures.sign),
      checks: {
        sender: (_, client) => this.#rates.refusal(client),
        content: (sender, recipients, client) => {
          const refusal = hasRoom(sender, recipients, client);
          const take = (refusal: Reply | undefined) => refusal ?? this.#rates.take(client);
          return refusal instanceof Promise ? refusal.then(take) : take(refusal);
        },
      },
      addresses: config.listen,
      audit: this.auditLog,
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
    if (!config.healthDisable) this.#http = this.#newHttp(config, world);
  }

  #newHttp(config: Config, world: World): HttpServer {
    const health = new Health({
      server: this.server,
      store: this.#store,
      dispatcher: this.#dispatcher,
      certificates: this.#certificates,
      signatures: this.#signatures,
      clock: world.clock,
      minFree: () => this.#config.minFree,
      settingsTrouble: () => this.settingsTrouble,
    });
    const figures = new Recent(world.clock, FIGURES_AGE, () => this.#figures());
    const site: Site = {
      meter: world.meter,
      audit: this.auditLog,
      turnAudit: (on) => this.audit(on),
      checks: () => health.checks(),
      figures: () => figures.get(),
    };
    // Mail does not wait for them at the start.
    const load = async () =>
      (await import("./http/pages.ts")).pages(site, guardRules(config), world);
    const app = new Loaded(load);
    this.#pages = app;
    const answer: Answer = async (request, address) =>
      (await app.get()).fetch(request, { address });
    return new HttpServer(httpAddress(config), answer, world);
  }

  async #figures(): Promise<Figures> {
    return {
      sessions: this.server.activeClients,
      deliveries: this.#dispatcher?.underway ?? 0,
      store: await this.#store.stats(),
      // Where nobody can look at the disk the others are wanted all the more.
      space: await Promise.try(() => this.#store.space()).catch(() => undefined),
      certificateEnds: this.#certificates?.ends,
      memory: this.#world.memory(),
      startedAt: this.#startedAt,
    };
  }

  /** Where pages are served; perhaps nowhere. */
  get httpAddresses(): readonly Endpoint[] {
    return this.#http?.addresses ?? [];
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

  /** Begins or ends the audit log, for sessions under way as well. */
  audit(on: boolean): void {
    if (on !== this.auditLog.on) this.#world.log("info", `audit log ${on ? "on" : "off"}`);
    this.#turnAudit(on);
  }

  #turnAudit(on: boolean): void {
    // Captured mail is there to be looked at; mail that passes is nobody's business.
    this.auditLog.turn(on, { content: this.#config.mode === "capture" });
  }

  /**
   * Settles when the relay has stopped, its store closed. Rejects where it cannot listen, or its
   * store has broken: whoever started it starts it anew.
   */
  async run(): Promise<void> {
    const broken = new Promise<never>((_, reject) => this.#store.onBroken(reject));
    try {
      const stopped = this.server.listenAndServe();
      this.#http?.start();
      // Where that fails, it is tried again for whoever asks.
      this.#pages?.get().catch(() => {});
      this.#certificates?.start();
      this.#retention.start();
      this.#dispatcher?.start();
      await Promise.race([stopped, broken]);
      await this.#dispatcher?.stop(this.#config.shutdownTimeout);
    } catch (error) {
      await Promise.all([this.server.shutdown({ within: 0 }), this.#dispatcher?.stop(0)]);
      throw error;
    } finally {
      this.#http?.stop();
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

function guardRules({ hostname, dashboardHosts, dashboardToken }: Config): GuardRules {
  return { hosts: new Set([hostname, ...dashboardHosts ?? []]), token: dashboardToken };
}

function httpAddress({ healthAddr: { host, port }, healthPort }: Config) {
  return { hosts: host === "" ? EVERYWHERE : [host], port: healthPort ?? port! };
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
