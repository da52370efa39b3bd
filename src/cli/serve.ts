/** `dinopost serve`: runs the daemon until a signal ends it. */

import { complain, onUnhandledRejection } from "../deno/process.ts";
import { manager as managerOf } from "../deno/notify.ts";
import { world } from "../deno/world.ts";
import { ListenError } from "../ports.ts";
import { Relay } from "../relay.ts";
import { MemoryStore } from "../store/memory.ts";
import { announce, inWords } from "./announce.ts";
import type { Command } from "./command.ts";
import { configure } from "./configure.ts";
import { Running } from "./running.ts";
import * as status from "./status.ts";

export const serve: Command = {
  name: "serve",
  summary: "runs the daemon, the default; --dev: with the defaults of development",
  options: ["--dev"],
  async run(options) {
    const dev = options.has("--dev");
    const loaded = configure({ dev });
    if (loaded === undefined) return status.CONFIG;
    const { config, manager } = loaded;
    onUnhandledRejection((reason) => {
      const detail = reason instanceof Error ? reason.stack : reason;
      world.log("error", "internal error", { error: String(detail) });
    });
    const store = new MemoryStore(config.mode === "capture" ? "captured" : "queued");
    const relay = new Relay(config, store, world);
    const running = new Running(relay, managerOf(manager), { dev, world });
    running.hearSignals();
    const stopped = relay.run();
    try {
      // A server that could not listen has rejected already, before anything else is said.
      await Promise.race([stopped, Promise.resolve()]);
      announce(config, relay.server.addresses);
      running.ready(manager.watchdog);
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
