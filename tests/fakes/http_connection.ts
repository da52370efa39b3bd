/** A connection of which a test says what comes, in which pieces, and when it breaks. */

import type { Connection } from "../../src/ports.ts";

export interface Script {
  /** What the client sends; then it says nothing more. */
  readonly pieces: readonly string[];
  /** Then it closes its side. */
  readonly ends?: boolean;
  /** Octets that can be written; then the client has gone. */
  readonly room?: number;
}

export class ScriptedConnection implements Connection {
  readonly remoteAddr = { hostname: "127.0.0.1", port: 4711 };
  /** What was written, a character for each octet. */
  written = "";
  closed = false;
  readonly #pieces: string[];
  readonly #ends: boolean;
  readonly #closed = Promise.withResolvers<never>();
  #room: number;

  constructor({ pieces, ends = false, room = Infinity }: Script) {
    this.#pieces = pieces.filter((piece) => piece !== "");
    this.#ends = ends;
    this.#room = room;
    this.#closed.promise.catch(() => {});
  }

  /** No more than was sent in one piece, as from a socket. */
  async read(buffer: Uint8Array): Promise<number | null> {
    await Promise.resolve();
    if (this.closed) throw new Error("closed");
    const piece = this.#pieces.shift();
    if (piece === undefined) return this.#ends ? null : await this.#closed.promise;
    const now = piece.slice(0, buffer.length);
    if (now.length < piece.length) this.#pieces.unshift(piece.slice(now.length));
    for (let i = 0; i < now.length; i++) buffer[i] = now.charCodeAt(i);
    return now.length;
  }

  async write(octets: Uint8Array): Promise<number> {
    await Promise.resolve();
    if (this.closed || this.#room <= 0) throw new Error("gone");
    const some = octets.subarray(0, Math.min(octets.length, this.#room));
    this.#room -= some.length;
    this.written += Array.from(some, (octet) => String.fromCharCode(octet)).join("");
    return some.length;
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    if (this.closed) throw new Error("closed before");
    this.closed = true;
    this.#closed.reject(new Error("closed"));
  }
}
