/** The kinds of values that settings have. */

import ipaddr from "ipaddr.js";
import { readPassword } from "../auth/passwords.ts";
import { isDomain, parseMailbox } from "../smtp/address.ts";
import { isSelector } from "./dkim_keys.ts";
import type { Kind } from "./setting.ts";

const kind = <T>(accepted: string, read: Kind<T>["read"]): Kind<T> => ({ accepted, read });

export const text: Kind<string> = kind("text on one line", (text) =>
  // deno-lint-ignore no-control-regex -- control characters are what must not pass
  /[\x00-\x1f\x7f]/.test(text) ? undefined : text);

export const secret: Kind<string> = kind("text", (text) => text);

const BOOLEANS = new Map([["true", true], ["1", true], ["false", false], ["0", false]]);

export const boolean: Kind<boolean> = kind(
  "true, false, 1 or 0",
  (text) => BOOLEANS.get(text.toLowerCase()),
);

export const choice = <T extends string>(...choices: T[]): Kind<T> =>
  kind(choices.join(" or "), (text) => choices.find((each) => each === text));

export const whole = (least: number, most: number): Kind<number> =>
  kind(`a whole number from ${least} to ${most}`, (text) => {
    const number = /^[0-9]{1,15}$/.test(text) ? Number(text) : NaN;
    return number >= least && number <= most ? number : undefined;
  });

export const port: Kind<number> = { ...whole(0, 65535), accepted: "a port from 0 to 65535" };

const UNITS = { "": 1, s: 1, m: 60, h: 3600, d: 86400 } as Record<string, number>;

/** In milliseconds. */
export const duration = (least: string): Kind<number> =>
  kind(`a duration such as 90s, 15m, 4h or 5d, at least ${least}`, (text) => {
    const time = milliseconds(text);
    return time !== undefined && time >= milliseconds(least)! ? time : undefined;
  });

function milliseconds(text: string): number | undefined {
  const [, number, unit] = /^([0-9]{1,9})([smhd]?)$/.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) * UNITS[unit] * 1000;
}

/** In octets. */
export const size = (least: string, most: string): Kind<number> =>
  kind(`a size such as 500KB or 10MiB, from ${least} to ${most}`, (text) => {
    const octets = octetsOf(text);
    return octets !== undefined && octets >= octetsOf(least)! && octets <= octetsOf(most)!
      ? octets
      : undefined;
  });

function octetsOf(text: string): number | undefined {
  const [, number, unit, binary] = /^([0-9]{1,12}) ?(?:([KMGT])(i?)B|B?)$/i.exec(text) ?? [];
  if (number === undefined) return undefined;
  const power = unit === undefined ? 0 : "KMGT".indexOf(unit.toUpperCase()) + 1;
  return Number(number) * (binary ? 1024 : 1000) ** power;
}

export interface Rate {
  readonly count: number;
  readonly period: number;
}

export const rate: Kind<Rate> = kind("a rate such as 100/1h", (text, environment) => {
  const [, number, rest] = /^([0-9]+)\/([0-9]*[smhd])$/.exec(text) ?? [];
  const count = whole(1, 1e9).read(number ?? "", environment);
  const period = milliseconds(/^[0-9]/.test(rest ?? "") ? rest : `1${rest}`);
  return count === undefined || !period ? undefined : { count, period };
});

/** Items parted by commas, each of a kind. */
export const list = <T>(item: Kind<T>, accepted: string): Kind<readonly T[]> =>
  kind(accepted, (text, environment) => {
    const items = text.split(",").map((each) => each.trim()).filter((each) => each !== "")
      .map((each) => item.read(each, environment));
    return items.length > 0 && items.every((each) => each !== undefined) ? items as T[] : undefined;
  });

export const address: Kind<string> = kind("an IP address", (text) => {
  const bare = text.replace(/^\[(.*)\]$/, "$1");
  return ipaddr.IPv4.isValidFourPartDecimal(bare) || ipaddr.IPv6.isValid(bare) ? bare : undefined;
});

/** A block of addresses; a single address is a block of one. */
export interface Network {
  readonly address: string;
  readonly prefix: number;
}

/** Bits behind the prefix are refused: whoever writes `10.0.0.5/8` means something else. */
export const network: Kind<Network> = kind("an address or CIDR block", (text, environment) => {
  const [, head, bits] = /^([^/]+)(?:\/([0-9]{1,3}))?$/.exec(text) ?? [];
  const base = address.read(head ?? "", environment);
  if (base === undefined) return undefined;
  const most = base.includes(":") ? 128 : 32;
  const prefix = bits === undefined ? most : Number(bits);
  return prefix <= most && isBlock(base, prefix) ? { address: base, prefix } : undefined;
});

function isBlock(address: string, prefix: number): boolean {
  return ipaddr.parse(address).toByteArray().every((octet, i) => {
    const bits = Math.min(8, Math.max(0, prefix - i * 8));
    return (octet & (0xff >> bits)) === 0;
  });
}

export const domain: Kind<string> = kind(
  "a domain name",
  (text) => isDomain(text) ? text.toLowerCase() : undefined,
);

export const selector: Kind<string> = kind(
  "a selector: labels of letters, digits and hyphens, parted by dots",
  (text) => isSelector(text) ? text.toLowerCase() : undefined,
);

export const hostOrAddress: Kind<string> = kind(
  "a host name or address",
  (text, environment) => address.read(text, environment) ?? domain.read(text, environment),
);

/** `host:port`, `[address]:port`, `:port`; the host of the last is empty. */
export interface Endpoint {
  readonly host: string;
  readonly port: number | undefined;
}

