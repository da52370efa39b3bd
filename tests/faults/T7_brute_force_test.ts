/** T7: who guesses passwords learns little, slowly, and soon nothing; nobody else suffers. */

import assert from "node:assert/strict";
import { scryptOf, verifierOf, writePassword } from "../../src/auth/passwords.ts";
import { digests } from "../../src/deno/digests.ts";
import { world } from "../../src/deno/world.ts";
import { Authentication } from "../../src/inbound/authentication.ts";
import { type Mechanism, MECHANISMS } from "../../src/smtp/sasl.ts";
import { inWords, KINDS, soFar, TestAuthentication } from "../fakes/authentication.ts";
import { Client } from "../fakes/client.ts";
import { base64, fields, Login, logIn, plainMessage, ScramClient, text } from "../fakes/sasl.ts";
import { TestServer } from "../fakes/server.ts";
import { settled } from "../fakes/settled.ts";

const SECOND = 1000, MINUTE = 60_000;
const RIGHT = { user: "alice", password: "secret" };
const WRONG = { user: "alice", password: "guess" };
const NOBODY = { user: "nobody", password: "guess" };
const HERE = "192.0.2.1", ELSEWHERE = "198.51.100.1";

Deno.test("T7 a failure is told no sooner than after a second; the third ends the session", async () => {
  const test = await TestAuthentication.of("scrypt");
  const { authentication: auth, clock } = test;
  await using server = new TestServer({ auth, authInsecure: true }, { clock });
  using client = await Client.greeted(server.port);
  await client.ask("EHLO x");
  for (let failure = 1; failure <= 3; failure++) {
    await client.send(`AUTH PLAIN ${base64(plainMessage(failure === 2 ? NOBODY : WRONG))}\r\n`);
    let said: string | undefined;
    const reply = client.reply().then((text) => said = text);
    while (test.logged.length < failure) await settled();
    clock.turn(SECOND - 1);
    await settled();
    assert.equal(said, undefined, `failure ${failure}`);
    clock.turn(1);
    const end = "421 4.7.0 Too many failed logins, try again later";
    const failed = "535 5.7.8 Authentication failed, check user and password";
    assert.equal(await reply, failure === 3 ? end : failed);
  }
  assert.equal(await client.rest(), "");
});

for (const mechanism of MECHANISMS) {
  Deno.test(`T7 by ${mechanism} each failure takes a second, whatever failed`, async () => {
    const test = await TestAuthentication.of("scram");
    const actsFor = mechanism === "LOGIN" ? [] : [{ ...RIGHT, actsFor: "bob" }];
    for (const credentials of [WRONG, NOBODY, ...actsFor]) {
      const said = await test.comesTo(mechanism, credentials, { after: SECOND - 1 });
      assert.equal(said, "nothing yet", JSON.stringify(credentials));
      test.clock.turn(1);
    }
    // What was right is told at once.
    assert.equal(await soFar(test.begin(mechanism, RIGHT)), "is alice");
  });
}

/** Fails so often, a second each; what the last came to. */
async function fails(test: TestAuthentication, times: number, address: string, user = "alice") {
  let said = "";
  for (let i = 0; i < times; i++) {
    said = await test.comesTo("PLAIN", { user, password: `guess ${i}` }, { address });
  }
  return said;
}

for (const kind of KINDS) {
  Deno.test(`T7 many failures of one address: 421, and nothing is computed (${kind})`, async () => {
    const test = await TestAuthentication.of(kind, { alice: "secret", bob: "other" });
    assert.equal(await fails(test, 10, HERE), "535 5.7.8");
    for (const credentials of [WRONG, RIGHT]) {
      const calls = await test.callsOf(async () => {
        for (const mechanism of ["PLAIN", "LOGIN"] as const) {
          assert.equal(await soFar(test.begin(mechanism, credentials, HERE)), "421 4.7.0");
        }
      });
      assert.deepEqual(calls, []);
      // By SCRAM too, at the end; its challenge alone is computed.
      const calls2 = await test.callsOf(async () => {
        const scram = test.begin("SCRAM-SHA-256", credentials, HERE);
        assert.equal(await soFar(scram), "421 4.7.0");
      });
      assert.deepEqual(calls2, ["hmac"]);
    }
    // Another user of that address, and the same user of another address, are heard.
    const bob = { user: "bob", password: "other" };
    assert.equal(await soFar(test.begin("PLAIN", bob, HERE)), "is bob");
    assert.equal(await soFar(test.begin("PLAIN", RIGHT, ELSEWHERE)), "is alice");
    // Time heals.
    test.clock.turn(2 * MINUTE);
    assert.equal(await soFar(test.begin("PLAIN", RIGHT, HERE)), "is alice");
  });
}

