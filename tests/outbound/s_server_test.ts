/** T4, S27, S28, B18: servers of OpenSSL with TLS from the beginning, and their certificates. */

import assert from "node:assert/strict";
import { outwardTrusting } from "../../src/deno/outward.ts";
import type { Policy } from "../../src/outbound/target.ts";
import { Authority, selfSigned } from "../fakes/certificate.ts";
import { claimOf, outboundTo, outcomes } from "../fakes/outbound.ts";
import { type Proof, SecureServer } from "../fakes/s_server.ts";
import { testWith } from "../fakes/tools.ts";

const DAY = 24 * 60 * 60_000;
const POLICIES = ["verify", "require", "opportunistic"] as const;

/** Gives a message to a server of this proof, as `localhost`; how that went, and what was said. */
async function to(server: SecureServer, policy: Policy, authority: Authority) {
  await using _ = server;
  const outbound = outboundTo(server.port, {
    policy,
    relay: { implicitTls: true },
    world: { outward: outwardTrusting(authority.cert) },
  });
  const [outcome] = await outcomes(outbound, claimOf(["b"]));
  outbound.close();
  return { outcome, heard: await server.heard(), lines: server.lines };
}

testWith(
  "openssl",
  "S27 TLS from the beginning is told with its version and cipher",
  async (openssl) => {
    const authority = await Authority.make();
    const intermediate = await Authority.make(authority);
    const pair = await authority.certify();
    const chain = { ...await intermediate.certify(), between: intermediate.cert };
    const good: [Proof, string[], RegExp][] = [
      [pair, [], /^TLSv1\.3 TLS_/],
      [chain, [], /^TLSv1\.3 TLS_/],
      [pair, ["-tls1_2"], /^TLSv1\.2 TLS_ECDHE_ECDSA_/],
    ];
    for (const [proof, args, expected] of good) {
      for (const policy of POLICIES) {
        const server = await SecureServer.start(openssl, proof, args);
        const { outcome, lines } = await to(server, policy, authority);
        assert.equal(outcome.kind, "delivered", outcome.reply);
        assert.match(`${outcome.tls?.version} ${outcome.tls?.cipher}`, expected);
        assert.equal(outcome.tls?.doubt, undefined);
        assert.equal(lines[0], "EHLO relay.example");
        assert.deepEqual(lines.slice(4, 8), ["Subject: x", "", "x", "."]);
      }
    }
  },
);

testWith(
  "openssl",
  "T4 S28 whoever is not proved hears no octet of SMTP, but where that is wished",
  async (openssl) => {
    const authority = await Authority.make();
    const now = Date.now();
    const bad: Record<string, [proof: Proof, told: RegExp]> = {
      "that has ended": [
        await authority.certify({ from: now - 9 * DAY, until: now - DAY }),
        /certificate has expired: /,
      ],
      "that has not begun": [
        await authority.certify({ from: now + DAY }),
        /certificate is not valid before /,
      ],
      "of another name": [
        await authority.certify({ names: ["other.example"] }),
        /certificate is of another name: DNS:other\.example/,
      ],
      "of its own word": [await selfSigned(), /certificate is self-signed/],
      "of an authority that is not trusted": [
        await (await Authority.make()).certify(),
        /certificate is of an authority that is not trusted/,
      ],
      "without the one between": [
        await (await Authority.make(authority)).certify(),
        /certificate is of an authority that is not trusted/,
      ],
      "for clients only": [
        await authority.certify({ usage: "clientAuth" }),
        /certificate is of an authority that is not trusted, or not for servers/,
      ],
    };
    for (const [what, [proof, told]] of Object.entries(bad)) {
      for (const policy of ["verify", "require"] as const) {
        const server = await SecureServer.start(openssl, proof);
        const { outcome, heard } = await to(server, policy, authority);
        assert.deepEqual([outcome.kind, outcome.status, heard], ["deferred", "4.7.5", ""], what);
        assert.match(outcome.reply, told, what);
      }
      const server = await SecureServer.start(openssl, proof);
      const { outcome, lines } = await to(server, "opportunistic", authority);
      assert.equal(outcome.kind, "delivered", `${what}: ${outcome.reply}`);
      assert.match(outcome.tls!.version, /^TLSv1\.3$/);
      assert.match(outcome.tls!.doubt!, told, what);
      assert.equal(lines[0], "EHLO relay.example");
    }
  },
);

testWith(
  "openssl",
  "S28 a server that knows nothing newer than TLS 1.1 gets no mail",
  async (openssl) => {
    const authority = await Authority.make();
    const pair = await authority.certify({ algorithm: "RSA" });
    const old = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"];
    // There is no way to it in the clear.
    for (const policy of POLICIES) {
      const server = await SecureServer.start(openssl, pair, old);
      const { outcome, heard } = await to(server, policy, authority);
      assert.deepEqual([outcome.kind, outcome.status, heard], ["deferred", "4.7.5", ""]);
      assert.match(outcome.reply, /^no TLS: .*protocol ?version/i);
    }
  },
);
