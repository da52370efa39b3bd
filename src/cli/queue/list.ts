/** `dinopost queue list`: what waits to be sent, as `mailq` of other systems. */

import { write } from "../../deno/report.ts";
import type { RecipientState } from "../../ports/store.ts";
import * as kind from "../../settings/kinds.ts";
import { STATES } from "../../store/rows.ts";
import { action, type Valued } from "../command.ts";
import { list } from "../listing.ts";
import { dev, domain, jsonLines, limit } from "../options.ts";
import { withSpool } from "../spool.ts";
import * as status from "../status.ts";
import { tallyLine } from "./count.ts";

const IN_QUEUE: readonly RecipientState[] = ["queued", "held", "quarantined"];

const state: Valued<readonly RecipientState[]> = {
  value: "STATES",
  summary: `with recipients in these states, parted by commas; of ${STATES.join(", ")}`,
  kind: kind.list(kind.choice(...STATES), `states, parted by commas, of ${STATES.join(", ")}`),
};

export const queueList = action({
  name: "list",
  summary: "lists messages with recipients in the queue, oldest first",
  notes: `Without --state: ${IN_QUEUE.join(", ")}. TEXT is looked for in subjects and addresses.`,
  options: { json: jsonLines, limit, state, domain, dev },
  operands: { name: "TEXT", least: 0, most: 1 },
  run({ json, limit, state: states = IN_QUEUE, domain, dev }, [text]) {
    return withSpool(dev, async (spool) => {
      const wanted = { states, domain, text, limit, oldestFirst: true };
      const listed = await list(spool, wanted, { json, subject: false });
      if (json) return status.OK;
      const line = tallyLine(spool.looks.tally());
      await write(listed === 0 ? `nothing to list\n${line}\n` : `\n${line}\n`);
      return status.OK;
    });
  },
});
