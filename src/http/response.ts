/** A response as octets (RFC 9112 §6, §7.1). */

import { joined } from "../mail/parts.ts";

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  204: "No Content",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  411: "Length Required",
  413: "Content Too Large",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
};

/** Turns of the microtask queue in which a body that is there already gives all of itself. */
const TURNS = 32;

const encoder = new TextEncoder();

/** `more`: fields beside those of the response. */
export function headOf({ status, headers }: Response, more: readonly string[]): Uint8Array {
  let text = `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n`;
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`;
  for (const field of more) text += `${field}\r\n`;
  return encoder.encode(`${text}connection: close\r\n\r\n`);
}

export function chunk(octets: Uint8Array): Uint8Array {
  const size = encoder.encode(`${octets.length.toString(16)}\r\n`);
  return joined([size, octets, encoder.encode("\r\n")]);
}

export const LAST_CHUNK: Uint8Array = encoder.encode("0\r\n\r\n");

type Reading = Promise<ReadableStreamReadResult<Uint8Array>>;

/** What there is of a body at once; `next`: what comes behind it, where that was not all. */
export async function gathered(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<{ readonly octets: Uint8Array; readonly next: Reading | undefined }> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const next = reader.read();
    const read = await Promise.race([next, afterTurns()]);
    if (read === undefined || read.done) {
      return { octets: joined(parts), next: read === undefined ? next : undefined };
    }
    parts.push(read.value);
  }
}

async function afterTurns(): Promise<undefined> {
  for (let turn = 0; turn < TURNS; turn++) await undefined;
}
