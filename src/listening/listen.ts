/**
 * Opens the listeners of a server, all or none.
 *
 * One `::` may serve IPv4 as well, and then `0.0.0.0` beside it is in use by ourselves; and a
 * machine may have no IPv6 at all. Both are usual and no failure, as long as something listens.
 */

import { type Listener, ListenError, type World } from "../ports.ts";

export function listenOn(
  addresses: readonly string[],
  port: number,
  { net, log }: World,
): Listener[] {
  const listeners: Listener[] = [];
  let missing: ListenError | undefined;
  try {
    for (const hostname of new Set(addresses)) {
      // Any free port is the same one for every address.
      const endpoint = { hostname, port: listeners[0]?.addr.port ?? port };
      try {
        listeners.push(net.listen(endpoint));
      } catch (error) {
        if (!(error instanceof ListenError)) throw error;
        const ownWildcard = hostname === "0.0.0.0" && error.reason === "in use" &&
          listeners.some(({ addr }) => addr.hostname === "::");
        const noIpv6 = hostname.startsWith("::") && error.reason === "no such address";
        if (noIpv6) {
          missing = error;
          log("warning", "no IPv6 here", { address: hostname });
        } else if (!ownWildcard) throw error;
      }
    }
    if (listeners.length === 0 && missing !== undefined) throw missing;
    return listeners;
  } catch (error) {
    for (const listener of listeners) listener.close();
    throw error;
  }
}
