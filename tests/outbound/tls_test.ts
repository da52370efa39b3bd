/** T3, T4, S28, B18: whom mail is given to, and how protected. */

import assert from "node:assert/strict";
import { outwardTrusting } from "../../src/deno/outward.ts";
import { world } from "../../src/deno/world.ts";
import { Authentication } from "../../src/inbound/authentication.ts";
import type { ServerOptions } from "../../src/inbound/options.ts";
import type { Policy } from "../../src/outbound/target.ts";
import { Authority, certified, sourceOf } from "../fakes/certificate.ts";
import { claimOf, deliver, outboundTo, outcomes, type Way } from "../fakes/outbound.ts";
import { Remote } from "../fakes/remote.ts";
import { TestServer } from "../fakes/server.ts";

const DAY = 24 * 60 * 60_000;

/** Delivers to a server as `localhost` that has this certificate; how, and what it took. */
async function to(
  options: Partial<ServerOptions>,
  ca: string,
  policy: Policy,
  relay: Way["relay"] = {},
) {
  await using server = new TestServer(options);
  const trusting = { outward: outwardTrusting(ca) };
  const { port } = relay.implicitTls ? server.server.tlsAddresses[0] : server.server.address;
  const outbound = outboundTo(port, { policy, relay, world: trusting });
  const [outcome] = await outcomes(outbound, claimOf(["b"]));
  outbound.close();
  return { outcome, client: server.messages[0]?.client, taken: server.messages.length };
}

Deno.test("S27 TLS is used where it is offered, and told with the attempt", async () => {
  const { ca, pair } = await certified();
  for (const policy of ["verify", "require", "opportunistic"] as const) {
    const { outcome, client } = await to({ tls: sourceOf(pair) }, ca, policy);
    assert.equal(outcome.kind, "delivered");
    assert.equal(client?.tls?.version, "TLSv1.3");
    assert.deepEqual(outcome.tls, { ...client!.tls!, doubt: undefined });
  }
  const { outcome, client } = await to({ tls: sourceOf(pair) }, ca, "none");
  assert.deepEqual([outcome.kind, outcome.tls, client?.tls], ["delivered", undefined, undefined]);
});

Deno.test("T4 S28 a certificate that is not valid is never accepted, but where that is wished", async () => {
  const authority = await Authority.make();
  const now = Date.now();
  const bad = {
    "of another name": [authority.cert, await authority.certify({ names: ["other.example"] })],
    "that has ended": [
      authority.cert,
      await authority.certify({ from: now - 9 * DAY, until: now - DAY }),
    ],
    "of an authority that is not trusted": [
      (await Authority.make()).cert,
      (await certified()).pair,
    ],
  } as const;
  for (const [what, [ca, pair]] of Object.entries(bad)) {
    // The address is no name of the second: a name is asked for.
    for (const policy of ["verify", "require"] as const) {
      const { outcome, taken } = await to({ tls: sourceOf(pair) }, ca, policy);
      assert.deepEqual([outcome.kind, outcome.status, taken], ["deferred", "4.7.5", 0], what);
      assert.match(outcome.reply, /^no TLS: \S/);
    }
    const { outcome, client } = await to({ tls: sourceOf(pair) }, ca, "opportunistic");
    assert.equal(outcome.kind, "delivered", what);
    assert.equal(client?.tls?.version, "TLSv1.3");
    assert.ok(outcome.tls?.doubt, what);
  }
});

Deno.test("B18 without STARTTLS mail goes as it is, but not where TLS is required", async () => {
  const { ca } = await certified();
  for (const policy of ["verify", "opportunistic", "none"] as const) {
    assert.equal((await to({}, ca, policy)).outcome.kind, "delivered");
  }
  const { outcome, taken } = await to({}, ca, "require");
  assert.deepEqual([outcome.kind, outcome.status, taken], ["deferred", "4.7.4", 0]);
});

Deno.test("B5 mail that requires TLS goes only to who is verified and offers REQUIRETLS", async () => {
  const { ca, pair } = await certified();
  const give = async (options: Partial<ServerOptions>) => {
    await using server = new TestServer(options);
    const way: Way = { policy: "none", relay: {}, world: { outward: outwardTrusting(ca) } };
    const outbound = outboundTo(server.port, way);
    const [outcome] = await deliver(outbound, claimOf(["b"], { requireTls: true }));
    outbound.close();
    return { outcome, sender: server.messages[0]?.sender };
  };
  const { outcome, sender } = await give({ tls: sourceOf(pair) });
  assert.match(outcome, /^delivered/);
  assert.equal(sender?.requireTls, true);
  assert.match((await give({})).outcome, /^deferred session STARTTLS: 4.7.4/);
});

