/** S19: the header of the PROXY protocol, in every form, however it is cut, and read from wherever. */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  parseProxyHeader,
  type ProxyHeader,
  readProxyHeader,
} from "../../src/inbound/proxy_header.ts";
import type { Connection } from "../../src/ports.ts";
import { binaryHeader, IPV4, IPV6, joined, lineHeader, SIGNATURE, value } from "../fakes/proxy.ts";

const v4 = { hostname: IPV4, port: 4711 };
const v6 = { hostname: IPV6, port: 4711 };
const TLV = value(0x02, new TextEncoder().encode("mail.example"));
const MOST = new Uint8Array(4096 - 36);

/** What each says of its client. */
const SOUND: Record<string, [Uint8Array | string, ProxyHeader["source"]]> = {
  "v1 IPv4": [lineHeader(IPV4), v4],
  "v1 IPv6": [lineHeader(IPV6), v6],
  "v1 IPv6 in capitals": [lineHeader("2001:DB8::A"), { hostname: "2001:DB8::A", port: 4711 }],
  "v1 port 0": [lineHeader(IPV4, 0), { ...v4, port: 0 }],
  "v1 port 65535": [lineHeader(IPV4, 65535), { ...v4, port: 65535 }],
  "v1 UNKNOWN": ["PROXY UNKNOWN\r\n", undefined],
  "v1 UNKNOWN with what it knows": [`PROXY UNKNOWN ffff::1 ::1 1 2\r\n`, undefined],
  "v1 as long as can be": [`PROXY UNKNOWN ${"x".repeat(107 - 16)}\r\n`, undefined],
  "v2 IPv4": [binaryHeader(IPV4), v4],
  "v2 IPv6": [binaryHeader(IPV6), v6],
  "v2 mapped": [binaryHeader("::ffff:192.0.2.1"), { ...v4, hostname: "::ffff:c000:201" }],
  "v2 port 65535": [binaryHeader(IPV4, { port: 65535 }), { ...v4, port: 65535 }],
  "v2 IPv4 with values": [binaryHeader(IPV4, { further: TLV }), v4],
  "v2 IPv6 with values": [binaryHeader(IPV6, { further: joined(TLV, TLV, TLV) }), v6],
  "v2 as long as can be": [binaryHeader(IPV6, { further: MOST }), v6],
  "v2 LOCAL": [binaryHeader(undefined, { command: 0 }), undefined],
  "v2 LOCAL with an address": [binaryHeader(IPV4, { command: 0 }), undefined],
  "v2 LOCAL with values": [binaryHeader(undefined, { command: 0, further: TLV }), undefined],
  "v2 of no family": [binaryHeader(undefined), undefined],
  "v2 of no family with values": [binaryHeader(undefined, { further: TLV }), undefined],
};

