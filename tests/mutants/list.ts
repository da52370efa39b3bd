/** The defences, one by one, and the tests that miss them. */

import { auth } from "./auth.ts";
import { bounces } from "./bounces.ts";
import { dkim } from "./dkim.ts";
import { durability } from "./durability.ts";
import { http } from "./http.ts";
import { journals } from "./journal.ts";
import { limits } from "./limits.ts";
import { logging } from "./logging.ts";
import type { Mutant } from "./mutant.ts";
import { outbound } from "./outbound.ts";
import { protocol } from "./protocol.ts";
import { proxies } from "./proxies.ts";
import { server } from "./server.ts";
import { signing } from "./signing.ts";
import { store } from "./store.ts";
import { tls } from "./tls.ts";

export const mutants: readonly Mutant[] = [
  ...protocol,
  ...auth,
  ...server,
  ...store,
  ...durability,
  ...journals,
  ...outbound,
  ...bounces,
  ...signing,
  ...dkim,
  ...limits,
  ...proxies,
  ...tls,
  ...http,
  ...logging,
];
