/**
 * Messages that are kept together, as octets of the journal: with a checksum over all of them,
 * so that what reached the disk only in part is not taken for a batch. Pure.
 */

import type { Disk } from "../ports/files.ts";
import type { Described } from "./commit.ts";

export interface Kept {
  readonly message: Described;
  readonly octets: Uint8Array;
}

/** What stands before the messages of a batch. */
export interface Head {
  /** Of all batches since their file was begun anew. Nobody can guess it. */
  readonly salt: number;
  /** One more than that of the batch before. */
  readonly sequence: number;
  /** When it was kept, by the store's clock. */
  readonly time: number;
}

export interface Beginning extends Head {
  /** Behind its last message, and behind the page of that. */
  readonly end: number;
  readonly length: number;
}

/** A batch begins where a page does: to write one never touches what was kept before. */
export const PAGE = 4096;

/** "DinoMail", as it lies in the file. */
const MAGIC = 0x6c69614d6f6e6944n;
const AT = {
  magic: 0,
  checksum: 8,
  head: 12,
  count: 16,
  salt: 20,
  sequence: 28,
  time: 36,
  end: 44,
};
const HEAD = 52;
/** What the checksums are of begins here: one is of the head, one of that and the messages. */
const CHECKED = AT.count;
const LENGTHS = 8;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One message on its way into a batch. */
export interface Written {
  readonly description: string;
  readonly chunks: readonly Uint8Array[];
  readonly size: number;
  readonly recipients: number;
}

/** With what stands before it; of its description as much as it could be in UTF-8. */
export const mostOf = ({ description, size }: Written): number =>
  LENGTHS + 3 * description.length + size;

export const describe = (message: Described): string => JSON.stringify(message);

/** Octets for batches, used again and again. */
export class BatchWriter {
  #octets = new Uint8Array(64 * 1024);
  readonly #checksum: Disk["checksum"];

  constructor(checksum: Disk["checksum"]) {
    this.#checksum = checksum;
  }

  /** Good until the next is written. */
  write(messages: readonly Written[], { salt, sequence, time }: Head): Uint8Array {
    const most = paged(messages.reduce((sum, message) => sum + mostOf(message), HEAD));
    if (most > this.#octets.length) this.#octets = new Uint8Array(2 * most);
    const octets = this.#octets;
    const view = new DataView(octets.buffer);
    view.setBigUint64(AT.magic, MAGIC, true);
    view.setUint32(AT.count, messages.length, true);
    view.setFloat64(AT.salt, salt, true);
    view.setFloat64(AT.sequence, sequence, true);
    view.setFloat64(AT.time, time, true);
    let at = HEAD;
    for (const { description, chunks, size } of messages) {
      const { written } = encoder.encodeInto(description, octets.subarray(at + LENGTHS));
      view.setUint32(at, written, true);
      view.setUint32(at + 4, size, true);
      at += LENGTHS + written;
      for (const chunk of chunks) {
        octets.set(chunk, at);
        at += chunk.length;
      }
    }
    view.setFloat64(AT.end, at, true);
    view.setUint32(AT.head, this.#checksum(octets.subarray(CHECKED, HEAD)), true);
    const length = paged(at);
    octets.fill(0, at, length);
    view.setUint32(AT.checksum, this.#checksum(octets.subarray(CHECKED, at)), true);
    return octets.subarray(0, length);
  }
}

/** What a batch says of itself that begins here; its messages may not be there. */
export function beginningOf(
  octets: Uint8Array,
  checksum: Disk["checksum"],
): Beginning | undefined {
  if (octets.length < HEAD) return undefined;
  const view = viewOf(octets);
  if (view.getBigUint64(AT.magic, true) !== MAGIC) return undefined;
  if (view.getUint32(AT.head, true) !== checksum(octets.subarray(CHECKED, HEAD))) return undefined;
  return {
    salt: view.getFloat64(AT.salt, true),
    sequence: view.getFloat64(AT.sequence, true),
    time: view.getFloat64(AT.time, true),
    end: view.getFloat64(AT.end, true),
    length: paged(view.getFloat64(AT.end, true)),
  };
}

/** Of a batch that is whole. */
export function headOf(octets: Uint8Array, checksum: Disk["checksum"]): Beginning | undefined {
  const beginning = beginningOf(octets, checksum);
  if (beginning === undefined || octets.length < beginning.length) return undefined;
  const isWhole = viewOf(octets).getUint32(AT.checksum, true) ===
    checksum(octets.subarray(CHECKED, beginning.end));
  return isWhole ? beginning : undefined;
}

/** Of a batch that is whole. */
export function messagesOf(octets: Uint8Array): Kept[] {
  const view = viewOf(octets);
  const messages: Kept[] = [];
  let at = HEAD;
  for (let left = view.getUint32(AT.count, true); left > 0; left--) {
    const from = at + LENGTHS;
    const body = from + view.getUint32(at, true);
    at = body + view.getUint32(at + 4, true);
    messages.push({
      message: JSON.parse(decoder.decode(octets.subarray(from, body))),
      octets: octets.subarray(body, at),
    });
  }
  return messages;
}

const paged = (length: number): number => Math.ceil(length / PAGE) * PAGE;

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength);
