/** Certificates and handshakes: what is refused, and what is left when nothing comes of one. */

import assert from "node:assert/strict";
import { tls } from "../../src/deno/tls.ts";
import { CertificateError, HandshakeError } from "../../src/ports/tls.ts";
import { Authority } from "../fakes/certificate.ts";
import { runToEnd } from "../fakes/daemon.ts";
import { settled } from "../fakes/settled.ts";
import { clientHello, Pair } from "../fakes/tls_pair.ts";
import { testWith } from "../fakes/tools.ts";

Deno.test("what was agreed on is told by its registered names", async () => {
  using pair = await Pair.open();
  const { server, client } = await pair.handshake();
  assert.equal(server.secured.version, "TLSv1.3");
  assert.match(server.secured.cipher, /^TLS_[A-Z0-9_]+$/);
  assert.deepEqual(server.remoteAddr, pair.ours.remoteAddr);
  server.close();
  client.close();
});

const hello = await clientHello();
const aborted: [string, (theirs: Deno.TcpConn) => Promise<unknown>][] = [
  ["goes at once", () => Promise.resolve()],
  ["says something else", (theirs) => theirs.write(new TextEncoder().encode("EHLO x\r\n"))],
  ["goes in the middle of its hello", (theirs) => theirs.write(hello.subarray(0, 100))],
  ["goes behind its hello", (theirs) => theirs.write(hello)],
];

for (const [what, say] of aborted) {
  Deno.test(`a client that ${what}: HandshakeError, and the connection is closed`, async () => {
    using pair = await Pair.open();
    const accepted = assert.rejects(pair.accept(), HandshakeError);
    await say(pair.theirs);
    await pair.theirs.closeWrite();
    await accepted;
    assert.ok(pair.closed);
  });
}

Deno.test("a handshake ends when the connection beneath is closed", async () => {
  using pair = await Pair.open();
  const accepted = assert.rejects(pair.accept(), HandshakeError);
  await pair.theirs.write(hello.subarray(0, 100));
  await settled();
  pair.ours.close();
  await accepted;
});

Deno.test("a client that does not trust the certificate: HandshakeError with its reason", async () => {
  using pair = await Pair.open();
  const accepting = pair.accept();
  const failed = assert.rejects(accepting, (error: Error) => {
    assert.ok(error instanceof HandshakeError);
    return /unknown ?ca|certificate/i.test(error.message);
  });
  const other = await Authority.make();
  const client = await Deno.startTls(pair.theirs, { hostname: "localhost", caCerts: [other.cert] });
  await assert.rejects(client.handshake());
  client.close();
  await failed;
  assert.ok(pair.closed);
});

Deno.test("a context says when its certificate ends, also of one that has ended", async () => {
  const authority = await Authority.make();
  const until = Date.UTC(2024, 1, 3, 4, 5, 6);
  const pair = await authority.certify({ from: Date.UTC(2024, 0, 1), until });
  assert.equal(tls.context(pair).ends, until);
});

Deno.test("the chain goes to the client, whatever else stands in the file", async () => {
  const root = await Authority.make(), between = await Authority.make(root);
  const { cert, key } = await between.certify();
  for (
    const file of [
      `${cert}\n${between.cert}\n`,
      `subject=CN = localhost\r\n${cert.replaceAll("\n", "\r\n")}\r\n${between.cert}`,
      `\ufeff${key}\n${cert}\n${between.cert}\n`,
    ]
  ) {
    using pair = await Pair.open();
    const accepting = tls.context({ cert: file, key }).accept(pair.ours);
    const trust = { hostname: "localhost", caCerts: [root.cert] };
    const client = await Deno.startTls(pair.theirs, trust);
    await client.handshake();
    (await accepting).close();
    client.close();
  }
});

function reasonAgainst(cert: string, key: string): string | undefined {
  try {
    tls.context({ cert, key });
    return undefined;
  } catch (error) {
    assert.ok(error instanceof CertificateError, String(error));
    return error.message;
  }
}

Deno.test("a pair that cannot serve: CertificateError that says which of both, and why", async () => {
  const authority = await Authority.make();
  const one = await authority.certify(), other = await authority.certify({ algorithm: "RSA" });
  const noCertificate = "the certificate is no PEM certificate";
  const noChain = "one certificate of the chain is no PEM certificate";
  const noKey = "the key is no PEM private key without a passphrase";
  const stranger = "the key does not belong to the certificate";
  const half = (text: string) => text.slice(0, text.length >> 1);
  for (
    const [cert, key, reason] of [
      [one.cert, one.key, undefined],
      [other.cert, other.key, undefined],
      ["", one.key, noCertificate],
      [one.key, one.key, noCertificate],
      [half(one.cert), one.key, noCertificate],
      [one.cert, "", noKey],
      [one.cert, one.cert, noKey],
      [one.cert, half(one.key), noKey],
      [one.cert, other.key, stranger],
      [other.cert, one.key, stranger],
      // Of a chain, the first serves.
      [`${one.cert}\n${authority.cert}`, one.key, undefined],
      [`${authority.cert}\n${one.cert}`, one.key, stranger],
      [`${one.cert}\n${half(authority.cert)}`, one.key, noChain],
      [`${one.cert}\n-----BEGIN CERTIFICATE-----\n`, one.key, noChain],
    ] as const
  ) assert.equal(reasonAgainst(cert, key), reason);
});

for (
  const [what, args] of [
    ["secp256k1", ["ecparam", "-genkey", "-name", "secp256k1", "-noout"]],
    ["RSA of 1024 bits", ["genrsa", "1024"]],
  ] as const
) {
  testWith("openssl", `a key of a kind that cannot serve is told of: ${what}`, async (openssl) => {
    const folder = await Deno.makeTempDir();
    try {
      const key = (await runToEnd([openssl, ...args])).stdout;
      await Deno.writeTextFile(`${folder}/key.pem`, key);
      const subject = ["-key", `${folder}/key.pem`, "-subj", "/CN=localhost"];
      const cert = (await runToEnd([openssl, "req", "-x509", ...subject])).stdout;
      assert.match(reasonAgainst(cert, key) ?? "", /^keys of kind secp256k1|key too small/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