Deno.test("T7 of IPv6, all that one client can have counts as one", async () => {
  const test = await TestAuthentication.of("scrypt");
  for (let i = 0; i < 10; i++) await fails(test, 1, `2001:db8:0:1::${i}`);
  const tried = (address: string) => soFar(test.begin("PLAIN", RIGHT, address));
  assert.equal(await tried("2001:db8:0:1:ffff::1"), "421 4.7.0");
  assert.equal(await tried("2001:db8:0:2::1"), "is alice");
});

Deno.test("T7 many failures with many users: the address is turned away, no other is", async () => {
  const test = await TestAuthentication.of("scrypt");
  const all = Array.from({ length: 50 }, (_, i) => ({ ...NOBODY, user: `user${i}` }));
  const logins = all.map((each) => test.begin("PLAIN", each, HERE));
  await soFar(logins[49]);
  test.clock.turn(SECOND);
  assert.equal(await soFar(logins[49]), "535 5.7.8");
  assert.equal(await soFar(test.begin("PLAIN", RIGHT, HERE)), "421 4.7.0");
  assert.equal(await soFar(test.begin("PLAIN", RIGHT, ELSEWHERE)), "is alice");
});

for (const mechanism of MECHANISMS) {
  Deno.test(`T7 by ${mechanism} who was right a moment ago is taken where others fail`, async () => {
    const test = await TestAuthentication.of("scram");
    assert.equal(await test.comesTo(mechanism, RIGHT, { address: HERE }), "is alice");
    await fails(test, 20, HERE);
    assert.equal(await soFar(test.begin("PLAIN", WRONG, ELSEWHERE)), "nothing yet");
    assert.equal(await soFar(test.begin(mechanism, RIGHT, HERE)), "is alice");
    // A guess is not told sooner for that.
    assert.equal(await soFar(test.begin(mechanism, WRONG, HERE)), "nothing yet");
    // A moment is minutes.
    for (let i = 0; i < 6; i++) {
      await fails(test, 2, HERE);
      test.clock.turn(MINUTE);
    }
    assert.equal(await fails(test, 3, HERE), "421 4.7.0");
    assert.equal(await soFar(test.begin(mechanism, RIGHT, HERE)), "421 4.7.0");
  });
}

Deno.test("T7 that somebody is right elsewhere opens nothing to who guesses here", async () => {
  const test = await TestAuthentication.of("scrypt");
  assert.equal(await soFar(test.begin("PLAIN", RIGHT, ELSEWHERE)), "is alice");
  await fails(test, 10, HERE);
  const calls = await test.callsOf(async () => {
    for (const mechanism of ["PLAIN", "LOGIN"] as const) {
      assert.equal(await soFar(test.begin(mechanism, RIGHT, HERE)), "421 4.7.0");
    }
  });
  assert.deepEqual(calls, []);
});

Deno.test("T7 one user's loop over many connections does not shut out the others", async () => {
  const test = await TestAuthentication.of("scrypt", { alice: "secret", bob: "other" });
  const loop = Array.from({ length: 90 }, () => test.begin("PLAIN", WRONG, HERE));
  await soFar(loop[89]);
  test.clock.turn(SECOND);
  for (const login of loop) assert.equal(inWords(await login), "535 5.7.8");
  assert.equal(await soFar(test.begin("PLAIN", RIGHT, HERE)), "421 4.7.0");
  assert.equal(
    await soFar(test.begin("PLAIN", { user: "bob", password: "other" }, HERE)),
    "is bob",
  );
});

Deno.test("T7 endless names take no endless memory, and count all the same", async () => {
  const test = await TestAuthentication.of("scrypt");
  const user = "n".repeat(9000);
  assert.equal(await fails(test, 10, HERE, user), "535 5.7.8");
  assert.equal(await fails(test, 1, HERE, user + "more"), "421 4.7.0");
});