const NONE: Record<string, Uint8Array | string> = {
  "a hello": "EHLO client.example\r\n",
  "a handshake of TLS": Uint8Array.of(22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3),
  "in small letters": "proxy TCP4 192.0.2.1 127.0.0.1 1 25\r\n",
  "v1 without CR": "PROXY TCP4 192.0.2.1 127.0.0.1 1 25\n",
  "v1 UNKNOWN without CR": "PROXY UNKNOWN\n",
  "v1 with two spaces": "PROXY TCP4  192.0.2.1 127.0.0.1 1 25\r\n",
  "v1 with a space at the end": "PROXY TCP4 192.0.2.1 127.0.0.1 1 25 \r\n",
  "v1 with a word too few": "PROXY TCP4 192.0.2.1 127.0.0.1 1\r\n",
  "v1 with a word too many": "PROXY TCP4 192.0.2.1 127.0.0.1 1 25 25\r\n",
  "v1 over two lines": "PROXY TCP4 192.0.2.1 \r\nx 1 25\r\n",
  "v1 of another protocol": "PROXY UDP4 192.0.2.1 127.0.0.1 1 25\r\n",
  "v1 without an address": "PROXY TCP4\r\n",
  "v1 with a name": "PROXY TCP4 client.example 127.0.0.1 1 25\r\n",
  "v1 with part of an address": "PROXY TCP4 192.0.2 127.0.0.1 1 25\r\n",
  "v1 with an address in octal": "PROXY TCP4 192.0.2.010 127.0.0.1 1 25\r\n",
  "v1 with the address of another family": "PROXY TCP4 ::1 127.0.0.1 1 25\r\n",
  "v1 with the address of the other family": "PROXY TCP6 192.0.2.1 ::1 1 25\r\n",
  "v1 with a zone": "PROXY TCP6 fe80::1%eth0 ::1 1 25\r\n",
  "v1 port 65536": "PROXY TCP4 192.0.2.1 127.0.0.1 65536 25\r\n",
  "v1 port of six digits": "PROXY TCP4 192.0.2.1 127.0.0.1 000001 25\r\n",
  "v1 port below 0": "PROXY TCP4 192.0.2.1 127.0.0.1 -1 25\r\n",
  "v1 port in another base": "PROXY TCP4 192.0.2.1 127.0.0.1 0x19 25\r\n",
  "v1 too long": `PROXY UNKNOWN ${"x".repeat(108 - 16)}\r\n`,
  "v1 too long, without end": `PROXY UNKNOWN ${"x".repeat(107)}`,
  "v2 with a wrong signature": joined(
    SIGNATURE.subarray(0, 11),
    "\r",
    binaryHeader(IPV4).slice(12),
  ),
  "v2 of version 1": binaryHeader(IPV4, { version: 1 }),
  "v2 of version 3": binaryHeader(IPV4, { version: 3 }),
  "v2 of an unknown command": binaryHeader(IPV4, { command: 2 }),
  "v2 over UDP": binaryHeader(IPV4, { kind: 0x12 }),
  "v2 of a socket with a path": joined(binaryHeader(undefined, { kind: 0x31, length: 216 }), MOST),
  "v2 with the address cut off": joined(binaryHeader(IPV4, { length: 11 })),
  "v2 IPv6 with room for IPv4": binaryHeader(IPV4, { kind: 0x21 }),
  "v2 too long": binaryHeader(IPV6, { further: joined(MOST, "x") }),
};

const octetsOf = (header: Uint8Array | string) => joined(header);

for (const [what, [header, source]] of Object.entries(SOUND)) {
  Deno.test(`S19 ${what}: whose connection it is, wherever it is cut`, () => {
    const octets = octetsOf(header);
    const expected = source === undefined
      ? { length: octets.length }
      : { source, length: octets.length };
    for (let end = 0; end < octets.length; end++) {
      assert.equal(parseProxyHeader(octets.subarray(0, end)), undefined, `cut at ${end}`);
    }
    assert.deepEqual(parseProxyHeader(octets), expected);
    assert.deepEqual(parseProxyHeader(joined(octets, "EHLO x\r\nPROXY ")), expected);
    // In the middle of a larger buffer.
    const within = joined("xxx", octets, "xxx").subarray(3, 3 + octets.length);
    assert.deepEqual(parseProxyHeader(within), expected);
  });
}

for (const [what, header] of Object.entries(NONE)) {
  Deno.test(`S19 ${what}: no header, and not before that is certain`, () => {
    const octets = octetsOf(header);
    const parsed = [...octets.keys()].map((i) => parseProxyHeader(octets.subarray(0, i + 1)));
    const first = parsed.indexOf("none");
    assert.ok(first >= 0, "it was taken, or more is waited for");
    assert.ok(parsed.slice(0, first).every((each) => each === undefined));
    assert.ok(parsed.slice(first).every((each) => each === "none"));
  });
}

const words = fc.oneof(
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }) },
  {
    weight: 9,
    arbitrary: fc.constantFrom<Uint8Array | string>(
      "PROXY ",
      "PROXY TCP4 ",
      "PROXY TCP6 ",
      "PROXY UNKNOWN",
      "192.0.2.1 ",
      "::1 ",
      "1 25",
      "\r\n",
      "\r",
      "\n",
      " ",
      SIGNATURE,
      Uint8Array.of(0x20),
      Uint8Array.of(0x21, 0x11, 0, 12),
      Uint8Array.of(0x21, 0x21, 0, 36),
      new Uint8Array(12),
      new Uint8Array(36),
    ),
  },
);
const anything = fc.array(words, { maxLength: 12 }).map((parts) => joined(...parts));

