/**
 * Takes connections from a listener until it is closed.
 *
 * Promises: no failure of `accept` ends it but the listener's own end. When descriptors run
 * out it waits a little longer each time, at most a second, and goes on; the runtime's own
 * accept loops stop for good there. Why it waits is told, and when it does no longer: when a
 * client was accepted, or could be.
 */

import type { Clock, Connection, Listener, Log } from "../ports.ts";

const FIRST_PAUSE = 20;
const LONGEST_PAUSE = 1_000;
/** Where there is no descriptor, that shows sooner. */
const PATIENCE = 100;
/** A client that left the queue, or reset its connection there, is no trouble of ours. */
const GONE = new Set(["ConnectionAborted", "ConnectionReset", "NotConnected"]);

export async function acceptAll(
  listener: Listener,
  take: (connection: Connection) => void,
  { clock, log, isOver, troubled = () => {} }: {
    clock: Clock;
    log: Log;
    isOver: () => boolean;
    /** `undefined`: it is over. */
    troubled?: (trouble: string | undefined) => void;
  },
): Promise<void> {
  let pause = 0;
  const goesOn = () => {
    if (pause === 0) return;
    pause = 0;
    log("info", "accepting connections again", { port: listener.addr.port });
    troubled(undefined);
  };
  while (!isOver()) {
    try {
      const accepting = listener.accept();
      if (pause > 0) {
        // It need not be that a client comes for all to be well.
        const cancel = clock.timer(PATIENCE, goesOn);
        accepting.then(cancel, cancel);
      }
      const connection = await accepting;
      goesOn();
      take(connection);
    } catch (error) {
      if (isOver()) return;
      if (error instanceof Error && GONE.has(error.name)) continue;
      if (pause === 0) {
        log("error", "cannot accept connections", { error: String(error) });
        troubled(`cannot accept connections: ${error}`);
      }
      pause = Math.min(LONGEST_PAUSE, pause === 0 ? FIRST_PAUSE : pause * 2);
      await new Promise<void>((resolve) => clock.timer(pause, resolve));
    }
  }
}
