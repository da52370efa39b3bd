/**
 * The relay: joins the stages in the order in which a message passes them.
 *
 *     inbound -> intake -> store
 */

import type { Config } from "./config.ts";
import { Access } from "./inbound/access.ts";
import { Server } from "./inbound/server.ts";
import { intake } from "./intake.ts";
import type { Store, World } from "./ports.ts";

export class Relay {
  readonly server: Server;
  readonly #shutdownTimeout: number;

  constructor(config: Config, store: Store, world: World) {
    const { log } = world;
    const lists = { networks: config.allowNetworks ?? [], hosts: config.allowHosts ?? [] };
    this.#shutdownTimeout = config.shutdownTimeout;
    this.server = new Server({
      handler: intake(store, log),
      addresses: config.listen,
      access: new Access(lists, world),
      senderDomains: senderDomains(config),
      audit: {
        // Captured mail is there to be looked at; mail that passes is nobody's business.
        wants: { lines: config.debug, content: config.debug && config.mode === "capture" },
        line: (session, side, text) => log("info", `${session} ${side}: ${text}`),
      },
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

  /** Settles when the relay has stopped. */
  run(): Promise<void> {
    return this.server.listenAndServe();
  }

  stop(): Promise<void> {
    return this.server.shutdown({ within: this.#shutdownTimeout });
  }
}

function senderDomains({ requireLocalDomain, hostname, localDomains }: Config) {
  return requireLocalDomain ? new Set([hostname, ...localDomains ?? []]) : undefined;
}

function pick<T, Key extends keyof T>(from: T, keys: readonly Key[]): Pick<T, Key> {
  return Object.fromEntries(keys.map((key) => [key, from[key]])) as Pick<T, Key>;
}
