/**
 * dnsmasq as the name server, as routers and small networks have it: in the foreground, with a
 * private configuration. It knows what it is told, asks only the servers that it is told of, and
 * takes nothing from the system's files.
 */

import { freePort, Program } from "./program.ts";

/** `lines` as its configuration has them. Resolves once it listens. */
export function dnsmasq(program: string, lines: readonly string[]): Promise<Program> {
  const port = freePort();
  const config = [
    `port=${port}`,
    "listen-address=127.0.0.1",
    "bind-interfaces",
    "no-resolv",
    "no-hosts",
    // Not to the system's log.
    "log-facility=-",
    ...lines,
  ];
  return Program.start({
    program,
    files: { "dnsmasq.conf": config.join("\n") + "\n" },
    // In the foreground, as whoever starts it, and with no children that would outlive it.
    args: () => ["--no-daemon", "--conf-file=dnsmasq.conf"],
    port,
  });
}
