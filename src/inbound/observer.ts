/** What is seen of a session: refusals in the log, every line in the audit. */

import type { World } from "../ports.ts";
import { format } from "../smtp/reply.ts";
import type { Observer } from "../smtp/session.ts";
import type { Audit } from "./options.ts";

/** As many refusals of one session are told: a client must not be able to fill the log. */
const MOST_REFUSALS = 20;

const NOTHING = { lines: false, content: false };

/** `client`: its address, which may become another. */
export function observerOf(
  session: number,
  client: () => string,
  { options: { audit }, world: { log } }: {
    options: { audit?: Audit };
    world: Pick<World, "log">;
  },
): Observer {
  let refusals = 0;
  return {
    get wants() {
      return audit?.wants ?? NOTHING;
    },
    line: (side, text) => audit?.line(session, side, text),
    refused(what, reply) {
      refusals++;
      if (refusals > MOST_REFUSALS) return;
      log("info", "refused", { session, client: client(), what, reply: format(reply).trimEnd() });
      if (refusals === MOST_REFUSALS) log("info", "more refusals are not told", { session });
    },
  };
}
