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
    const stopped = relay.run();
    try {
      // A server that could not listen has rejected already, before anything else is said.
      await Promise.race([stopped, Promise.resolve()]);
      announce(config, relay.server.addresses);
      endOnSignal(relay);
      await stopped;
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      complain(`dinopost: ${inWords(error)}`);
      return status.FAILED;
    }
    return status.OK;
  },
};

function announce(config: Config, addresses: readonly Endpoint[]): void {
  const where = addresses.map(({ hostname, port }) =>
    `smtp://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`
  );
  const captured = config.mode === "capture";
  print(
    `Dinopost ${VERSION} ${
      captured ? "captures mail: nothing leaves this machine" : "relays mail"
    }.`,
  );
  print(`Send mail to  ${where.join("  ")}`);
  print(
    config.debug
      ? "Look          here: every line of every session is shown as it passes."
      : "Look          here: every message is shown as it is accepted.",
  );
  print("Kept          in memory, until this process ends; delivery is not yet in this version.");
  if (config.allowNetworks === undefined && config.allowHosts === undefined) {
    complain(
      "warning: no client may use this server: set SMTP_ALLOW_NETWORKS or SMTP_ALLOW_HOSTS",
    );
  }
}

/** The first signal stops in good order, the second at once. */
function endOnSignal(relay: Relay): void {
  let signals = 0;
  onEndSignal((signal) => {
    signals++;
    if (signals > 1) exit(status.FAILED);
    world.log("info", "stopping", { signal, sessions: relay.server.activeClients });
    void relay.stop();
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
      return `${where}: ${message}`;
  }
}
