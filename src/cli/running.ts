/**
 * A daemon that runs, and what it is told by signals: SIGTERM and SIGINT stop it, SIGHUP lets
 * it read its settings again, SIGUSR2 (or SIGUSR1) begins or ends the audit log.
 *
 * A setting that has become wrong keeps its old value, and is told of.
 */

import { ConfigError, loadConfig, reloaded } from "../config.ts";
import { environment } from "../deno/environment.ts";
import { logAs } from "../deno/log.ts";
import { exit } from "../deno/process.ts";
import { onAuditSignal, onEndSignal, onReloadSignal } from "../deno/signals.ts";
import type { Manager, World } from "../ports.ts";
import type { Relay } from "../relay.ts";
import { logRules } from "./configure.ts";
import * as status from "./status.ts";

/**
 * One Ctrl-C may come as two signals: to the group of processes, and from the task runner
 * that passes its own on.
 */
const SAME_SIGNAL = 500;

export class Running {
  readonly #relay: Relay;
  readonly #manager: Manager;
  readonly #dev: boolean;
  readonly #world: World;
  #stopSince: number | undefined;

  constructor(relay: Relay, manager: Manager, { dev, world }: { dev: boolean; world: World }) {
    this.#relay = relay;
    this.#manager = manager;
    this.#dev = dev;
    this.#world = world;
  }

  hearSignals(): void {
    onEndSignal((signal) => this.#stop(signal));
    onReloadSignal(() => this.#reload());
    onAuditSignal(() => this.#toggleAudit());
  }

  /** The relay listens; a watchdog is shown a sign of life twice in its time. */
  ready(watchdog: number | undefined): void {
    this.#manager.ready("accepting mail");
    if (watchdog !== undefined) this.#showLife(watchdog / 2);
  }

  #showLife(period: number): void {
    this.#world.clock.timer(period, () => {
      this.#manager.alive();
      this.#showLife(period);
    });
  }

  /** The first signal stops in good order, a second one at once. */
  #stop(signal: string): void {
    const { clock, log } = this.#world;
    const now = clock.monotonic();
    if (this.#stopSince === undefined) {
      this.#stopSince = now;
      const sessions = this.#relay.server.activeClients;
      const within = `${this.#relay.config.shutdownTimeout / 1000}s`;
      log("info", "stopping, signal again to end at once", { signal, sessions, within });
      this.#manager.stopping(`waiting for ${sessions} sessions`);
      void this.#relay.stop();
    } else if (now - this.#stopSince > SAME_SIGNAL) {
      log("warning", "ended at once", { signal });
      void exit(status.FAILED);
    }
  }

  #reload(): void {
    const { log } = this.#world;
    this.#manager.reloading();
    try {
      const { config, warnings } = loadConfig(environment, { dev: this.#dev });
      const next = reloaded(this.#relay.config, config);
      this.#relay.apply(next.config);
      this.#relay.settingsTrouble = undefined;
      logAs(logRules(next.config));
      for (const warning of warnings) log("warning", warning);
      log("info", "settings read again", { changed: next.changed.join() || "none" });
      if (next.pending.length > 0) {
        log("warning", "settings that want a new start", { changed: next.pending.join() });
      }
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#relay.settingsTrouble = error.problems.join("; ");
      for (const problem of error.problems) log("error", "settings kept as they were", { problem });
    }
    this.#manager.ready("accepting mail");
  }

  #toggleAudit(): void {
    this.#relay.audit(!this.#relay.auditLog.on);
  }
}
