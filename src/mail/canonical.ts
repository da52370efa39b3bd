/**
 * The form in which a header and a body are signed: `relaxed` of RFC 6376 §3.4.2 and §3.4.4. What
 * servers on the way may change without harm, white space and empty lines at the end, is made one.
 *
 * Promises: the same body gives the same octets however it is cut; memory is bounded whatever it
 * holds; a stretch that is canonical already is passed on without a copy.
 *
 * Nothing here fails. Lines end with CRLF; a bare CR or LF is an octet like any other.
 */

const TAB = 9, LF = 10, CR = 13, SPACE = 32, COLON = 58;

const BLANK = new Uint8Array([SPACE]);
const CRS = new Uint8Array([CR]);
const CRLFS = new Uint8Array(4096).map((_, i) => i % 2 === 0 ? CR : LF);

const isWhite = (octet: number) => octet === SPACE || octet === TAB;

/** A field of a header, with its name, folded or not (RFC 6376 §3.4.2). It ends with CRLF. */
export function relaxedField(field: Uint8Array): Uint8Array<ArrayBuffer> {
  const colon = field.indexOf(COLON);
  const out = new Uint8Array(field.length + 2);
  // No name: then it is no field, and nothing of it counts as one.
  let used = 0;
  for (let at = 0; at < colon; at++) {
    const octet = field[at];
    if (isWhite(octet) || octet === CR || octet === LF) continue;
    out[used++] = octet >= 65 && octet <= 90 ? octet | 0x20 : octet;
  }
  out[used++] = COLON;
  const start = used;
  let isBehindSpace = false;
  for (let at = colon + 1; at < field.length; at++) {
    const octet = field[at];
    if (octet === CR && field[at + 1] === LF) at++;
    else if (isWhite(octet)) isBehindSpace = true;
    else {
      if (isBehindSpace && used > start) out[used++] = SPACE;
      isBehindSpace = false;
      out[used++] = octet;
    }
  }
  out[used++] = CR;
  out[used++] = LF;
  return out.subarray(0, used);
}

/** So much is gathered before it is passed on. */
const ROOM = 8 * 1024;
/** More than so much is passed on as it stands. */
const SHORT = 1024;

/**
 * A body, as it comes. What is yielded holds until the next is asked for: its memory may be used
 * again then.
 */
export class RelaxedBody {
  /** Line ends that came last. They count only where something follows. */
  #lines = 0;
  /** White space came last, and, before or without it, a CR: what they are depends on the next. */
  #space = false;
  #cr = false;
  #isEmpty = true;
  /** Short stretches, gathered: each hash of a few octets would cost as much as of a thousand. */
  #room = CRS.subarray(0, 0);
  #used = 0;

  *push(chunk: Uint8Array): Generator<Uint8Array, void> {
    const end = chunk.length;
    if (end === 0) return;
    let at = 0;
    if (this.#cr) {
      this.#cr = false;
      if (chunk[0] === LF) {
        at = 1;
        this.#space = false;
        this.#lines++;
      } else {
        if (this.#space) yield* this.#put(BLANK, 0, 1);
        this.#space = false;
        yield* this.#put(CRS, 0, 1);
      }
    }
    for (let from = at; at < end; from = at) {
      if (this.#space) {
        while (at < end && isWhite(chunk[at])) at++;
        if (at === end) return;
        if (chunk[at] === CR && at + 1 === end) {
          this.#cr = true;
          return;
        }
        this.#space = false;
        const isLineEnd = chunk[at] === CR && chunk[at + 1] === LF;
        from = at;
        // One that stands there already goes on with what is behind it.
        if (!isLineEnd && at > 0 && chunk[at - 1] === SPACE) from--;
        else if (!isLineEnd && !this.#gathers(BLANK, 0, 1)) yield* this.#put(BLANK, 0, 1);
      }
      at = endOfPlain(chunk, at);
      if (!this.#gathers(chunk, from, at)) yield* this.#put(chunk, from, at);
      if (at === end) return;
      if (chunk[at] === CR) this.#cr = true;
      else this.#space = true;
      at++;
    }
  }

  /** What is left. */
  *end(): Generator<Uint8Array, void> {
    if (this.#cr) {
      if (this.#space) yield* this.#put(BLANK, 0, 1);
      yield* this.#put(CRS, 0, 1);
    }
    // White space without a line end goes too: whoever sends the message on will end that line.
    if (!this.#isEmpty) {
      this.#lines = 1;
      yield* this.#putLines();
    }
    if (this.#used > 0) yield this.#gathered();
  }

  /** Whether a stretch was short, and there was room for it. */
  #gathers(octets: Uint8Array, from: number, to: number): boolean {
    if (to - from > SHORT || this.#used + to - from + 2 * this.#lines > this.#room.length) {
      return false;
    }
    const end = withoutLineEnds(octets, from, to);
    if (end > from) {
      const room = this.#room;
      let used = this.#used;
      for (; this.#lines > 0; this.#lines--) {
        room[used++] = CR;
        room[used++] = LF;
      }
      for (let at = from; at < end; at++) room[used++] = octets[at];
      this.#used = used;
      this.#isEmpty = false;
    }
    this.#lines += (to - end) >> 1;
    return true;
  }

  *#put(octets: Uint8Array, from: number, to: number): Generator<Uint8Array, void> {
    const end = withoutLineEnds(octets, from, to);
    const lines = (to - end) >> 1;
    if (end > from) {
      if (this.#lines > 0) yield* this.#putLines();
      if (this.#used > 0) yield this.#gathered();
      if (end - from > SHORT) yield octets.subarray(from, end);
      else {
        if (this.#room.length === 0) this.#room = new Uint8Array(ROOM);
        this.#room.set(octets.subarray(from, end));
        this.#used = end - from;
      }
      this.#isEmpty = false;
    }
    this.#lines += lines;
  }

  *#putLines(): Generator<Uint8Array, void> {
    if (this.#used > 0) yield this.#gathered();
    for (let left = 2 * this.#lines; left > 0; left -= CRLFS.length) {
      yield CRLFS.subarray(0, Math.min(left, CRLFS.length));
    }
    this.#lines = 0;
  }

  #gathered(): Uint8Array {
    const octets = this.#room.subarray(0, this.#used);
    this.#used = 0;
    return octets;
  }
}

/** The index of the next octet that may have to change, or to go, or is a CR before who knows what. */
function endOfPlain(chunk: Uint8Array, from: number): number {
  const last = chunk.length - 1;
  let at = from;
  while (at < last) {
    const octet = chunk[at];
    if (octet > SPACE) at++;
    else if (octet === SPACE) {
      if (chunk[at + 1] <= SPACE) return at;
      at += 2;
    } else if (octet === TAB) return at;
    else at++;
  }
  if (at > last) return at;
  const octet = chunk[last];
  return octet === CR || isWhite(octet) ? last : last + 1;
}

function withoutLineEnds(octets: Uint8Array, from: number, to: number): number {
  while (to - 2 >= from && octets[to - 1] === LF && octets[to - 2] === CR) to -= 2;
  return to;
}
