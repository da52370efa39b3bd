/** `dinopost queue show`: everything about one message but what is in it. */

import { write } from "../../deno/report.ts";
import { action } from "../command.ts";
import { describe } from "../description.ts";
import { jsonLine } from "../json.ts";
import { dev, json } from "../options.ts";
import { messageOf, withSpool } from "../spool.ts";
import * as status from "../status.ts";

export const queueShow = action({
  name: "show",
  summary: "shows a message: envelope, recipients, and every attempt with its reply",
  options: { json, dev },
  operands: { name: "ID", least: 1, most: 1 },
  run({ json, dev }, [id]) {
    return withSpool(dev, async (spool) => {
      const message = messageOf(spool, id);
      await write(
        json ? jsonLine(message) : describe(message, spool.times.wall, { subject: false }),
      );
      return status.OK;
    });
  },
});
