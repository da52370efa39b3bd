/**
 * The daemon that is killed: relay, store and way out as they are. All its mail goes to the sink
 * of the harness (`sink.ts`), which knows by the name in EHLO which start of it speaks.
 *
 * It says on standard output `ready PORT`, and answers a line `requeue` on its input by what
 * the store counts, as JSON; `stop` ends it in good order, as does the end of its input.
 * What it logs as a warning or worse goes to standard error: the harness expects nothing.
 */

import assert from "node:assert/strict";
import { loadConfig } from "../../src/config.ts";
import { openStore } from "../../src/cli/open_store.ts";
import { dnsOf } from "../../src/deno/dns.ts";
import { world as realWorld } from "../../src/deno/world.ts";
import type { World } from "../../src/ports.ts";
import { Relay } from "../../src/relay.ts";
import { wayOut } from "../../src/way_out.ts";
import { environmentOf } from "../fakes/environment.ts";

/** What the harness gives it in its environment. */
export interface Given {
  readonly CRASH_RUN: string;
  readonly CRASH_SINK: string;
  readonly CRASH_SPOOL: string;
}

/** Of which each may be in flight when it is killed. */
export const TRANSACTIONS = 20;

if (import.meta.main) {
  const { CRASH_RUN, CRASH_SINK, CRASH_SPOOL } = Deno.env.toObject() as unknown as Given;
  const environment = environmentOf({
    SMTP_LISTEN: "127.0.0.1",
    SMTP_PORT: "0",
    SMTP_HOSTNAME: `run-${CRASH_RUN}.crash.example`,
    SMTP_ALLOW_NETWORKS: "127.0.0.0/8",
    SMTP_REQUIRE_LOCAL_DOMAIN: "false",
    SMTP_QUEUE_PATH: CRASH_SPOOL,
    SMTP_RELAY_URL: `smtp://127.0.0.1:${CRASH_SINK}`,
    SMTP_TLS_POLICY: "none",
    SMTP_HEALTH_DISABLE: "true",
    // Nobody is there, and nobody is to be asked.
    SMTP_DNS_SERVERS: "127.0.0.1:1",
  });
  const { config } = loadConfig({ ...environment, processors: 1 }, { dev: false });
  assert.equal(config.queueWorkers * config.workerConnections, TRANSACTIONS);
  const world: World = {
    ...realWorld,
    log(level, event, fields) {
      if (level === "warning" || level === "error") realWorld.log(level, event, fields);
    },
  };
  const store = await openStore(config);
  const way = wayOut(config, () => relay.config, dnsOf(config.dnsServers), world);
  const relay: Relay = new Relay(config, store, world, way);
  const stopped = relay.run();
  // What was put off is not waited for.
  await store.requeue({ all: true });
  say(`ready ${relay.server.address.port}`);
  await obey(async (order) => {
    if (order !== "requeue") return;
    await store.requeue({ all: true });
    say(JSON.stringify(await store.stats()));
  });
  await relay.stop();
  await stopped;
}

/** Until it is told to stop. */
async function obey(carryOut: (order: string) => Promise<void>): Promise<void> {
  let text = "";
  for await (const some of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    text += some;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      const order = text.slice(0, end);
      text = text.slice(end + 1);
      if (order === "stop") return;
      await carryOut(order);
    }
  }
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
