/**
 * The PROXY protocol, versions 1 and 2, as its specification has it: a proxy tells in front
 * of everything else whose connection it is that it passes on.
 *
 * Promises: no more is read than the longest header that is taken; what came behind it is kept.
 */

import ipaddr from "ipaddr.js";
import type { Connection, Endpoint } from "../ports.ts";

/** What stands in front; `source` is absent where the proxy speaks for itself. */
export interface ProxyHeader {
  readonly source?: Endpoint;
  /** Octets that it takes. */
  readonly length: number;
}

/** Version 1: with its CRLF (§2.1 of the specification). */
const LONGEST_LINE = 107;
/** Version 2: its fixed part (§2.2). */
const FIXED = 16;
/** Behind the addresses may stand further values; nobody sends that many. */
const MOST_FURTHER = 4096;

const SIGNATURE = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10);
const LINE =
  /^PROXY (?:UNKNOWN[^\r\n]*|(TCP[46]) ([^ \r\n]+) [^ \r\n]+ ([0-9]{1,5}) [0-9]{1,5})\r\n/;

/** `undefined` as long as more is wanted; "none" for what is no such header. */
export function parseProxyHeader(octets: Uint8Array): ProxyHeader | undefined | "none" {
  const beginsBinary = octets.subarray(0, SIGNATURE.length)
    .every((octet, i) => octet === SIGNATURE[i]);
  return beginsBinary ? parseBinary(octets) : parseLine(octets);
}

function parseLine(octets: Uint8Array): ProxyHeader | undefined | "none" {
  const text = String.fromCharCode(...octets.subarray(0, LONGEST_LINE));
  if (!text.startsWith("PROXY ".slice(0, text.length))) return "none";
  if (!text.includes("\n")) return text.length < LONGEST_LINE ? undefined : "none";
  const [line, family, address, port] = LINE.exec(text) ?? [];
  if (line === undefined) return "none";
  if (family === undefined) return { length: line.length };
  const isAddress = family === "TCP4"
    ? ipaddr.IPv4.isValidFourPartDecimal(address)
    : ipaddr.IPv6.isValid(address) && !address.includes("%");
  return isAddress && Number(port) <= 65535
    ? { source: { hostname: address, port: Number(port) }, length: line.length }
    : "none";
}

function parseBinary(octets: Uint8Array): ProxyHeader | undefined | "none" {
  if (octets.length < FIXED) return undefined;
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const version = octets[12] >> 4, command = octets[12] & 15, kind = octets[13];
  const further = view.getUint16(14);
  if (version !== 2 || command > 1 || further > MOST_FURTHER) return "none";
  const length = FIXED + further;
  if (octets.length < length) return undefined;
  // LOCAL: the proxy's own connection, to see whether the server is well.
  if (command === 0) return { length };
  // TCP over IPv4, or over IPv6; what else there is has no address that counts here.
  const size = kind === 0x11 ? 4 : kind === 0x21 ? 16 : 0;
  if (size === 0) return kind === 0 ? { length } : "none";
  if (further < 2 * size + 4) return "none";
  const address = ipaddr.fromByteArray([...octets.subarray(FIXED, FIXED + size)]).toString();
  return { source: { hostname: address, port: view.getUint16(FIXED + 2 * size) }, length };
}

/**
 * Reads the header; the connection as it is behind it. `undefined` where there is none, or the
 * connection ends; a caller that waits no longer closes the connection.
 */
export async function readProxyHeader(
  connection: Connection,
): Promise<{ header: ProxyHeader; behind: Connection } | undefined> {
  const buffer = new Uint8Array(FIXED + MOST_FURTHER);
  let length = 0;
  for (;;) {
    const count = await connection.read(buffer.subarray(length)).catch(() => null);
    if (count === null) return undefined;
    length += count;
    const header = parseProxyHeader(buffer.subarray(0, length));
    if (header === "none" || (header === undefined && length === buffer.length)) return undefined;
    if (header === undefined) continue;
    return { header, behind: resumed(connection, buffer.slice(header.length, length)) };
  }
}

/** The connection as if these octets were still to be read. */
function resumed(connection: Connection, octets: Uint8Array): Connection {
  if (octets.length === 0) return connection;
  let rest = octets;
  return {
    remoteAddr: connection.remoteAddr,
    read(buffer) {
      if (rest.length === 0) return connection.read(buffer);
      const count = Math.min(rest.length, buffer.length);
      buffer.set(rest.subarray(0, count));
      rest = rest.subarray(count);
      return Promise.resolve(count);
    },
    write: (octets) => connection.write(octets),
    closeWrite: () => connection.closeWrite(),
    close: () => connection.close(),
  };
}
