/** The world of the daemon: this machine, through this runtime. */

import type { World } from "../ports.ts";
import { clock } from "./clock.ts";
import { digests } from "./digests.ts";
import { environment } from "./environment.ts";
import { Meter } from "../meter.ts";
import { log } from "./log.ts";
import { net } from "./net.ts";
import { outward } from "./outward.ts";
import { random } from "./random.ts";
import { resolver } from "./resolver.ts";
import { signing } from "./signing.ts";
import { tls } from "./tls.ts";

export const world: World = {
  clock,
  digests,
  log,
  meter: new Meter(),
  net,
  outward,
  random,
  memory: () => Deno.memoryUsage().rss,
  processors: environment.processors,
  readText: environment.readText,
  namesIn: environment.namesIn,
  resolver,
  signing,
  tls,
};
