/** The world of the daemon: this machine, through this runtime. */

import type { World } from "../ports.ts";
import { clock } from "./clock.ts";
import { log } from "./log.ts";
import { net } from "./net.ts";
import { random } from "./random.ts";
import { resolver } from "./resolver.ts";

export const world: World = { clock, log, net, random, resolver };
