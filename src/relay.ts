/**
 * The relay: joins the stages in the order in which a message passes them.
 *
 *     inbound -> intake -> store
 */

import type { Config } from "./config.ts";
import { Access } from "./inbound/access.ts";
import type { Audit } from "./inbound/options.ts";
import { Server } from "./inbound/server.ts";
import { intake } from "./intake.ts";
import type { Store, World } from "./ports.ts";

export class Relay {
  readonly server: Server;
  readonly #world: World;
  readonly #audit: { wants: { lines: boolean; content: boolean }; line: Audit["line"] };
  #config: Config;

  constructor(config: Config, store: Store, world: World) {
    const { log } = world;
    this.#config = config;
    this.#world = world;
    this.#audit = {
      wants: { lines: false, content: false },
      line: (session, side, text) => log("info", `${session} ${side}: ${text}`),
    };
    this.audit(config.debug);
    this.server = new Server({
      handler: intake(store, log),
      addresses: config.listen,
      audit: this.#audit,
      ...changeable(config, world),
      ...pick(config, [
        "port",
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
      ]),
    }, world);
  }

  get config(): Config {
    return this.#config;
  }

  /** Takes over what may change while running; sessions begun before keep their rules. */
  apply(config: Config): void {
    if (config.debug !== this.#config.debug) this.audit(config.debug);
    this.#config = config;
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

  /** Settles when the relay has stopped. */
  run(): Promise<void> {
    return this.server.listenAndServe();
  }

  stop(): Promise<void> {
    return this.server.shutdown({ within: this.#config.shutdownTimeout });
  }
}

function changeable(config: Config, world: World) {
  const lists = { networks: config.allowNetworks ?? [], hosts: config.allowHosts ?? [] };
  return { access: new Access(lists, world), senderDomains: senderDomains(config) };
}

function senderDomains({ requireLocalDomain, hostname, localDomains }: Config) {
  return requireLocalDomain ? new Set([hostname, ...localDomains ?? []]) : undefined;
}

function pick<T, Key extends keyof T>(from: T, keys: readonly Key[]): Pick<T, Key> {
  return Object.fromEntries(keys.map((key) => [key, from[key]])) as Pick<T, Key>;
}
