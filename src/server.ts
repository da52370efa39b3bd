/** The server as programs use it: the inbound stage on this machine. */

import { world } from "./deno/world.ts";
import { Server as InboundServer, type ServerOptions } from "./inbound/server.ts";

export class Server extends InboundServer {
  constructor(options: ServerOptions) {
    super(options, world);
  }
}
