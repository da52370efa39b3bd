/** `dinopost messages export`: the octets of a message, as they were stored. */

import { columns, write } from "../../deno/report.ts";
import { action, CommandError } from "../command.ts";
import { dev } from "../options.ts";
import { messageOf, withSpool } from "../spool.ts";
import * as status from "../status.ts";
import { plain } from "../words.ts";
import { octetsOf } from "./octets.ts";

export const messagesExport = action({
  name: "export",
  summary: "writes the octets of a message to standard output, as they were stored",
  notes: "To a terminal, control characters are escaped.",
  options: { dev },
  operands: { name: "ID", least: 1, most: 1 },
  run({ dev }, [id]) {
    return withSpool(dev, async (spool) => {
      const found = octetsOf(spool, messageOf(spool, id));
      if ("why" in found) throw new CommandError(`${id}: ${found.why}`);
      const isTerminal = columns() !== undefined;
      await write(isTerminal ? harmless(found.octets) : found.octets);
      return status.OK;
    });
  },
});

function harmless(octets: Uint8Array): string {
  const lines = new TextDecoder().decode(octets).split(/\r?\n/);
  return lines.map((line) => line.split("\t").map(plain).join("\t")).join("\n");
}
