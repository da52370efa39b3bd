/** What the daemon says at start: where to send, where to look; or why it cannot. */

import type { Config } from "../config.ts";
import { print } from "../deno/process.ts";
import type { Endpoint, ListenError } from "../ports.ts";
import { VERSION } from "./version.ts";

export function announce(config: Config, addresses: readonly Endpoint[]): void {
  const does = config.mode === "capture"
    ? "captures mail: nothing leaves this machine"
    : "takes mail and holds it: delivery is not yet in this version";
  print(`Dinopost ${VERSION} ${does}.`);
  print(`Send mail to  ${targets(addresses).join("  ")}`);
  print(`Look          here: ${whatIsShown(config)}.`);
  print(`Kept          in ${config.queuePath}, ${howLong(config)}.`);
}

function howLong({ mode, retentionDays }: Config): string {
  if (mode === "relay") return "until it is delivered or dropped";
  return retentionDays === 1 ? "for 1 day" : `for ${retentionDays} days`;
}

function whatIsShown({ debug, mode }: Config): string {
  if (!debug) return "every message is told of as it is accepted, every refusal with its reason";
  return mode === "capture"
    ? "every session, and the beginning of every message, is shown as it passes"
    : "every line of every session is shown as it passes";
}

/** Where a program may be pointed at; wildcards are no address to send to. */
function targets(addresses: readonly Endpoint[]): string[] {
  const { port } = addresses[0];
  const isWildcard = ({ hostname }: Endpoint) => hostname === "::" || hostname === "0.0.0.0";
  if (addresses.some(isWildcard)) return [`port ${port} on every address of this machine`];
  return addresses.map(({ hostname }) =>
    `smtp://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`
  );
}

export function inWords({ endpoint: { hostname, port }, reason, message }: ListenError): string {
  const where = `listen on ${hostname} port ${port}`;
  switch (reason) {
    case "in use":
      return `${where}: in use: another program has it, perhaps another Dinopost; set SMTP_PORT`;
    case "no such address":
      return `${where}: this machine has no such address; set SMTP_LISTEN`;
    case "not permitted":
      return `${where}: not permitted: ports below 1024 want CAP_NET_BIND_SERVICE; set SMTP_PORT`;
    case "other":
      return message;
  }
}
