/** What is seen of a session: refusals in the log, every line in the audit, and numbers. */

import type { Log } from "../ports.ts";
import type { Meter } from "../meter.ts";
import { format } from "../smtp/reply.ts";
import type { Observer } from "../smtp/session.ts";
import type { Audit } from "./options.ts";

/** As many refusals of one session are told: a client must not be able to fill the log. */
const MOST_REFUSALS = 20;

const NOTHING = { lines: false, content: false };

/** Whose session it is. */
export interface Observed {
  readonly number: number;
  /** May become another. */
  readonly address: string;
  /** Of the message under way, from when its sender is named: what is told of it has it. */
  id: string | undefined;
  readonly log: Log;
  readonly meter: Meter;
  readonly audit: Audit | undefined;
}

export function observerOf(observed: Observed): Observer {
  const { number: session, log, meter, audit } = observed;
  let refusals = 0;
  return {
    get wants() {
      return audit?.wants ?? NOTHING;
    },
    line: (side, text) => audit?.line(session, side, text),
    command: (verb) => meter.commands.count(verb),
    over: () => observed.id = undefined,
    replied(to, reply) {
      meter.reply(reply.code);
      if (reply.code < 400 || ++refusals > MOST_REFUSALS) return;
      const { address: client, id } = observed;
      const said = format(reply).trimEnd();
      log("info", "refused", { id, session, client, what: to, reply: said });
      if (refusals === MOST_REFUSALS) log("info", "more refusals are not told", { session });
    },
  };
}
