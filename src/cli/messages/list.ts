/** `dinopost messages list` */

import { write } from "../../deno/report.ts";
import { action } from "../command.ts";
import { list } from "../listing.ts";
import { dev, jsonLines, limit } from "../options.ts";
import { withSpool } from "../spool.ts";
import * as status from "../status.ts";

export const messagesList = action({
  name: "list",
  summary: "lists all messages with their subjects, newest first",
  notes: "TEXT is looked for in subjects and addresses.",
  options: { json: jsonLines, limit, dev },
  operands: { name: "TEXT", least: 0, most: 1 },
  run({ json, limit, dev }, [text]) {
    return withSpool(dev, async (spool) => {
      const wanted = { text, limit, oldestFirst: false };
      const listed = await list(spool, wanted, { json, subject: true });
      if (listed === 0 && !json) await write("nothing to list\n");
      return status.OK;
    });
  },
});
