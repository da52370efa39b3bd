/** Buffers that go from a conversation that is over to the next. */

const SIZE = 8 * 1024;
/** As many are kept when nobody has them. */
const MOST = 64;

const free: Uint8Array<ArrayBuffer>[] = [];

export function takeBuffer(): Uint8Array<ArrayBuffer> {
  return free.pop() ?? new Uint8Array(SIZE);
}

/** No read into it is under way: it would end up in the hands of another. */
export function giveBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  if (isSmall(buffer) && free.length < MOST) free.push(buffer);
}

export const isSmall = ({ length }: Uint8Array): boolean => length === SIZE;
