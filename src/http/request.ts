/**
 * The head of a request (RFC 9112), and where it ends. Pure.
 *
 * Promises: what is not well formed is refused, never guessed at; one request is read of a
 * connection, so that nothing of it can be taken for another.
 */

/** What is answered without asking anybody. */
export interface Refused {
  readonly status: number;
  readonly why: string;
}

export interface Head {
  readonly method: string;
  /** Path and query, as they came. */
  readonly target: string;
  readonly host: string;
  readonly headers: Headers;
  /** Octets of the body. */
  readonly length: number;
  readonly isHttp10: boolean;
}

export const MOST_HEAD = 16 * 1024;
/** To look for one among very many takes its time. */
const MOST_FIELDS = 100;
const MOST_BODY = 1024 * 1024;

/** They are for proxies, or tell too much. */
const NOT_SERVED = new Set(["CONNECT", "TRACE", "TRACK"]);

const CR = 13, LF = 10;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// deno-lint-ignore no-control-regex -- a value has no control characters but the tab
const VALUE = /^[^\x00-\x08\x0a-\x1f\x7f]*$/;
/** An authority: a name or an address, perhaps with a port (RFC 3986 §3.2). */
const AUTHORITY = /^(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._~-]+)(?::[0-9]{1,5})?$/;
/** RFC 3986 §3.3, and a query. */
const TARGET = /^\/[0-9A-Za-z._~!$&'()*+,;=:@%/?-]*$/;
/** Ways to write a path so that somebody may read it as another one. */
const TRICKS = /%2f|%5c|%2e|%00|\/\/|(?:^|\/)\.{1,2}(?:\/|$)|%(?![0-9a-f]{2})/i;

/** Where the head ends, behind its empty line, but not before `from`; -1: it has no end yet. */
export function headEnd(octets: Uint8Array, from = 0): number {
  for (let i = Math.max(from, 3); i < octets.length; i++) {
    if (octets[i] !== LF || octets[i - 1] !== CR) continue;
    if (octets[i - 2] === LF && octets[i - 3] === CR) return i + 1;
  }
  return -1;
}

export function parseHead(octets: Uint8Array): Head | Refused {
  // Each octet as one character: what is beyond ASCII is in no name, and in no path.
  const text = String.fromCharCode(...octets.subarray(0, -4));
  const [line, ...fields] = text.split("\r\n");
  const [, method, target, minor] = /^([A-Z]{1,16}) ([^ ]+) HTTP\/1\.([01])$/.exec(line) ?? [];
  if (method === undefined) return bad("request line");
  if (NOT_SERVED.has(method)) return { status: 501, why: `no page knows ${method}` };
  if (fields.length > MOST_FIELDS) return { status: 431, why: `more than ${MOST_FIELDS} fields` };
  const headers = new Headers();
  for (const field of fields) {
    const colon = field.indexOf(":");
    const name = field.slice(0, Math.max(colon, 0));
    const value = field.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
    if (!TOKEN.test(name) || !VALUE.test(value)) return bad("header");
    // Others that are given twice are joined, and then no host, and no length.
    if (/^(authorization|origin)$/i.test(name) && headers.has(name)) return bad("given twice");
    headers.append(name, value);
  }
  const host = headers.get("host") ?? "";
  if (!AUTHORITY.test(host) || !URL.canParse(`http://${host}`)) {
    return bad("Host: missing, or not a host");
  }
  const [path] = target.split("?", 1);
  if (!TARGET.test(target) || TRICKS.test(path)) return { status: 404, why: "no such page" };
  const length = lengthOf(headers);
  if (typeof length !== "number") return length;
  return { method, target, host, headers, length, isHttp10: minor === "0" };
}

function lengthOf(headers: Headers): number | Refused {
  // RFC 9112 §6.3: a server may want the length of what it is given.
  if (headers.has("transfer-encoding")) return { status: 411, why: "a length is wanted" };
  const text = headers.get("content-length") ?? "0";
  if (!/^[0-9]{1,15}$/.test(text)) return bad("Content-Length");
  const length = Number(text);
  return length <= MOST_BODY ? length : { status: 413, why: `more than ${MOST_BODY} octets` };
}

const bad = (what: string): Refused => ({ status: 400, why: `bad request: ${what}` });
