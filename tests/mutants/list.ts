/** The defences, one by one, and the tests that miss them. */

import { durability } from "./durability.ts";
import type { Mutant } from "./mutant.ts";
import { protocol } from "./protocol.ts";
import { server } from "./server.ts";
import { store } from "./store.ts";

export const mutants: readonly Mutant[] = [...protocol, ...server, ...store, ...durability];
