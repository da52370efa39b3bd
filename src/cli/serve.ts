/** `dinopost serve`: runs the daemon until a signal ends it. */

import { complain, onUnhandledRejection } from "../deno/process.ts";
import { manager as managerOf } from "../deno/notify.ts";
import { dnsOf } from "../deno/dns.ts";
import { auditInLog, isText, log } from "../deno/log.ts";
import { keepsake } from "../deno/keepsake.ts";
import { world } from "../deno/world.ts";
import { ListenError } from "../ports.ts";
import { SpoolError, type Store } from "../ports/store.ts";
import { Relay } from "../relay.ts";
import { wayOut } from "../way_out.ts";
import { announce, inWords } from "./announce.ts";
import { action } from "./command.ts";
import { configure } from "./configure.ts";
import { openStore } from "./open_store.ts";
import { dev } from "./options.ts";
import { Running } from "./running.ts";
import * as status from "./status.ts";

export const serve = action({
  name: "serve",
  summary: "runs the daemon, the default; --dev: with the defaults of development",
  options: { dev },
  async run({ dev }) {
    const loaded = configure({ dev, logs: true });
    if (loaded === undefined) return status.CONFIG;
    const { config, manager } = loaded;
    onUnhandledRejection((reason) => {
      const detail = reason instanceof Error ? reason.stack : reason;
      world.log("error", "internal error", { error: String(detail) });
    });
    let store: Store;
    try {
      store = await openStore(config);
    } catch (error) {
      if (!(error instanceof SpoolError)) throw error;
      giveUp(error.message);
      return status.CONFIG;
    }
    // Captured mail stays: there is no way out at all.
    const relay: Relay = config.mode === "capture" ? new Relay(config, store, world) : new Relay(
      config,
      store,
      world,
      wayOut(
        config,
        () => relay.config,
        dnsOf(config.dnsServers),
        world,
        keepsake(`${config.queuePath}/mta-sts.json`),
      ),
    );
    relay.auditLog.read(auditInLog);
    const running = new Running(relay, managerOf(manager), { dev, world });
    running.hearSignals();
    const stopped = relay.run();
    try {
      // A server that could not listen has no address, and has rejected.
      if (relay.server.addresses.length > 0) {
        const { addresses, tlsAddresses } = relay.server;
        announce(config, { addresses, tlsAddresses, httpAddresses: relay.httpAddresses });
        running.ready(manager.watchdog);
      }
      await stopped;
      world.log("info", "stopped");
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      giveUp(inWords(error, config));
      return status.FAILED;
    }
    return status.OK;
  },
});

/** Why there is no daemon, to whoever reads what it says. */
function giveUp(why: string): void {
  if (isText()) complain(`dinopost: ${why}`);
  else log("error", "not started", { error: why });
}
