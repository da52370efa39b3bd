/** Sockets that are watched, or held up. */

import { net } from "../../src/deno/net.ts";
import type { Connection, Endpoint, Listener, Net } from "../../src/ports.ts";

/** Of this machine, with connections that do some things in another way. */
export function netWith(otherwise: (connection: Connection) => Partial<Connection>): Net {
  return {
    listen(endpoint: Endpoint): Listener {
      const listener = net.listen(endpoint);
      return {
        addr: listener.addr,
        close: () => listener.close(),
        async accept() {
          const connection = await listener.accept();
          return {
            remoteAddr: connection.remoteAddr,
            read: (buffer) => connection.read(buffer),
            write: (octets) => connection.write(octets),
            closeWrite: () => connection.closeWrite(),
            close: () => connection.close(),
            ...otherwise(connection),
          };
        },
      };
    },
  };
}
