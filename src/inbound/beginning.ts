/** What a client does before it is greeted: waits, goes, or talks too early. */

import type { Connection } from "../ports.ts";

/** The connection failed: nothing is left to be said, and nobody to say it to. */
export class ConnectionLost extends Error {}

/** Rejects when the client goes; what it says meanwhile waits. */
export function untilEnd(read: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => {
    const lost = () => reject(new ConnectionLost());
    read.then((got) => got === null && lost(), lost);
  });
}

const NOTHING = new Uint8Array(0);

/**
 * Whether octets of the client are waiting already. A socket that was just accepted learns
 * what has arrived, and that it may write, at the same moment: writing nothing waits for
 * that moment, and no timer is spent on each connection to find out. The outstanding read
 * settles with it, a few turns of the microtask queue later.
 */
export async function hasSpoken(connection: Connection, read: Promise<unknown>): Promise<boolean> {
  let spoken = false;
  const note = () => spoken = true;
  read.then(note, note);
  await connection.write(NOTHING).catch(() => {});
  for (let turn = 0; turn < 8 && !spoken; turn++) await undefined;
  return spoken;
}