Deno.test("T3 what a server says behind its 220, before the handshake, ends the session", async () => {
  await using remote = new Remote(async (talk) => {
    await talk.say("220 remote\r\n");
    await talk.line();
    await talk.say("250-x\r\n250 STARTTLS\r\n");
    await talk.line();
    await talk.say("220 go\r\n250-x\r\n250 OK\r\n");
    await talk.line();
  });
  const outbound = outboundTo(remote.port, { policy: "verify" });
  const [outcome] = await deliver(outbound, claimOf(["b"]));
  outbound.close();
  assert.match(outcome, /^deferred session .*server said more before the handshake/);
  assert.deepEqual(remote.lines, ["EHLO relay.example", "STARTTLS"]);
});

Deno.test("RFC 7435 a server that cannot shake hands gets the mail as it is, where that was allowed", async () => {
  for (const [policy, kind] of [["opportunistic", "delivered"], ["verify", "deferred"]] as const) {
    const offering = { EHLO: "250-remote\r\n250 STARTTLS\r\n" };
    await using remote = new Remote(async (talk, session) => {
      if (session > 1) return await talk.serve(offering);
      await talk.say("220 remote\r\n");
      await talk.line();
      await talk.say(offering.EHLO);
      await talk.line();
      await talk.say("220 go\r\n");
    });
    const outbound = outboundTo(remote.port, { policy });
    const [outcome] = await outcomes(outbound, claimOf(["b"]));
    outbound.close();
    assert.equal(outcome.kind, kind, outcome.reply);
  }
});

Deno.test("B19 a relay is logged in to, by the best way that it offers, under TLS", async () => {
  const { ca, pair } = await certified();
  const auth = new Authentication(new Map([["alice", "secret, with = signs"]]), world);
  const credentials = { user: "alice", password: "secret, with = signs" };
  for (const implicitTls of [false, true]) {
    const options = { tls: sourceOf(pair), auth, tlsPort: implicitTls ? 0 : undefined };
    const { outcome, client } = await to(options, ca, "verify", { implicitTls, credentials });
    assert.equal(outcome.kind, "delivered", outcome.reply);
    assert.equal(client?.user, "alice");
  }
  for (const mechanism of ["PLAIN", "LOGIN"] as const) {
    const only = { mechanisms: [mechanism], answer: auth.answer.bind(auth) };
    const { client } = await to({ tls: sourceOf(pair), auth: only }, ca, "verify", { credentials });
    assert.equal(client?.user, "alice", mechanism);
  }
});

Deno.test("B18 a password is not given in the clear where a handshake was broken", async () => {
  const { outward } = world;
  await using remote = new Remote(async (talk) => {
    await talk.say("220 remote\r\n");
    for (let line; (line = await talk.line()) !== undefined;) {
      if (line === "STARTTLS") return await talk.say("220 go\r\n");
      await talk.say("250-remote\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n");
    }
  });
  const outbound = outboundTo(remote.port, {
    policy: "opportunistic",
    addresses: ["192.0.2.1"],
    relay: { credentials: { user: "alice", password: "canary" } },
    world: {
      outward: {
        ...outward,
        dial: (to, signal) => outward.dial({ ...to, hostname: "127.0.0.1" }, signal),
      },
    },
  });
  const [outcome] = await deliver(outbound, claimOf(["b"]));
  outbound.close();
  assert.match(outcome, /^deferred session STARTTLS: 4\.7\.5 no TLS/);
  assert.ok(!remote.lines.some((line) => line.startsWith("AUTH")), remote.lines.join("\n"));
});

Deno.test("B19 a login that is refused defers, and a password is in no word of it", async () => {
  await using remote = new Remote((talk) =>
    talk.serve({ EHLO: "250-remote\r\n250 AUTH PLAIN\r\n", AUTH: "535 5.7.8 no\r\n" })
  );
  const credentials = { user: "alice", password: "canary" };
  const outbound = outboundTo(remote.port, { policy: "none", relay: { credentials } });
  const [outcome] = await deliver(outbound, claimOf(["b"]));
  outbound.close();
  assert.equal(outcome, "deferred session AUTH: 4.7.8 535 5.7.8 no");
  assert.ok(remote.lines.includes(`AUTH PLAIN ${btoa("\0alice\0canary")}`));
});
