/** A name server on loopback that answers as it is told, over UDP and over TCP. */

import { Buffer } from "node:buffer";
import dnsPacket from "dns-packet";

// deno-lint-ignore no-explicit-any -- the package has no types
const { encode, decode } = dnsPacket as any;

export type Told =
  | {
    readonly mx?: readonly (readonly [number, string])[];
    readonly a?: readonly string[];
    /** Cut into strings that are short enough. */
    readonly txt?: readonly string[];
  }
  /** A code of an answer without records. */
  | "NXDOMAIN"
  | "SERVFAIL"
  | "REFUSED"
  /** No answer at all. */
  | "silent"
  /** It says who knows, and nothing else. */
  | "refers"
  /** Cut over UDP, and then so over TCP. */
  | { readonly cut: "NXDOMAIN" | "SERVFAIL" };

const CODES = { NXDOMAIN: 3, SERVFAIL: 2, REFUSED: 5 };
const CUT = 0x200;

export class NameServer implements AsyncDisposable {
  readonly port: number;
  readonly #zone: Readonly<Record<string, Told>>;
  readonly #udp: Deno.DatagramConn;
  readonly #tcp: Deno.TcpListener;
  readonly #serving: Promise<unknown>;
  overTcp = 0;

  constructor(zone: Readonly<Record<string, Told>>) {
    this.#zone = zone;
    this.#tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#tcp.addr.port;
    this.#udp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: this.port });
    this.#serving = Promise.all([this.#serveUdp(), this.#serveTcp()]);
  }

  get servers() {
    return [{ host: "127.0.0.1", port: this.port }];
  }

  async #serveUdp(): Promise<void> {
    for await (const [octets, from] of this.#udp) {
      const answer = this.#answer(octets, true);
      if (answer === undefined) continue;
      // Somebody else's comes first, and lies: it must be passed over.
      const { id, questions } = decode(Buffer.from(octets));
      const lie = { type: "response", id: id ^ 1, flags: 0x180 | CODES.NXDOMAIN, questions };
      await this.#udp.send(new Uint8Array(encode(lie)), from);
      await this.#udp.send(answer, from);
    }
  }

  async #serveTcp(): Promise<void> {
    for await (const connection of this.#tcp) {
      this.overTcp++;
      const buffer = new Uint8Array(4096);
      const count = await connection.read(buffer);
      const answer = this.#answer(buffer.subarray(2, count ?? 2), false);
      if (answer !== undefined) {
        const framed = new Uint8Array(answer.length + 2);
        new DataView(framed.buffer).setUint16(0, answer.length);
        framed.set(answer, 2);
        await connection.write(framed);
      }
      connection.close();
    }
  }

  #answer(octets: Uint8Array, isUdp: boolean): Uint8Array<ArrayBuffer> | undefined {
    const { id, questions } = decode(Buffer.from(octets));
    const [{ name, type }] = questions;
    let told = this.#zone[name.toLowerCase()] ?? "NXDOMAIN";
    let flags = 0x180;
    if (told === "silent") return undefined;
    if (typeof told === "object" && "cut" in told) {
      if (isUdp) flags |= CUT;
      told = isUdp ? {} : told.cut;
    }
    if (told === "refers") {
      const authorities = [{ name, type: "NS", ttl: 60, data: "ns.example" }];
      return new Uint8Array(encode({ type: "response", id, flags, questions, authorities }));
    }
    if (typeof told === "string") {
      return new Uint8Array(
        encode({ type: "response", id, flags: flags | CODES[told], questions, answers: [] }),
      );
    }
    const answers = type === "MX"
      ? (told.mx ?? []).map(([preference, exchange]) => ({
        name,
        type,
        ttl: 60,
        data: { preference, exchange },
      }))
      : type === "A"
      ? (told.a ?? []).map((data) => ({ name, type, ttl: 60, data }))
      : type === "TXT"
      ? (told.txt ?? []).map((text) => ({
        name,
        type,
        ttl: 60,
        data: text.match(/.{1,255}/g)!.map((part) => Buffer.from(part)),
      }))
      : [];
    return new Uint8Array(encode({ type: "response", id, flags, questions, answers }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#udp.close();
    this.#tcp.close();
    await this.#serving.catch(() => {});
  }
}
