/** The server as programs use it: the inbound stage on this machine. */

import { world } from "./deno/world.ts";
import type { ServerOptions } from "./inbound/options.ts";
import { Server as InboundServer } from "./inbound/server.ts";

export class Server extends InboundServer {
  constructor(options: ServerOptions) {
    super(options, world);
  }
}