const endpointOf = (text: string, portNeeded: boolean): Endpoint | undefined => {
  const [, host, digits] = /^(\[[^\]]+\]|[^:[\]]*)(?::([0-9]{1,5}))?$/.exec(text) ??
    (ipaddr.IPv6.isValid(text) ? [text, text, undefined] : []);
  if (host === undefined || (digits === undefined && portNeeded)) return undefined;
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  if (bare !== "" && !ipaddr.isValid(bare) && !isDomain(bare)) return undefined;
  const port = digits === undefined ? undefined : Number(digits);
  return port !== undefined && port > 65535 ? undefined : { host: bare, port };
};

export const listenAddress: Kind<Endpoint> = kind(
  "host:port or :port",
  (text) => endpointOf(text, true),
);

export const dnsServer: Kind<Endpoint> = kind("address or address:port", (text) => {
  const endpoint = endpointOf(text, false);
  return endpoint !== undefined && ipaddr.isValid(endpoint.host) ? endpoint : undefined;
});

export const path: Kind<string> = text;

export const existingFile: Kind<string> = {
  accepted: "a file that can be read",
  read: (text, environment) => typeof environment.readText(text) === "string" ? text : undefined,
  why(text, environment) {
    const found = environment.readText(text);
    return typeof found === "string" ? "it came only now" : found.reason;
  },
};

/** Whole addresses, or domains whose every address is meant. */
export const addressOrDomain: Kind<string> = kind(
  "an address or domain",
  (text) => parseMailbox(text) !== undefined || isDomain(text) ? text : undefined,
);

export const mailbox: Kind<string> = kind(
  "an address user@domain",
  (text) => parseMailbox(text) === undefined ? undefined : text,
);

/** `user:password` pairs; in a file one a line, so that passwords may hold commas. */
export const users: Kind<ReadonlyMap<string, string>> = {
  accepted: "user:password pairs, parted by commas, or one a line in a file",
  byLine: true,
  read(text) {
    const lines = userLines(text);
    const sound = lines.length > 0 && lines.every((line) => faultOf(line, lines) === undefined);
    return sound ? new Map(lines.map(({ user, password }) => [user, password])) : undefined;
  },
  why(text) {
    const lines = userLines(text);
    const [first] = lines.filter((line) => faultOf(line, lines) !== undefined);
    return first === undefined ? "no user" : faultOf(first, lines)!;
  },
};

interface UserLine {
  /** Counted from one; in a list, its place there. */
  readonly place: number;
  readonly user: string;
  readonly password: string;
}

/** Comments and empty lines are passed over. A hash of scrypt has commas of its own. */
function userLines(text: string): UserLine[] {
  const lines = text.endsWith("\n") ? text.split(/\r?\n/) : text.split(/,(?![rp]=[0-9]+[,$])/);
  return lines.map((line, i) => ({ line: line.trim(), place: i + 1 }))
    .filter(({ line }) => line !== "" && !line.startsWith("#"))
    .map(({ line, place }) => {
      const [, user = "", password = ""] = /^([^:]+):(.+)$/.exec(line) ?? [];
      return { place, user, password };
    });
}

/** Nothing of a password is in the words. */
function faultOf({ place, user, password }: UserLine, all: readonly UserLine[]) {
  if (user === "") return `number ${place} is not user:password`;
  if (readPassword(password) === undefined) {
    return `number ${place} has a hash that is not known here, make one with ` +
      "dinopost hash-password";
  }
  const isTwice = all.some((other) => other.user === user && other.place < place);
  return isTwice ? `number ${place} is a user that was given before` : undefined;
}

export const relayUrl: Kind<string> = kind(
  "smtp[s]://[user:password@]host[:port]",
  (text) => isRelayUrl(text) ? text : undefined,
);

function isRelayUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, pathname, search, hash, username, password } = new URL(text);
  return [hostname, username, password].every(isDecodable) &&
    (protocol === "smtp:" || protocol === "smtps:") && hostname !== "" &&
    (pathname === "" || pathname === "/") && search === "" && hash === "";
}

/** A percent sign that stands for itself is written `%25`. */
function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** `domain=value` pairs. */
const pairs = (accepted: string, isValue: (value: string) => boolean) =>
  kind<ReadonlyMap<string, string>>(accepted, (text) => {
    const all = text.split(",").map((each) => /^([^=]+)=(.+)$/.exec(each.trim()))
      .map((match) =>
        match !== null && isDomain(match[1]) && isValue(match[2])
          ? [match[1].toLowerCase(), match[2]] as const
          : undefined
      );
    return all.every((pair) => pair !== undefined) ? new Map(all) : undefined;
  });

export const routes = pairs(
  "domain=url, domain=mx, domain=hold or domain=reject, parted by commas",
  (value) => ["mx", "hold", "reject"].includes(value) || isRelayUrl(value),
);

export interface TlsPolicy {
  readonly standard: string;
  readonly domains: ReadonlyMap<string, string>;
}

const POLICIES = ["verify", "opportunistic", "require", "none"];

export const tlsPolicy: Kind<TlsPolicy> = kind(
  `${POLICIES.join(", ")}; then domain=policy, parted by commas`,
  (text, environment) => {
    const [standard, ...rest] = text.split(",");
    if (!POLICIES.includes(standard)) return undefined;
    const domains = rest.length === 0
      ? new Map<string, string>()
      : pairs("", (value) => POLICIES.includes(value)).read(rest.join(","), environment);
    return domains === undefined ? undefined : { standard, domains };
  },
);
