/** TLS over connections of this runtime, for whichever side. */

import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Connection } from "../ports.ts";
import { HandshakeError, type SecureConnection, type Secured } from "../ports/tls.ts";

/** Octets that one read of the connection beneath may bring: of talk, and of messages. */
const SMALL = 8 * 1024, LARGE = 64 * 1024;
/** While as much has come and was not read, no more is fetched. */
const MOST_UNREAD = 128 * 1024;

/**
 * Lays a socket of TLS over the connection, and waits for the handshake, which `event` ends.
 * Rejects with a HandshakeError, the connection closed; closing the connection ends the wait.
 */
export function shakeHands(
  connection: Connection,
  event: "secure" | "secureConnect",
  lay: (beneath: Duplex) => TLSSocket,
): Promise<{ secure: Secure; socket: TLSSocket }> {
  const gate = new Gate();
  const beneath = streamOf(connection, gate);
  const socket = lay(beneath);
  return new Promise((resolve, reject) => {
    const failed = (error?: Error) => {
      socket.destroy();
      beneath.destroy();
      reject(new HandshakeError(error?.message ?? "the other side ended it"));
    };
    // They stay for good: an error that nobody hears of ends the process.
    socket.on("error", failed);
    beneath.on("error", failed);
    socket.once("close", failed);
    // Of an end in the middle of its handshake, the socket says nothing.
    beneath.once("end", failed);
    socket.once(event, () => {
      socket.removeListener("close", failed);
      beneath.removeListener("end", failed);
      resolve({ secure: new Secure(connection, socket, beneath, gate), socket });
    });
  });
}

/** The connection as a stream that a socket of TLS can be laid over. */
function streamOf(connection: Connection, gate: Gate): Duplex {
  let buffer = new Uint8Array(SMALL);
  const took = (count: number | null) => {
    const octets = buffer;
    if (count === SMALL && buffer.length === SMALL) buffer = new Uint8Array(LARGE);
    stream.push(count === null ? null : Buffer.from(octets.buffer, 0, count));
    // Mostly they are taken at once, and need no memory of their own.
    if (octets === buffer && stream.readableLength > 0) buffer = new Uint8Array(buffer.length);
  };
  const stream: Duplex = new Duplex({
    readableHighWaterMark: LARGE,
    read() {
      gate.pass(() => {
        connection.read(buffer).then(took, (error) => stream.destroy(error));
      });
    },
    write(octets: Uint8Array, _encoding, done) {
      writeAll(connection, octets).then(() => done(), done);
    },
    final(done) {
      connection.closeWrite().then(() => done(), () => done());
    },
    destroy(error, done) {
      try {
        connection.close();
      } catch {
        // It is closed already.
      }
      done(error);
    },
  });
  return stream;
}

async function writeAll(connection: Connection, octets: Uint8Array): Promise<void> {
  while (octets.length > 0) octets = octets.subarray(await connection.write(octets));
}

class Secure implements SecureConnection {
  readonly remoteAddr;
  readonly secured: Secured;
  readonly #socket: TLSSocket;
  readonly #beneath: Duplex;
  readonly #gate: Gate;
  /** What has come and was not read. */
  readonly #come: Uint8Array<ArrayBuffer>[] = [];
  #length = 0;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(connection: Connection, socket: TLSSocket, beneath: Duplex, gate: Gate) {
    this.remoteAddr = connection.remoteAddr;
    this.#socket = socket;
    this.#beneath = beneath;
    this.#gate = gate;
    const { standardName, name } = socket.getCipher();
    this.secured = { version: socket.getProtocol() ?? "TLS", cipher: standardName ?? name };
    socket.on("data", (octets: Uint8Array<ArrayBuffer>) => this.#keep(octets));
    const end = (error?: Error) => {
      this.#ended = true;
      if (error instanceof Error) this.#failure ??= error;
      this.#wake?.();
    };
    socket.on("end", () => end()).on("close", () => end()).on("error", end);
    beneath.on("error", end);
  }

  #keep(octets: Uint8Array<ArrayBuffer>): void {
    this.#come.push(octets);
    this.#length += octets.length;
    // The socket takes whatever comes, wanted or not: pausing it keeps nothing back.
    if (this.#length >= MOST_UNREAD) this.#gate.shut();
    this.#wake?.();
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    const octets = await this.take();
    if (octets === null) return null;
    const count = Math.min(octets.length, buffer.length);
    buffer.set(octets.subarray(0, count));
    if (count < octets.length) this.#putBack(octets.subarray(count));
    return count;
  }

  /** The runtime has made each piece anew: nobody else looks at it. */
  async take(): Promise<Uint8Array<ArrayBuffer> | null> {
    while (this.#come.length === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const octets = this.#come.shift()!;
    this.#length -= octets.length;
    if (this.#length < MOST_UNREAD) this.#gate.open();
    return octets;
  }

  #putBack(octets: Uint8Array<ArrayBuffer>): void {
    this.#come.unshift(octets);
    this.#length += octets.length;
  }

  write(octets: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) =>
      // Writing nothing is a failure to the socket; here it is a turn for what is on its way.
      octets.length === 0
        ? setTimeout(resolve, 0, 0)
        : this.#socket.write(octets, (error) => error ? reject(error) : resolve(octets.length))
    );
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(resolve));
  }

  close(): void {
    this.#socket.destroy();
    this.#beneath.destroy();
  }
}

/** Keeps reads waiting while it is shut. */
class Gate {
  #isShut = false;
  #waiting: (() => void) | undefined;

  pass(read: () => void): void {
    if (this.#isShut) this.#waiting = read;
    else read();
  }

  shut(): void {
    this.#isShut = true;
  }

  open(): void {
    this.#isShut = false;
    const read = this.#waiting;
    this.#waiting = undefined;
    read?.();
  }
}
