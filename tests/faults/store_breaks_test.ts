/** A store whose thread has ended keeps nothing any more: the daemon ends, and says so. */

import assert from "node:assert/strict";
import { loadConfig } from "../../src/config.ts";
import { startThread } from "../../src/deno/thread.ts";
import { world } from "../../src/deno/world.ts";
import { Meter } from "../../src/meter.ts";
import type { Thread } from "../../src/ports/thread.ts";
import { Relay } from "../../src/relay.ts";
import type { WriterAnswer, WriterQuestion } from "../../src/store/questions.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { environmentOf } from "../fakes/environment.ts";
import { TestStore } from "../fakes/store.ts";

Deno.test("a store that can keep nothing any more ends the daemon, which could only say 451", async () => {
  const clock = new TurnedClock();
  let writer: Thread<WriterQuestion, WriterAnswer> | undefined;
  await using test = await TestStore.open({
    clock,
    startWriter: () => writer = startThread("writer"),
  });
  const settings = {
    SMTP_LISTEN: "127.0.0.1",
    SMTP_PORT: "0",
    SMTP_HOSTNAME: "relay.example",
    SMTP_HEALTH_DISABLE: "true",
  };
  const { config } = loadConfig(environmentOf(settings), { dev: false });
  const relay = new Relay(config, test.store, {
    ...world,
    clock,
    log: () => {},
    meter: new Meter(),
  });
  const run = relay.run();
  const { port } = relay.server.address;
  writer!.end();
  clock.turn(1_000);
  await assert.rejects(run, { name: "ThreadEndedError", message: /thread writer ended/ });
  await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port }));
});
