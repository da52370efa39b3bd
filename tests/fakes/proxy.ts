/** What proxies send in front of connections: headers of the PROXY protocol, and XCLIENT. */

import ipaddr from "ipaddr.js";
import { Client } from "./client.ts";

type Octets = Uint8Array<ArrayBuffer>;

/** Addresses such as documentation has (RFC 5737, RFC 3849). */
export const IPV4 = "192.0.2.1";
export const IPV6 = "2001:db8::1";

export const LOOPBACK = [{ address: "127.0.0.1", prefix: 32 }];

/** Version 1. */
export function lineHeader(address: string, port = 4711): string {
  const family = address.includes(":") ? "TCP6" : "TCP4";
  return `PROXY ${family} ${address} ${family === "TCP6" ? "::1" : "127.0.0.1"} ${port} 25\r\n`;
}

export const SIGNATURE = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10);

export interface Binary {
  readonly version?: number;
  /** 0: LOCAL, 1: PROXY. */
  readonly command?: number;
  /** Family and protocol; by the address, where it is not given. */
  readonly kind?: number;
  readonly port?: number;
  /** Behind the addresses. */
  readonly further?: Uint8Array;
  /** As it is said; true, where it is not given. */
  readonly length?: number;
}

/** Version 2; with no address there is none in it. */
export function binaryHeader(address: string | undefined, binary: Binary = {}): Octets {
  const octets = address === undefined ? [] : ipaddr.parse(address).toByteArray();
  const { version = 2, command = 1, port = 4711, further = new Uint8Array(0) } = binary;
  const kind = binary.kind ?? { 0: 0, 4: 0x11, 16: 0x21 }[octets.length]!;
  const there = octets.map((_, i) => Number(i === octets.length - 1));
  const ports = address === undefined ? [] : [port >> 8, port & 255, 0, 25];
  const rest = [...octets, ...there, ...ports, ...further];
  const length = binary.length ?? rest.length;
  return Uint8Array.of(
    ...SIGNATURE,
    version << 4 | command,
    kind,
    length >> 8,
    length & 255,
    ...rest,
  );
}

/** A further value, as they stand behind the addresses. */
export function value(type: number, octets: Uint8Array): Octets {
  return Uint8Array.of(type, octets.length >> 8, octets.length & 255, ...octets);
}

export function joined(...parts: (Uint8Array | string)[]): Octets {
  const octets = (part: Uint8Array | string) =>
    typeof part === "string" ? new TextEncoder().encode(part) : part;
  return Uint8Array.from(parts.flatMap((part) => [...octets(part)]));
}

/** A client behind a proxy that sends this header. */
export async function behind(header: Uint8Array | string, port: number): Promise<Client> {
  const client = await Client.connect(port);
  await client.send(header);
  return client;
}

/** A proxy says for whom it speaks; what it is told. */
export async function claim(proxy: Client, attributes: string): Promise<string> {
  await proxy.ask("EHLO proxy.example");
  return await proxy.ask(`XCLIENT ${attributes}`);
}
