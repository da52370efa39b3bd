/** A connection on loopback with TLS over it, both ends in the hands of a test. */

import { net } from "../../src/deno/net.ts";
import type { Connection } from "../../src/ports.ts";
import type { SecureConnection } from "../../src/ports/tls.ts";
import { certified, sourceOf } from "./certificate.ts";

/** Both ends of a connection; `closed` says whether ours was. */
export class Pair implements Disposable {
  closed = false;
  /** Octets that were read from beneath. */
  taken = 0;
  readonly ours: Connection;
  readonly #accepted: Connection;

  private constructor(accepted: Connection, readonly theirs: Deno.TcpConn) {
    this.#accepted = accepted;
    this.ours = {
      remoteAddr: accepted.remoteAddr,
      read: async (buffer) => {
        const count = await accepted.read(buffer);
        this.taken += count ?? 0;
        return count;
      },
      write: (octets) => accepted.write(octets),
      closeWrite: () => accepted.closeWrite(),
      close: () => {
        this.closed = true;
        accepted.close();
      },
    };
  }

  static async open(): Promise<Pair> {
    const listener = net.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      const connecting = Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
      const accepted = await listener.accept();
      const theirs = await connecting;
      theirs.setNoDelay(true);
      return new Pair(accepted, theirs);
    } finally {
      listener.close();
    }
  }

  async accept(): Promise<SecureConnection> {
    const { pair } = await certified();
    return await (await sourceOf(pair).context()).accept(this.ours);
  }

  async handshake(): Promise<{ server: SecureConnection; client: Deno.TlsConn }> {
    const { ca } = await certified();
    const accepting = this.accept();
    const client = await Deno.startTls(this.theirs, { hostname: "localhost", caCerts: [ca] });
    await client.handshake();
    return { server: await accepting, client };
  }

  [Symbol.dispose](): void {
    for (const end of [this.theirs, this.#accepted]) {
      try {
        end.close();
      } catch {
        // Closed before, or become part of a connection over TLS.
      }
    }
  }
}

/** The first octets that a client says, and that it would go on with. */
export async function clientHello(): Promise<Uint8Array> {
  using pair = await Pair.open();
  const { ca } = await certified();
  const client = await Deno.startTls(pair.theirs, { hostname: "localhost", caCerts: [ca] });
  const shaken = client.handshake().catch(() => {});
  const buffer = new Uint8Array(4096);
  const count = await pair.ours.read(buffer);
  client.close();
  await shaken;
  return buffer.subarray(0, count!);
}

export async function readAll(
  connection: Pick<Connection, "read">,
  room: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const buffer = new Uint8Array(room);
    const count = await connection.read(buffer);
    if (count === null) break;
    chunks.push(buffer.subarray(0, count));
  }
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

export async function writeAll(connection: Pick<Connection, "write">, octets: Uint8Array) {
  let left = octets;
  while (left.length > 0) left = left.subarray(await connection.write(left));
}

/** Octets of which no two stretches are alike. */
export function noise(length: number): Uint8Array {
  const octets = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < octets.length; i++) octets[i] = Math.imul(i, 2654435761);
  return new Uint8Array(octets.buffer, 0, length);
}
