/**
 * Tells systemd how the daemon is (sd_notify): ready, reloading, stopping, alive.
 *
 * Datagrams to unix sockets are an unstable part of the runtime. Where that is not switched
 * on, or no manager asks, nothing is told and nothing is missed.
 */

import process from "node:process";
import type { Manager } from "../ports.ts";

/** How the datagram is sent: from a socket of our own, in the service's runtime directory. */
type Socket = Deno.DatagramConn;

const encoder = new TextEncoder();

export interface Told {
  readonly socket: string | undefined;
  readonly runtimeDirectory: string | undefined;
}

export function manager({ socket, runtimeDirectory }: Told): Manager {
  const own = socket === undefined || runtimeDirectory === undefined
    ? undefined
    : open(`${runtimeDirectory}/notify`);
  const tell = (message: string) => {
    // The manager reads at once, or is gone; either way the daemon goes on.
    own?.send(encoder.encode(message), { transport: "unixpacket", path: socket! })
      .catch(() => {});
  };
  return {
    ready: (status) => tell(`READY=1\nSTATUS=${status}`),
    reloading: () => tell(`RELOADING=1\nMONOTONIC_USEC=${sinceBoot()}`),
    stopping: (status) => tell(`STOPPING=1\nSTATUS=${status}`),
    alive: () => tell("WATCHDOG=1"),
  };
}

function open(path: string): Socket | undefined {
  if (!("listenDatagram" in Deno)) return undefined;
  try {
    remove(path);
    return Deno.listenDatagram({ transport: "unixpacket", path });
  } catch {
    // Not granted, or no such directory: systemd will say that nobody has told it.
    return undefined;
  }
}

/** What an earlier run has left. */
function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** CLOCK_MONOTONIC in microseconds, as systemd wants it with a reload. */
function sinceBoot(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanoseconds / 1e3);
}
