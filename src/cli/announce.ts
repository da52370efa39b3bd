/** What the daemon says at start: where to send, where to look; or why it cannot. */

import type { Config } from "../config.ts";
import { isText, log } from "../deno/log.ts";
import { print } from "../deno/process.ts";
import type { Endpoint, ListenError } from "../ports.ts";
import { VERSION } from "./version.ts";

/** Where a daemon listens; with TLS from the beginning, and for HTTP, perhaps nowhere. */
export interface Listening {
  readonly addresses: readonly Endpoint[];
  readonly tlsAddresses: readonly Endpoint[];
  readonly httpAddresses: readonly Endpoint[];
}

/** To people; a program that reads the log finds the same there. */
export function announce(config: Config, listening: Listening): void {
  if (isText()) return inLines(config, listening);
  log("info", "started", {
    version: VERSION,
    mode: config.mode,
    smtp: placesOf(listening.addresses),
    smtps: placesOf(listening.tlsAddresses),
    http: placesOf(listening.httpAddresses),
    spool: config.queuePath,
  });
}

function inLines(config: Config, { addresses, tlsAddresses, httpAddresses }: Listening): void {
  const does = config.mode === "capture"
    ? "captures mail: nothing leaves this machine"
    : "takes mail and delivers it";
  print(`Dinopost ${VERSION} ${does}.`);
  print(`Send mail to  ${targets("smtp", addresses).join("  ")}${encryption(config)}`);
  if (tlsAddresses.length > 0) print(`or to         ${targets("smtps", tlsAddresses).join("  ")}`);
  print(`Look          here: ${whatIsShown(config)}.`);
  if (httpAddresses.length > 0) print(`or at         ${targets("http", httpAddresses).join("  ")}`);
  print(`Kept          in ${config.queuePath}, ${howLong(config)}.`);
}

function placesOf(addresses: readonly Endpoint[]): string | undefined {
  const places = addresses.map(({ hostname, port }) => `${bracketed(hostname)}:${port}`);
  return places.join() || undefined;
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

function encryption({ tlsDisable, tlsCert }: Config): string {
  if (tlsDisable) return "";
  return tlsCert === undefined ? ", STARTTLS with a certificate of its own" : ", STARTTLS";
}

const HOW = { smtp: "", smtps: " with TLS from the beginning", http: ", by HTTP" };

/** Where a program may be pointed at; wildcards are no address to send to. */
function targets(scheme: keyof typeof HOW, addresses: readonly Endpoint[]): string[] {
  const { port } = addresses[0];
  const isWildcard = ({ hostname }: Endpoint) => hostname === "::" || hostname === "0.0.0.0";
  if (addresses.some(isWildcard)) {
    return [`port ${port} on every address of this machine${HOW[scheme]}`];
  }
  return addresses.map(({ hostname }) => `${scheme}://${bracketed(hostname)}:${port}`);
}

const bracketed = (hostname: string) => hostname.includes(":") ? `[${hostname}]` : hostname;

export function inWords(
  { endpoint: { hostname, port }, reason, message }: ListenError,
  config: Pick<Config, "port" | "tlsPort">,
): string {
  const where = `listen on ${hostname} port ${port}`;
  const setting = port === config.tlsPort && port !== config.port ? "SMTP_TLS_PORT" : "SMTP_PORT";
  switch (reason) {
    case "in use":
      return `${where}: in use: another program has it, perhaps another Dinopost; set ${setting}`;
    case "no such address":
      return `${where}: this machine has no such address; set SMTP_LISTEN`;
    case "not permitted":
      return `${where}: not permitted: ports below 1024 want CAP_NET_BIND_SERVICE; set ${setting}`;
    case "other":
      return message;
  }
}
