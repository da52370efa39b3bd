/**
 * Who may ask, and in whose name (H2): the pages are for this machine, and for whoever has the
 * token.
 *
 * Promises: a page of another site in somebody's browser can neither ask nor learn anything here;
 * whoever comes through a proxy on this machine is not taken for this machine.
 */

import ipaddr from "ipaddr.js";

export interface GuardRules {
  /** Names under which this server may be asked, beside its addresses. */
  readonly hosts: ReadonlySet<string>;
  readonly token: string | undefined;
}

/** Whoever is trusted sees addresses, and may switch what can be switched. */
export type Verdict =
  | { readonly trusted: boolean }
  | { readonly status: 401 | 403; readonly why: string };

/** What proxies add of whom they speak for. */
const FORWARDED = ["forwarded", "via", "x-forwarded-for", "x-real-ip"];

export class Guard {
  /** As browsers write them, in ASCII. */
  readonly #hosts: ReadonlySet<string>;
  readonly #token: string | undefined;

  constructor({ hosts, token }: GuardRules) {
    this.#hosts = new Set([...hosts].map((host) => new URL(`http://${bracketed(host)}`).hostname));
    this.#token = token;
  }

  judge({ url, headers }: Pick<Request, "url" | "headers">, address: string): Verdict {
    const host = new URL(url).hostname;
    if (!this.#isOurs(host)) {
      return { status: 403, why: `${host} is no name of this server: set SMTP_DASHBOARD_HOSTS` };
    }
    if (isForeign(headers, new URL(url).host)) {
      return { status: 403, why: "a page of another site may not ask" };
    }
    const given = tokenIn(headers.get("authorization"));
    if (given !== undefined) {
      const isRight = this.#token !== undefined && isSame(given, this.#token);
      return isRight ? { trusted: true } : { status: 401, why: "the token is wrong" };
    }
    return { trusted: isLoopback(address) && !FORWARDED.some((name) => headers.has(name)) };
  }

  /** Whoever has another name lead here (DNS rebinding) has not one of these. */
  #isOurs(host: string): boolean {
    if (ipaddr.isValid(host.replace(/^\[(.*)\]$/, "$1"))) return true;
    return host === "localhost" || host.endsWith(".localhost") || this.#hosts.has(host);
  }
}

const bracketed = (host: string) => host.includes(":") ? `[${host}]` : host;

/** What browsers say of the page that asks; programs say nothing of the kind. */
function isForeign(headers: Headers, host: string): boolean {
  const origin = headers.get("origin");
  if (origin !== null && origin.replace(/^https?:\/\//, "") !== host) return true;
  const site = headers.get("sec-fetch-site") ?? "none";
  const isOwn = site === "none" || site === "same-origin";
  // A link may lead here; a frame is no link.
  const isLink = headers.get("sec-fetch-mode") === "navigate" &&
    headers.get("sec-fetch-dest") === "document";
  return !isOwn && !isLink;
}

function isLoopback(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === "loopback";
}

/** Bearer (RFC 6750 §2.1), or Basic with any user, for browsers (RFC 7617). */
function tokenIn(authorization: string | null): string | undefined {
  if (authorization === null) return undefined;
  const [, scheme, value] = /^([A-Za-z]+) +(.*)$/.exec(authorization) ?? [];
  switch (scheme?.toLowerCase()) {
    case "bearer":
      return value;
    case "basic":
      try {
        const octets = Uint8Array.from(atob(value), (character) => character.charCodeAt(0));
        return new TextDecoder().decode(octets).replace(/^[^:]*:/, "");
      } catch {
        return "";
      }
    default:
      return "";
  }
}

/** In a time that tells nothing of how much of it is right. */
function isSame(given: string, token: string): boolean {
  const encoder = new TextEncoder();
  const [a, b] = [encoder.encode(given), encoder.encode(token)];
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= (a[i] ?? 0) ^ b[i];
  return difference === 0;
}
