/** `dinopost serve`: runs the daemon until a signal ends it. */

import type { Config } from "../config.ts";
import { complain, exit, onEndSignal, onUnhandledRejection, print } from "../deno/process.ts";
import { world } from "../deno/world.ts";
import { type Endpoint, ListenError } from "../ports.ts";
import { Relay } from "../relay.ts";
import { MemoryStore } from "../store/memory.ts";
import type { Command } from "./command.ts";
import { configure } from "./configure.ts";
import * as status from "./status.ts";
import { VERSION } from "./version.ts";

export const serve: Command = {
  name: "serve",
  summary: "runs the daemon, the default; --dev: with the defaults of development",
  options: ["--dev"],
  async run(options) {
    const loaded = configure({ dev: options.has("--dev") });
    if (loaded === undefined) return status.CONFIG;
    const { config } = loaded;
    const relay = new Relay(
      config,
      new MemoryStore(config.mode === "capture" ? "captured" : "queued"),
      world,
    );
    onUnhandledRejection((reason) => {
      const detail = reason instanceof Error ? reason.stack : reason;
      world.log("error", "internal error", { error: String(detail) });
    });
    endOnSignal(relay, config);
    const stopped = relay.run();
    try {
      // A server that could not listen has rejected already, before anything else is said.
      await Promise.race([stopped, Promise.resolve()]);
      announce(config, relay.server.addresses);
      await stopped;
      world.log("info", "stopped");
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      complain(`dinopost: ${inWords(error)}`);
      return status.FAILED;
    }
    return status.OK;
  },
};

function announce(config: Config, addresses: readonly Endpoint[]): void {
  const captured = config.mode === "capture";
  print(
    `Dinopost ${VERSION} ${
      captured ? "captures mail: nothing leaves this machine" : "relays mail"
    }.`,
  );
  print(`Send mail to  ${targets(addresses).join("  ")}`);
  print(`Look          here: ${whatIsShown(config)}.`);
  print("Kept          in memory, until this process ends; delivery is not yet in this version.");
}

function whatIsShown({ debug, mode }: Config): string {
  if (!debug) return "every message is told of as it is accepted, every refusal with its reason";
  return mode === "capture"
    ? "every session, and the beginning of every message, is shown as it passes"
    : "every line of every session is shown as it passes";
}

/** Where a program may be pointed at; wildcards are no address to send to. */
function targets(addresses: readonly Endpoint[]): string[] {
  const { port } = addresses[0];
  const isWildcard = ({ hostname }: Endpoint) => hostname === "::" || hostname === "0.0.0.0";
  if (addresses.some(isWildcard)) return [`port ${port} on every address of this machine`];
  return addresses.map(({ hostname }) =>
    `smtp://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`
  );
}

/**
 * One Ctrl-C may come as two signals: to the group of processes, and from the task runner
 * that passes its own on.
 */
const SAME_SIGNAL = 500;

/** The first signal stops in good order, a second one at once. */
function endOnSignal(relay: Relay, { shutdownTimeout }: Config): void {
  let first: number | undefined;
  onEndSignal((signal) => {
    const now = world.clock.monotonic();
    if (first === undefined) {
      first = now;
      const sessions = relay.server.activeClients;
      const within = `${shutdownTimeout / 1000}s`;
      world.log("info", "stopping, signal again to end at once", { signal, sessions, within });
      void relay.stop();
    } else if (now - first > SAME_SIGNAL) {
      world.log("warning", "ended at once", { signal });
      void exit(status.FAILED);
    }
  });
}

function inWords({ endpoint: { hostname, port }, reason, message }: ListenError): string {
  const where = `listen on ${hostname} port ${port}`;
  switch (reason) {
    case "in use":
      return `${where}: in use: another program has it, perhaps another Dinopost; set SMTP_PORT`;
    case "no such address":
      return `${where}: this machine has no such address; set SMTP_LISTEN`;
    case "not permitted":
      return `${where}: not permitted: ports below 1024 want CAP_NET_BIND_SERVICE; set SMTP_PORT`;
    case "other":
      return message;
  }
}
