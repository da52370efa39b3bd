/**
 * The daemon that is killed: the relay and the store as they are, and a way out that hands
 * every message to the sink of the harness (`sink.ts`).
 *
 * It says on standard output `ready PORT`, and answers a line `requeue` on its input by what
 * the store counts, as JSON; `stop` ends it in good order, as does the end of its input.
 * What it logs as a warning or worse goes to standard error: the harness expects nothing.
 */

import assert from "node:assert/strict";
import { loadConfig } from "../../src/config.ts";
import { openStore } from "../../src/cli/open_store.ts";
import { world as realWorld } from "../../src/deno/world.ts";
import type { Outcome } from "../../src/mail/outcome.ts";
import type { World } from "../../src/ports.ts";
import type { Delivery } from "../../src/ports/delivery.ts";
import { Relay } from "../../src/relay.ts";
import { environmentOf } from "../fakes/environment.ts";
import type { Handover } from "./sink.ts";

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
    SMTP_HOSTNAME: "crash.example",
    SMTP_ALLOW_NETWORKS: "127.0.0.0/8",
    SMTP_REQUIRE_LOCAL_DOMAIN: "false",
    SMTP_QUEUE_PATH: CRASH_SPOOL,
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
  const delivery = wayTo(Number(CRASH_SINK), Number(CRASH_RUN));
  const relay = new Relay(config, store, world, { delivery, notices: () => [] });
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

function wayTo(port: number, run: number): Delivery {
  return {
    async deliver({ recipients, size }, content) {
      const { chunks } = await content();
      const addresses = recipients.map(({ mailbox: { local, domain } }) => `${local}@${domain}`);
      const handover: Handover = { run, size, recipients: addresses };
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      await send(connection, new TextEncoder().encode(JSON.stringify(handover) + "\n"));
      for (const chunk of chunks) await send(connection, chunk);
      const answer = await rest(connection);
      return recipients.map((_, i) => outcomeOf(answer[i]));
    },
  };
}

async function send(connection: Deno.TcpConn, octets: Uint8Array): Promise<void> {
  for (let left = octets; left.length > 0;) {
    left = left.subarray(await connection.write(left));
  }
}

/** What comes until the other side closes. */
async function rest(connection: Deno.TcpConn): Promise<string> {
  const buffer = new Uint8Array(1024);
  let text = "";
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return text;
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
}

function outcomeOf(taken: string): Outcome {
  const common = { scope: "recipient", host: "sink", command: "DATA" } as const;
  return taken === "1"
    ? { ...common, kind: "delivered", reply: "250 taken", status: "2.0.0" }
    : { ...common, kind: "deferred", reply: "451 put off", status: "4.3.0" };
}