Deno.test("S19 what octets are decided to be, they stay, whatever comes behind them", () => {
  fc.assert(
    fc.property(anything, (octets) => {
      let decided: ProxyHeader | "none" | undefined;
      for (let end = 0; end <= octets.length; end++) {
        const parsed = parseProxyHeader(octets.subarray(0, end));
        if (decided !== undefined) assert.deepEqual(parsed, decided, `${end} octets`);
        decided = parsed;
        if (typeof parsed === "object") assert.ok(parsed.length <= end);
      }
    }),
    { numRuns: 3000 },
  );
});

const addresses = fc.oneof(fc.ipV4(), fc.ipV6());

Deno.test("S19 every address is read as it was written, in both versions", () => {
  fc.assert(
    fc.property(addresses, fc.nat(65535), anything, (address, port, behind) => {
      const line = lineHeader(address, port);
      assert.deepEqual(parseProxyHeader(joined(line, behind)), {
        source: { hostname: address, port },
        length: line.length,
      });
      const binary = binaryHeader(address, { port });
      const header = parseProxyHeader(joined(binary, behind));
      assert.ok(header !== undefined && header !== "none");
      assert.equal(header.length, binary.length);
      assert.equal(header.source!.port, port);
      assert.deepEqual(binaryHeader(header.source!.hostname, { port }), binary);
    }),
  );
});

/** A connection that brings these pieces, one each read, as far as there is room. */
class Pieces implements Connection {
  readonly remoteAddr = { hostname: "127.0.0.1", port: 1 };
  /** The octets of all reads. */
  room = 0;
  #pieces: Uint8Array[];

  constructor(...pieces: Uint8Array[]) {
    this.#pieces = pieces;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    this.room = Math.max(this.room, buffer.length);
    const [piece, ...others] = this.#pieces;
    if (piece === undefined) return Promise.resolve(null);
    const count = Math.min(piece.length, buffer.length);
    buffer.set(piece.subarray(0, count));
    this.#pieces = count < piece.length ? [piece.subarray(count), ...others] : others;
    return Promise.resolve(count);
  }

  write(octets: Uint8Array) {
    return Promise.resolve(octets.length);
  }

  closeWrite() {
    return Promise.resolve();
  }

  close() {}
}

async function all(connection: Connection, room: number): Promise<string> {
  const buffer = new Uint8Array(room);
  let text = "";
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return text;
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
}

for (const what of ["v1 IPv4", "v2 IPv6 with values", "v1 UNKNOWN", "v2 LOCAL"]) {
  Deno.test(`S19 ${what}: what came behind it is read next, wherever both are cut`, async () => {
    const [header, source] = SOUND[what];
    const talk = "EHLO client.example\r\n";
    const octets = joined(header, talk);
    for (let cut = 1; cut < octets.length; cut++) {
      const connection = new Pieces(octets.slice(0, cut), octets.slice(cut));
      const read = await readProxyHeader(connection);
      assert.deepEqual(read?.header.source, source, `cut at ${cut}`);
      assert.equal(await all(read!.behind, cut % 7 + 1), talk, `cut at ${cut}`);
      assert.equal(read!.behind.remoteAddr, connection.remoteAddr);
    }
  });
}

Deno.test("S19 no more is read than the longest header; the rest waits in the socket", async () => {
  const [header] = SOUND["v2 as long as can be"];
  const connection = new Pieces(joined(header, "x".repeat(5000)));
  const read = await readProxyHeader(connection);
  assert.ok(connection.room <= octetsOf(header).length);
  assert.equal((await all(read!.behind, 1000)).length, 5000);
});

Deno.test("S19 a connection that ends, or fails, before the header is whole has none", async () => {
  const header = octetsOf(lineHeader(IPV4));
  assert.equal(await readProxyHeader(new Pieces()), undefined);
  assert.equal(await readProxyHeader(new Pieces(header.slice(0, -1))), undefined);
  assert.equal(await readProxyHeader(new Pieces(joined("EHLO x\r\n"))), undefined);
  const failing = new Pieces();
  failing.read = () => Promise.reject(new Error("reset"));
  assert.equal(await readProxyHeader(failing), undefined);
});
