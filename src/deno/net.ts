/** Sockets. */

import { type Listener, ListenError, type Net } from "../ports.ts";
import { threadsBegun } from "./thread.ts";

export const net: Net = {
  listen(endpoint): Listener {
    let listener: Deno.TcpListener;
    try {
      listener = Deno.listen({ ...endpoint, transport: "tcp" });
    } catch (error) {
      throw new ListenError(endpoint, reasonOf(error), String(error));
    }
    return {
      addr: listener.addr,
      close: () => listener.close(),
      async accept() {
        const begun = threadsBegun();
        if (begun !== undefined) await begun;
        const connection = await listener.accept();
        try {
          // Each write is a whole answer: nothing is won by holding one back.
          connection.setNoDelay(true);
        } catch {
          // The client has gone; reading will say so.
        }
        return connection;
      },
    };
  },
};

function reasonOf(error: unknown): ListenError["reason"] {
  if (error instanceof Deno.errors.AddrInUse) return "in use";
  if (error instanceof Deno.errors.AddrNotAvailable) return "no such address";
  if (error instanceof Deno.errors.PermissionDenied) return "not permitted";
  // A kernel without IPv6 has no class of its own here: EAFNOSUPPORT.
  return /address family/i.test(String(error)) ? "no such address" : "other";
}
