/** What settings say together: what cannot be, and what is seldom meant. */

import type { Environment } from "../ports.ts";
import { dkimKeys } from "./dkim_keys.ts";
import type { Config } from "./table.ts";

export interface Contradiction {
  readonly names: readonly string[];
  readonly problem: string;
}

/** Characters. */
const SHORTEST_TOKEN = 16;

/** Values that are right, each by itself, but not together. */
export function contradictions(config: Config, environment: Environment): Contradiction[] {
  const { tlsDisable, tlsCert, tlsKey, tlsPort, port, proxyProtocol, proxies } = config;
  const { relayUrl, relayToken, healthAddr, healthPort, healthDisable } = config;
  const found: Contradiction[] = [];
  const say = (names: string[], problem: string) => found.push({ names, problem });
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    say(["SMTP_TLS_CERT", "SMTP_TLS_KEY"], "only one of them is set: set both, or none");
  }
  if (tlsCert !== undefined && tlsKey !== undefined) {
    const cert = environment.readText(tlsCert), key = environment.readText(tlsKey);
    const fault = typeof cert === "string" && typeof key === "string"
      ? environment.faultOf({ cert, key })
      : undefined;
    if (fault !== undefined) say(["SMTP_TLS_CERT", "SMTP_TLS_KEY"], fault);
  }
  if (tlsPort !== undefined && tlsDisable) {
    say(["SMTP_TLS_PORT", "SMTP_TLS_DISABLE"], "TLS is disabled: unset one of them");
  }
  if (tlsPort !== undefined && tlsPort === port && port !== 0) {
    say(["SMTP_TLS_PORT", "SMTP_PORT"], `both are ${port}: each wants a port of its own`);
  }
  const httpPort = healthDisable ? 0 : healthPort ?? healthAddr?.port ?? 0;
  if (httpPort !== 0 && (httpPort === port || httpPort === tlsPort)) {
    const name = httpPort === port ? "SMTP_PORT" : "SMTP_TLS_PORT";
    const own = healthPort === undefined ? "SMTP_HEALTH_ADDR" : "SMTP_HEALTH_PORT";
    say([own, name], `both are ${httpPort}: each wants a port of its own`);
  }
  if (proxyProtocol && proxies === undefined) {
    say(["SMTP_PROXY_PROTOCOL", "SMTP_PROXIES"], "no proxy is named: name those that send it");
  }
  if (relayUrl !== undefined && relayToken === undefined) {
    const { username, password } = new URL(relayUrl);
    if (username !== "" && password === "") {
      say(
        ["SMTP_RELAY_URL", "SMTP_RELAY_TOKEN"],
        "a user has neither password nor token: give one",
      );
    }
  }
  const { one, ofDomains, problems } = dkimKeys(config, environment);
  for (const { names, problem } of problems) say([...names], problem);
  for (const { place, pem } of [...one === undefined ? [] : [one], ...ofDomains]) {
    const fault = environment.faultOfKey(pem);
    const isOfFolder = place !== one?.place;
    if (fault !== undefined) {
      say([isOfFolder ? "SMTP_DKIM_KEYS" : place], isOfFolder ? `${place}: ${fault}` : fault);
    }
  }
  return found;
}

/** Values that are right, but seldom meant. */
export function doubts(config: Config): string[] {
  const { mode, allowNetworks, allowHosts, requireLocalDomain } = config;
  const found: string[] = [];
  if (allowNetworks === undefined && allowHosts === undefined) {
    found.push("no client may use this server: set SMTP_ALLOW_NETWORKS or SMTP_ALLOW_HOSTS");
  }
  const everyone = allowNetworks?.some(({ prefix }) => prefix === 0) ?? false;
  if (everyone && mode === "relay" && !requireLocalDomain) {
    found.push(
      "SMTP_ALLOW_NETWORKS and SMTP_REQUIRE_LOCAL_DOMAIN: anyone may send as anyone to anyone",
    );
  }
  if ((config.dashboardToken?.length ?? Infinity) < SHORTEST_TOKEN) {
    found.push(`SMTP_DASHBOARD_TOKEN: short enough to be guessed: give ${SHORTEST_TOKEN} or more`);
  }
  if (config.authUsers !== undefined && config.tlsDisable && !config.authInsecure) {
    found.push("SMTP_AUTH_USERS: nobody can log in without TLS: see SMTP_TLS_DISABLE");
  }
  return found;
}
