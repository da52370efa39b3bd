/**
 * TLS as a server, over connections of this runtime: its own `startTls` is for clients only.
 *
 * Promises: whatever the handshake comes to, the connection beneath is closed with the secure
 * one, or before it; no failure of either is thrown where nobody waits for it.
 */

import { Buffer } from "node:buffer";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { Duplex } from "node:stream";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import type { Connection } from "../ports.ts";
import {
  CertificateError,
  HandshakeError,
  type KeyPair,
  type SecureConnection,
  type Secured,
  type Tls,
} from "../ports/tls.ts";

export const tls: Tls = {
  context(pair) {
    const secureContext = contextOf(pair);
    const { validTo } = new X509Certificate(pair.cert);
    return {
      ends: Date.parse(validTo),
      accept: (connection) => accept(connection, secureContext),
    };
  },
};

function contextOf({ cert, key }: KeyPair): SecureContext {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch {
    throw new CertificateError("the certificate is no PEM certificate");
  }
  try {
    if (certificate.checkPrivateKey(createPrivateKey(key))) {
      return createSecureContext({ cert, key, minVersion: "TLSv1.2" });
    }
  } catch {
    throw new CertificateError("the key is no PEM private key without a passphrase");
  }
  throw new CertificateError("the key does not belong to the certificate");
}

/** Octets that one read of the connection beneath may bring. */
const ROOM = 64 * 1024;

function accept(connection: Connection, secureContext: SecureContext): Promise<SecureConnection> {
  const beneath = streamOf(connection);
  // What is not in the types: a server's side, over any stream.
  const options = { isServer: true, secureContext } as ConstructorParameters<typeof TLSSocket>[1];
  const socket = new TLSSocket(beneath as never, options);
  return new Promise((resolve, reject) => {
    const failed = (error?: Error) => {
      socket.destroy();
      beneath.destroy();
      reject(new HandshakeError(error?.message ?? "the client ended it"));
    };
    // They stay for good: an error that nobody hears of ends the process.
    socket.on("error", failed);
    beneath.on("error", failed);
    socket.once("close", failed);
    socket.once("secure", () => {
      socket.removeListener("close", failed);
      resolve(new Secure(connection, socket, beneath));
    });
  });
}

/** The connection as a stream that a socket of TLS can be laid over. */
function streamOf(connection: Connection): Duplex {
  const buffer = new Uint8Array(ROOM);
  const stream: Duplex = new Duplex({
    read() {
      connection.read(buffer).then(
        (count) => stream.push(count === null ? null : Buffer.from(buffer.subarray(0, count))),
        (error) => stream.destroy(error),
      );
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
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(connection: Connection, socket: TLSSocket, beneath: Duplex) {
    this.remoteAddr = connection.remoteAddr;
    this.#socket = socket;
    this.#beneath = beneath;
    const { standardName, name } = socket.getCipher();
    this.secured = {
      version: socket.getProtocol() ?? "TLS",
      cipher: standardName ?? name,
    };
    const wake = () => this.#wake?.();
    socket.on("readable", wake).on("end", wake).on("close", wake);
    const fail = (error: Error) => {
      this.#failure ??= error;
      wake();
    };
    socket.on("error", fail);
    beneath.on("error", fail);
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    const socket = this.#socket;
    for (;;) {
      if (socket.readableLength > 0) {
        const octets = socket.read(Math.min(buffer.length, socket.readableLength)) as Buffer;
        buffer.set(octets);
        return octets.length;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (socket.readableEnded || socket.destroyed) return null;
      const woken = new Promise<void>((resolve) => this.#wake = resolve);
      // Nothing is there: it lets the stream look for more.
      if (socket.read(0) === null) await woken;
    }
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