for (const kind of KINDS) {
  for (const mechanism of MECHANISMS) {
    Deno.test(`T7 an unknown user costs what a known one does (${kind}, ${mechanism})`, async () => {
      const test = await TestAuthentication.of(kind);
      // A verifier of a plain password is made once.
      await test.comesTo(mechanism, RIGHT);
      const known = await test.callsOf(() => test.comesTo(mechanism, WRONG));
      const unknown = await test.callsOf(() => test.comesTo(mechanism, NOBODY));
      assert.deepEqual(unknown, known);
      assert.ok(unknown.length > 0);
      // What was typed in place of a name may be a password.
      assert.doesNotMatch(JSON.stringify(test.logged), /nobody/);
    });
  }
}

/** The server's first message of SCRAM. */
async function challengeOf(test: TestAuthentication, user: string) {
  const login = new Login(test.authentication, "SCRAM-SHA-256");
  const answer = await login.say(new ScramClient({ user, password: "x" }).first);
  assert.ok("challenge" in answer);
  return fields(text(answer.challenge));
}

Deno.test("T7 by SCRAM an unknown user looks like others, the same each time, to the end", async () => {
  for (const kind of KINDS) {
    const test = await TestAuthentication.of(kind);
    const known = await challengeOf(test, "alice");
    const [one, again, other] = [
      await challengeOf(test, "nobody"),
      await challengeOf(test, "nobody"),
      await challengeOf(test, "no one"),
    ];
    assert.equal(one.s, again.s);
    assert.notEqual(one.s, other.s);
    assert.equal(one.s.length, known.s.length);
    assert.equal(one.i, known.i);
    assert.notEqual(one.r, again.r);
    assert.equal(one.r.length, known.r.length);
    assert.equal(await test.comesTo("SCRAM-SHA-256", NOBODY), "535 5.7.8");
  }
});

/** As many logins as are wanted, told without a second's delay, in time that is measured. */
async function milliseconds(
  authentication: Authentication,
  mechanism: Mechanism,
  user: string,
): Promise<number> {
  const credentials = { user, password: `guess ${Math.random()}` };
  // The client's side is not measured with it.
  const derive = () => new Uint8Array(32);
  const address = `192.0.2.${Math.random()}`;
  const before = performance.now();
  assert.equal(
    inWords(await logIn(authentication, mechanism, credentials, { address, derive })),
    "535 5.7.8",
  );
  return performance.now() - before;
}

const quantile = (sorted: readonly number[], part: number) =>
  sorted[Math.floor((sorted.length - 1) * part)];

for (const [kind, mechanism] of [["scrypt", "PLAIN"], ["scram", "LOGIN"]] as const) {
  Deno.test(`T7 in time, an unknown user is not to be told from a known one (${kind})`, async () => {
    const salt = new Uint8Array(16);
    const kept = kind === "scram"
      ? writePassword(await verifierOf("secret", salt, 10_000, digests))
      : writePassword(await scryptOf("secret", salt, digests)).replace("ln=15", "ln=11");
    // Time stands still, but for what is measured.
    const clock = {
      ...world.clock,
      monotonic: () => 0,
      timer(_: number, call: () => void) {
        queueMicrotask(call);
        return () => {};
      },
    };
    const users = new Map([["alice", kept]]);
    const authentication = new Authentication(users, { ...world, clock, log() {} });
    const times: Record<string, number[]> = { alice: [], nobody: [] };
    // In turns: what else this machine does slows both.
    for (let i = 0; i < 50; i++) {
      for (const user of i % 2 ? ["alice", "nobody"] : ["nobody", "alice"]) {
        times[user].push(await milliseconds(authentication, mechanism, user));
      }
    }
    const [known, unknown] = [times.alice, times.nobody].map((all) => all.sort((a, b) => a - b));
    const noise = quantile(known, 0.75) - quantile(known, 0.25);
    const difference = Math.abs(quantile(known, 0.5) - quantile(unknown, 0.5));
    const most = Math.max(noise, quantile(known, 0.5) / 3);
    assert.ok(difference <= most, `medians differ by ${difference} ms, noise is ${noise} ms`);
  });
}
