/**
 * The table of settings, and the `Config` that is made of it. `.env.example` and the table of
 * the README are made of the same.
 */

import type { Environment } from "../ports.ts";
import { isDomain } from "../smtp/address.ts";
import * as kind from "./kinds.ts";
import { has, may, type Setting } from "./setting.ts";

const later = true, reread = true, secret = true;
const networks = kind.list(
  kind.network,
  "addresses and CIDR blocks such as 10.0.0.0/8, parted by commas",
);
const domains = kind.list(kind.domain, "domain names, parted by commas");
const hosts = kind.list(kind.hostOrAddress, "host names and addresses, parted by commas");
const hostname = ({ hostname }: Environment) => domainOrNone(hostname());
const processors = ({ processors }: Environment) => String(processors);

/** In the order in which they are shown. */
// deno-fmt-ignore: a row stays a row
export const table = {
  mode: has("SMTP_MODE", kind.choice("relay", "capture"), "relay",
    "`relay`, or `capture`: nothing leaves the machine", { dev: "capture" }),
  listen: has("SMTP_LISTEN", kind.list(kind.address, "IP addresses, parted by commas"), "::,0.0.0.0",
    "addresses to listen on", { dev: "127.0.0.1,::1" }),
  port: has("SMTP_PORT", kind.port, "2525", "port for plain SMTP and STARTTLS; 0 for any"),
  tlsPort: may("SMTP_TLS_PORT", kind.port, "port for implicit TLS"),
  hostname: has("SMTP_HOSTNAME", kind.domain, "localhost",
    "greeting, HELO, own domain", { standardShown: "the system's, else `localhost`", find: hostname, dev: "localhost" }),
  localDomains: may("SMTP_LOCAL_DOMAINS", domains,
    "further domains that senders may use", { reread }),
  banner: has("SMTP_BANNER", kind.text, "Dinopost ready", "greeting text"),
  debug: has("SMTP_DEBUG", kind.boolean, "false",
    "audit log: every line of every session", { reread, dev: "true" }),
  maxSize: has("SMTP_MAX_SIZE", kind.size("1B", "1GiB"), "10MiB", "largest message"),
  maxRecipients: has("SMTP_MAX_RECIPIENTS", kind.whole(1, 100_000), "100", "in one message"),
  maxClients: has("SMTP_MAX_CLIENTS", kind.whole(1, 1_000_000), "1000",
    "clients at once; 421 4.3.2 beyond"),
  maxClientsPerAddress: has("SMTP_MAX_CLIENTS_PER_ADDRESS", kind.whole(1, 1_000_000), "100",
    "clients at once from one address; 421 4.7.0 beyond"),
  maxUnknownCommands: has("SMTP_MAX_UNKNOWN_COMMANDS", kind.whole(0, 1000), "5",
    "in one session; then 421 4.7.0 and close"),
  rateMessages: may("SMTP_RATE_MESSAGES", kind.rate,
    "messages per client address", { reread }),
  rateUser: may("SMTP_RATE_USER", kind.rate, "messages per authenticated user", { reread }),
  maxQueuedPerClient: may("SMTP_MAX_QUEUED_PER_CLIENT", kind.whole(1, 100_000_000),
    "recipients queued per address or user; 452 4.3.1 beyond", { reread }),
  commandTimeout: has("SMTP_COMMAND_TIMEOUT", kind.duration("1s"), "15m", "for one command"),
  dataTimeout: has("SMTP_DATA_TIMEOUT", kind.duration("1s"), "10m", "for the whole of one message"),
  handshakeTimeout: has("SMTP_HANDSHAKE_TIMEOUT", kind.duration("1s"), "30s",
    "for a TLS handshake or PROXY header"),
  shutdownTimeout: has("SMTP_SHUTDOWN_TIMEOUT", kind.duration("0s"), "30s",
    "for sessions to end when the daemon stops"),
  bareNewline: has("SMTP_BARE_NEWLINE", kind.choice("reject", "normalize"), "reject",
    "what becomes of CR or LF alone: `reject`, or `normalize`"),
  proxies: may("SMTP_PROXIES", networks, "addresses that may use PROXY and XCLIENT"),
  proxyProtocol: has("SMTP_PROXY_PROTOCOL", kind.boolean, "false",
    "named proxies must send a PROXY header"),
  allowNetworks: may("SMTP_ALLOW_NETWORKS", networks,
    "clients that may use this server; with neither list set, none may", { reread, dev: "127.0.0.0/8,::1" }),
  allowHosts: may("SMTP_ALLOW_HOSTS", hosts, "the same, by host name", { reread }),
  requireLocalDomain: has("SMTP_REQUIRE_LOCAL_DOMAIN", kind.boolean, "true",
    "a sender's domain must be SMTP_HOSTNAME or one of SMTP_LOCAL_DOMAINS", { reread, dev: "false" }),
  authUsers: may("SMTP_AUTH_USERS", kind.users,
    "`user:password,…`; as a file: one `user:password-or-hash` a line", { secret, reread }),
  authInsecure: has("SMTP_AUTH_INSECURE", kind.boolean, "false",
    "AUTH without TLS"),
  tlsDisable: has("SMTP_TLS_DISABLE", kind.boolean, "false",
    "no TLS as a server", { dev: "true" }),
  tlsCert: may("SMTP_TLS_CERT", kind.existingFile,
    "PEM file; unset: self-signed", { reread }),
  tlsKey: may("SMTP_TLS_KEY", kind.existingFile, "PEM file", { reread }),
  queuePath: has("SMTP_QUEUE_PATH", kind.path, "./data/spool",
    "the spool", { dev: "./data/dev" }),
  queueWorkers: has("SMTP_QUEUE_WORKERS", kind.whole(1, 1024), "1",
    "delivery workers", { standardShown: "logical CPUs", find: processors }),
  workerConnections: has("SMTP_WORKER_CONNECTIONS", kind.whole(1, 1000), "20",
    "connections that one worker drives"),
  destinationConnections: has("SMTP_DESTINATION_CONNECTIONS", kind.whole(1, 1000), "20",
    "most connections to one destination", { reread }),
  queueLifetime: has("SMTP_QUEUE_LIFETIME", kind.duration("1m"), "5d",
    "then a bounce", { reread }),
  delayNotice: has("SMTP_DELAY_NOTICE", kind.duration("0s"), "4h",
    "`0` for none", { reread }),
  retentionDays: has("SMTP_RETENTION_DAYS", kind.whole(0, 36_500), "7",
    "of what has left the queue, and of captured mail", { reread }),
  spoolFiles: has("SMTP_SPOOL_FILES", kind.boolean, "true",
    "write the `.eml` names"),
  minFree: has("SMTP_MIN_FREE", kind.size("0B", "1024TiB"), "100MiB",
    "free disk below which mail is refused, 452 4.3.1", { reread }),
  hideClient: has("SMTP_HIDE_CLIENT", kind.boolean, "false",
    "leave the client's address out of Received", { reread }),
  relayUrl: may("SMTP_RELAY_URL", kind.relayUrl,
    "`smtp[s]://user:pass@host:port`", { secret, reread }),
  relayToken: may("SMTP_RELAY_TOKEN", kind.secret,
    "OAuth2 access token for XOAUTH2; as a file, read at each use", { secret, reread }),
  routes: may("SMTP_ROUTES", kind.routes,
    "`domain=url,…`, `domain=mx`, `domain=hold`, `domain=reject`", { secret, reread }),
  tlsPolicy: has("SMTP_TLS_POLICY", kind.tlsPolicy, "verify",
    "`verify`, `opportunistic`, `require`, `none`; `,domain=policy…`", { reread }),
  mtaSts: has("SMTP_MTA_STS", kind.boolean, "true", "honour MTA-STS", { reread }),
  ipPreference: has("SMTP_IP_PREFERENCE", kind.choice("any", "ipv4", "ipv6"), "any",
    "`any`, `ipv4`, `ipv6`", { reread }),
  dnsServers: may("SMTP_DNS_SERVERS", kind.list(kind.dnsServer, "address or address:port, parted by commas"),
    "`address[:port],…`; unset: the system's"),
  deliveryPort: has("SMTP_DELIVERY_PORT", kind.port, "25", "port of MX hosts"),
  allowLocalTargets: has("SMTP_ALLOW_LOCAL_TARGETS", kind.boolean, "false",
    "deliver to loopback, private, link-local addresses found by MX"),
  dkimSelector: may("SMTP_DKIM_SELECTOR", kind.selector, "of the one key", { reread }),
  dkimDomain: may("SMTP_DKIM_DOMAIN", kind.domain, "unset: the sender's", { reread }),
  dkimKeyPath: may("SMTP_DKIM_KEY_PATH", kind.existingFile, "PEM file", { reread }),
  dkimPrivateKey: may("SMTP_DKIM_PRIVATE_KEY", kind.secret,
    "PEM; wins over the path", { secret, reread }),
  dkimKeys: may("SMTP_DKIM_KEYS", kind.path,
    "directory of `<domain>/<selector>.pem`, RSA and Ed25519", { reread }),
  healthAddr: has("SMTP_HEALTH_ADDR", kind.listenAddress, ":8080",
    "where HTTP is served", { dev: "127.0.0.1:8080" }),
  healthPort: may("SMTP_HEALTH_PORT", kind.port,
    "overrides the port of SMTP_HEALTH_ADDR; 0 for any"),
  healthDisable: has("SMTP_HEALTH_DISABLE", kind.boolean, "false",
    "no HTTP"),
  dashboardToken: may("SMTP_DASHBOARD_TOKEN", kind.secret,
    "opens dashboard and API beyond loopback", { secret }),
  dashboardHosts: may("SMTP_DASHBOARD_HOSTS", hosts, "further Host names to answer to"),
  logFormat: has("SMTP_LOG_FORMAT", kind.choice("auto", "json", "text"), "auto",
    "`json` or `text`; auto: text on a terminal", { dev: "text" }),
  logLevel: has("SMTP_LOG_LEVEL", kind.choice("debug", "info", "warning", "error"), "info",
    "`debug`, `info`, `warning` or `error`", { reread }),
  logRedact: has("SMTP_LOG_REDACT", kind.boolean, "false", "hash addresses", { reread }),
  stagingAllow: may("SMTP_STAGING_ALLOW", kind.list(kind.addressOrDomain, "addresses and domains, parted by commas"),
    "only mail to these leaves", { later, reread }),
  stagingRewrite: may("SMTP_STAGING_REWRITE", kind.mailbox,
    "all mail goes to this address", { later, reread }),
  faults: may("SMTP_FAULTS", kind.text, "scripted failures for capture mode", { later, reread }),
} as const;

/** A machine may be called what no mail server can be called. */
function domainOrNone(name: string | undefined): string | undefined {
  return name !== undefined && isDomain(name) ? name : undefined;
}

type ValueOf<S> = S extends Setting<infer T> & { readonly always: true } ? T
  : S extends Setting<infer T> ? T | undefined
  : never;

export type Config =
  & { readonly [Key in keyof typeof table]: ValueOf<(typeof table)[Key]> }
  /** Where the token came from, if from a file: it does not last, and is read at each use. */
  & { readonly relayTokenFile?: string };
