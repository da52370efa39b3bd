/** `dinopost messages show`: what `queue show` shows, and the header of the message. */

import { write } from "../../deno/report.ts";
import { action } from "../command.ts";
import { describe } from "../description.ts";
import { jsonLine } from "../json.ts";
import { dev, json } from "../options.ts";
import { messageOf, withSpool } from "../spool.ts";
import * as status from "../status.ts";
import { plain } from "../words.ts";
import { octetsOf } from "./octets.ts";

export const messagesShow = action({
  name: "show",
  summary: "shows a message as queue show does, its subject and its header",
  options: { json, dev },
  operands: { name: "ID", least: 1, most: 1 },
  run({ json, dev }, [id]) {
    return withSpool(dev, async (spool) => {
      const message = messageOf(spool, id);
      const found = octetsOf(spool, message);
      const header = "octets" in found ? fieldsOf(found.octets) : undefined;
      if (json) await write(jsonLine({ ...message, header }));
      else {
        const fields = header?.map(({ name, value }) => `  ${plain(name)}: ${plain(value)}\n`);
        await write(
          describe(message, spool.times.wall, { subject: true }) +
            (fields === undefined ? "" : `\nheader\n${fields.join("")}`),
        );
      }
      return status.OK;
    });
  },
});

/** More than the header of any message that was taken, with the trace that was put before it. */
const MOST = 1024 * 1024;

interface Field {
  readonly name: string;
  readonly value: string;
}

/** Not decoded; lines that are no field are left out. */
function fieldsOf(octets: Uint8Array): Field[] {
  const [header] = new TextDecoder().decode(octets.subarray(0, MOST)).split("\r\n\r\n", 1);
  return header.replace(/\r\n[ \t]+/g, " ").split("\r\n").flatMap((line) => {
    const [, name, value] = /^([^\s:]+)[ \t]*:[ \t]*(.*)$/s.exec(line) ?? [];
    return name === undefined ? [] : [{ name, value }];
  });
}
