/**
 * Mailboxes, domains and paths, by the grammar of RFC 5321 §4.1.2 with the UTF-8 of
 * RFC 6531 §3.3.
 *
 * Promises: a parsed mailbox holds no control character, no line end, no unpaired quote,
 * so it can stand in a header, a log line or a reply as it is. Local parts keep their case
 * (§2.4). What does not parse is `undefined`, never an exception.
 */

export interface Mailbox {
  /** As given, quotes included: `alice`, `"a b"`. */
  readonly local: string;
  /** A domain name as given, or an address literal with its brackets. */
  readonly domain: string;
}

/** RFC 5321 §4.5.3.1.3: 256 octets, the angle brackets among them. */
const MAX_PATH = 254;
/** RFC 5321 §4.5.3.1.2. */
const MAX_DOMAIN = 255;

const ATEXT = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-\\u0080-\\uFFFC\\u{10000}-\\u{10FFFF}]";
const DOT_STRING = new RegExp(`^${ATEXT}+(?:\\.${ATEXT}+)*$`, "u");
/** qtextSMTP and quoted pairs; U+FFFD is what undecodable octets became. */
const QUOTED_STRING =
  /^"(?:[\x20\x21\x23-\x5b\x5d-\x7e\u00a0-\ufffc\u{10000}-\u{10ffff}]|\\[\x20-\x7e])*"$/u;
/** Letters, digits, hyphens; the underscore is no host name but common in mail domains. */
const LABEL = /^(?!-)[A-Za-z0-9_\u0080-\uFFFC\u{10000}-\u{10FFFF}-]{1,63}(?<!-)$/u;
const C1_CONTROLS = /[\u0080-\u009f\u2028\u2029]/;

/** `<>`, `<a@b>`, `<@hop,@hop:a@b>`: the mailbox in it, `null` for the null path. */
export function parsePath(path: string): Mailbox | null | undefined {
  if (path === "<>") return null;
  if (!path.startsWith("<") || !path.endsWith(">")) return undefined;
  return parseMailbox(withoutRoute(path.slice(1, -1)));
}

/** RFC 5321 §4.1.1.3: a source route is accepted, and ignored. */
function withoutRoute(address: string): string {
  if (!address.startsWith("@")) return address;
  const end = address.indexOf(":");
  const hops = address.slice(0, Math.max(end, 0)).split(",");
  return hops.every((hop) => hop.startsWith("@") && isDomain(hop.slice(1)))
    ? address.slice(end + 1)
    : address;
}

/** What most addresses are, found in one step: the rest of this page would say the same. */
const PLAIN = new RegExp(
  "^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@" +
    "(?:(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\\.)*(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$",
);

export function parseMailbox(address: string): Mailbox | undefined {
  if (address.length <= MAX_PATH && PLAIN.test(address)) {
    const at = address.indexOf("@");
    return { local: address.slice(0, at), domain: address.slice(at + 1) };
  }
  if (octets(address) > MAX_PATH || C1_CONTROLS.test(address)) return undefined;
  const at = address.lastIndexOf("@");
  const local = address.slice(0, Math.max(at, 0));
  const domain = address.slice(at + 1);
  if (!DOT_STRING.test(local) && !QUOTED_STRING.test(local)) return undefined;
  return isDomain(domain) || isAddressLiteral(domain) ? { local, domain } : undefined;
}

/** As DNS and certificates have it, in A-labels (RFC 5890 §2.3.2.1), if it can be so. */
export function asciiDomain(domain: string): string | undefined {
  if (isAscii(domain)) return domain;
  const url = `http://${domain}`;
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}

export function isDomain(text: string): boolean {
  return octets(text) <= MAX_DOMAIN && !C1_CONTROLS.test(text) &&
    text.split(".").every((label) => LABEL.test(label));
}

/** RFC 5321 §4.1.3. */
export function isAddressLiteral(text: string): boolean {
  if (!text.startsWith("[") || !text.endsWith("]")) return false;
  const inner = text.slice(1, -1);
  return isIpv4(inner) || (/^IPv6:/i.test(inner) && isIpv6(inner.slice(5)));
}

function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^[0-9]{1,3}$/.test(part) && +part <= 255);
}

function isIpv6(text: string): boolean {
  const tail = /(^|:)([0-9.]*\.[0-9.]*)$/.exec(text);
  if (tail !== null && !isIpv4(tail[2])) return false;
  const groups = tail === null ? text : text.slice(0, tail.index) + tail[1] + "0:0";
  const halves = groups.split("::");
  if (halves.length > 2) return false;
  const counts = halves.map((half) => half === "" ? [] : half.split(":"));
  const all = counts.flat();
  return all.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group)) &&
    (halves.length === 2 ? all.length <= 7 : all.length === 8);
}

/** In upper case, if it is ASCII: `ı` and `ſ` are no I and S. */
export function upper(text: string): string {
  return isAscii(text) ? text.toUpperCase() : text;
}

export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

/** The length in UTF-8, counted only where it can differ from the length in characters. */
export function octets(text: string): number {
  return isAscii(text) ? text.length : new TextEncoder().encode(text).length;
}

/** `local@domain`, or nothing for the null path. */
export function format(mailbox: Mailbox | null): string {
  return mailbox === null ? "" : `${mailbox.local}@${mailbox.domain}`;
}

/** Two spellings of one mailbox have one key: domains know no case, local parts do. */
export function key({ local, domain }: Mailbox): string {
  return `${local}@${domain.toLowerCase()}`;
}
