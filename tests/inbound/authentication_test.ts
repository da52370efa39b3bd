/** B7, S14: who clients are, by each mechanism, and what it costs to find out. */

import assert from "node:assert/strict";
import { type Mechanism, MECHANISMS } from "../../src/smtp/sasl.ts";
import {
  inWords,
  keptAs,
  type Kind,
  KINDS,
  soFar,
  TestAuthentication,
  usersOf,
} from "../fakes/authentication.ts";
import { fields, Login, octets, plainMessage, ScramClient, text } from "../fakes/sasl.ts";

const RIGHT = { user: "alice", password: "secret" };
const WRONG = { user: "alice", password: "guess" };
const MINUTE = 60_000;

const OFFERED: Record<Kind, readonly Mechanism[]> = {
  plain: ["SCRAM-SHA-256", "PLAIN", "LOGIN"],
  scrypt: ["PLAIN", "LOGIN"],
  scram: ["SCRAM-SHA-256", "PLAIN", "LOGIN"],
};

Deno.test("B7 SCRAM-SHA-256 is offered when some user can use it; with no users, nothing is", async () => {
  for (const kind of KINDS) {
    const { authentication } = await TestAuthentication.of(kind);
    assert.deepEqual(authentication.mechanisms, OFFERED[kind], kind);
    const mixed = [["carol", await keptAs("scrypt", "x")], ["dave", await keptAs(kind, "y")]];
    authentication.update(new Map(mixed as [string, string][]));
    assert.deepEqual(authentication.mechanisms, OFFERED[kind], kind);
    authentication.update(new Map());
    assert.deepEqual(authentication.mechanisms, []);
  }
});

for (const kind of KINDS) {
  for (const mechanism of MECHANISMS) {
    const serves = OFFERED[kind].includes(mechanism);
    Deno.test(`B7 a password kept as ${kind}: ${serves ? "" : "not "}by ${mechanism}`, async () => {
      const test = await TestAuthentication.of(kind, { alice: "secret", bob: "other" });
      const right = await test.comesTo(mechanism, RIGHT);
      assert.equal(right, serves ? "is alice" : "535 5.7.8");
      for (const each of [WRONG, { user: "bob", password: "secret" }, { ...RIGHT, user: "eve" }]) {
        assert.equal(await test.comesTo(mechanism, each), "535 5.7.8", JSON.stringify(each));
      }
      assert.equal(await test.comesTo(mechanism, RIGHT), right);
    });
  }
}

Deno.test("RFC 4616 §2: to act for oneself is allowed, for another it is not", async () => {
  const test = await TestAuthentication.of("scram", { alice: "secret", bob: "other" });
  for (const mechanism of ["PLAIN", "SCRAM-SHA-256"] as const) {
    // Also right behind a login that was right.
    assert.equal(await test.comesTo(mechanism, { ...RIGHT, actsFor: "alice" }), "is alice");
    for (const actsFor of ["bob", "Alice", "eve"]) {
      const said = await test.comesTo(mechanism, { ...RIGHT, actsFor });
      assert.equal(said, "535 5.7.8", `${mechanism} for ${actsFor}`);
    }
  }
});

Deno.test("what no mechanism understands is told at once, and costs nothing", async () => {
  const test = await TestAuthentication.of("scram");
  const malformed: [Mechanism, string[]][] = [
    ["PLAIN", [""]],
    ["PLAIN", ["alice"]],
    ["PLAIN", ["alice\0secret"]],
    ["PLAIN", ["\0alice\0"]],
    ["PLAIN", ["\0\0secret"]],
    ["PLAIN", ["\0alice\0secret\0"]],
    ["LOGIN", ["", "secret"]],
    ["LOGIN", ["alice", ""]],
    ["LOGIN", ["ali\0ce", "secret"]],
    ["SCRAM-SHA-256", [""]],
    ["SCRAM-SHA-256", ["n,,n=alice"]],
    ["SCRAM-SHA-256", ["p=tls-unique,,n=alice,r=x"]],
  ];
  const calls = await test.callsOf(async () => {
    for (const [mechanism, words] of malformed) {
      const login = new Login(test.authentication, mechanism);
      let last = "";
      for (const each of words) last = await soFar(login.say(each));
      assert.equal(last, "501 5.5.2", JSON.stringify([mechanism, words]));
    }
  });
  assert.deepEqual(calls, []);
  const noUtf8 = new Login(test.authentication, "PLAIN");
  const said = noUtf8.say(Uint8Array.of(0, 0x61, 0, 0xff));
  assert.equal(await soFar(said), "501 5.5.2");
});

Deno.test("a mechanism without a first response asks for it", async () => {
  const { authentication } = await TestAuthentication.of("plain");
  const asked = await Promise.all(MECHANISMS.map(async (mechanism) => {
    const answer = await new Login(authentication, mechanism).say();
    return "challenge" in answer ? text(answer.challenge) : "";
  }));
  assert.deepEqual(asked, ["", "", "Username:"]);
  const login = new Login(authentication, "LOGIN");
  const answer = await login.say("alice");
  assert.equal("challenge" in answer && text(answer.challenge), "Password:");
});

Deno.test("RFC 5802 §3: SCRAM where the client was asked to begin, and to end with nothing more", async () => {
  const test = await TestAuthentication.of("scram");
  const client = new ScramClient(RIGHT);
  for (const [end, came] of [["", "is alice"], ["more", "501 5.5.2"]]) {
    const login = new Login(test.authentication, "SCRAM-SHA-256");
    await login.say();
    const first = await login.say(client.first);
    assert.ok("challenge" in first);
    const last = await login.say(client.last(text(first.challenge), test.digests.derive));
    assert.ok("challenge" in last && client.believes(text(last.challenge)));
    assert.equal(inWords(await login.say(end)), came);
  }
});

Deno.test("RFC 5802 §5.1: a proof counts for its own exchange alone", async () => {
  const test = await TestAuthentication.of("scram");
  const client = new ScramClient(RIGHT);
  const begin = async () => {
    const login = new Login(test.authentication, "SCRAM-SHA-256");
    const answer = await login.say(client.first);
    assert.ok("challenge" in answer);
    return { login, asked: text(answer.challenge) };
  };
  const [one, other] = [await begin(), await begin()];
  assert.notEqual(fields(one.asked).r, fields(other.asked).r);
  const proof = client.last(one.asked, test.digests.derive);
  const replayed = other.login.say(proof);
  await soFar(replayed);
  test.clock.turn(1000);
  assert.equal(await soFar(replayed), "535 5.7.8");
  assert.equal(await soFar(one.login.say(proof)), "is asked");
});

Deno.test("B7 a login that was right is remembered for minutes, by whichever mechanism", async () => {
  for (const [kind, slow] of [["scrypt", "scrypt"], ["scram", "pbkdf2"]] as const) {
    const test = await TestAuthentication.of(kind);
    for (let i = 0; i < 20; i++) {
      const mechanism = i % 2 === 0 ? "PLAIN" : "LOGIN";
      const credentials = i % 4 === 0 ? { ...RIGHT, actsFor: "alice" } : RIGHT;
      assert.equal(await test.comesTo(mechanism, credentials, { after: 4 * MINUTE }), "is alice");
    }
    assert.equal(test.digests.count(slow), 1);
    test.clock.turn(10 * MINUTE);
    assert.equal(await test.comesTo("PLAIN", RIGHT), "is alice");
    assert.equal(test.digests.count(slow), 2);
  }
});

Deno.test("B7 only what was right is remembered, and just that", async () => {
  const test = await TestAuthentication.of("scrypt", { alice: "secret", bob: "secret" });
  const once = async (user: string, password: string) => {
    const calls = await test.callsOf(() => test.comesTo("PLAIN", { user, password }));
    return calls.filter((call) => call === "scrypt").length;
  };
  assert.equal(await once("alice", "secret"), 1);
  // A wrong one again and again; the right one of another; one with more or less to it.
  for (const [user, password] of [["alice", "guess"], ["bob", "secret"], ["alice", "secre"]]) {
    assert.equal(await once(user, password), 1, password);
  }
  assert.equal(await once("alice", "guess"), 1);
  assert.equal(await once("alice", "secret"), 0);
});

Deno.test("B7 the same login by many connections at once is checked once", async () => {
  const test = await TestAuthentication.of("scrypt");
  test.digests.hold();
  const logins = Array.from(
    { length: 300 },
    (_, i) => test.begin(i % 2 ? "PLAIN" : "LOGIN", RIGHT),
  );
  const wrong = test.begin("PLAIN", WRONG);
  assert.equal(await soFar(logins[299]), "nothing yet");
  test.digests.letGo();
  for (const login of logins) assert.equal(inWords(await login), "is alice");
  assert.equal(await soFar(wrong), "nothing yet");
  test.clock.turn(1000);
  assert.equal(inWords(await wrong), "535 5.7.8");
  assert.equal(test.digests.count("scrypt"), 2);
});

const guesses = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ user: `user${i}`, password: "guess" }));

for (const atOnce of [undefined, 3]) {
  Deno.test(`B7 no more than ${atOnce ?? 1} are checked at once`, async () => {
    const test = await TestAuthentication.of("scrypt", { alice: "secret" }, atOnce);
    test.digests.hold();
    const logins = guesses(10).map((guess) => test.begin("PLAIN", guess));
    logins.push(test.begin("PLAIN", RIGHT));
    assert.equal(await soFar(logins[0]), "nothing yet");
    assert.equal(test.digests.underWay, atOnce ?? 1);
    test.digests.letGo();
    assert.equal(await soFar(logins.pop()!), "is alice");
    test.clock.turn(1000);
    for (const login of logins) assert.equal(inWords(await login), "535 5.7.8");
    assert.equal(test.digests.mostAtOnce, atOnce ?? 1);
  });
}

Deno.test("B7 beyond 200 that wait: 454, but not for who is known or waits already", async () => {
  const test = await TestAuthentication.of("scrypt", { alice: "secret", bob: "other" });
  await test.begin("PLAIN", RIGHT);
  test.digests.hold();
  const logins = guesses(201).map((guess, i) => test.begin("PLAIN", guess, `192.0.2.${i}`));
  assert.equal(await soFar(logins[200]), "nothing yet");
  const bob = { user: "bob", password: "other" };
  assert.equal(await soFar(test.begin("PLAIN", bob)), "454 4.7.0");
  assert.equal(await soFar(test.begin("PLAIN", RIGHT)), "is alice");
  const again = test.begin("PLAIN", { user: "user7", password: "guess" });
  assert.equal(await soFar(again), "nothing yet");
  test.digests.letGo();
  await soFar(again);
  test.clock.turn(1000);
  for (const login of [...logins, again]) assert.equal(inWords(await login), "535 5.7.8");
  assert.equal(inWords(await test.begin("PLAIN", bob)), "is bob");
});

for (const kind of KINDS) {
  Deno.test(`B7 a changed password, kept as ${kind}, is the only one at once`, async () => {
    const test = await TestAuthentication.of(kind, { alice: "secret", bob: "other" });
    const bob = { user: "bob", password: "other" };
    const scram = kind === "scrypt" ? "PLAIN" : "SCRAM-SHA-256";
    const all = ["PLAIN", "LOGIN", scram] as const;
    for (const mechanism of all) {
      assert.equal(await test.comesTo(mechanism, RIGHT), "is alice");
      assert.equal(await test.comesTo(mechanism, bob), "is bob");
    }
    test.authentication.update(await usersOf(kind, { alice: "changed", bob: "other" }));
    // What is as it was is remembered on.
    assert.deepEqual(await test.callsOf(() => test.begin("PLAIN", bob)), ["hmac"]);
    for (const mechanism of all) {
      assert.equal(await test.comesTo(mechanism, RIGHT), "535 5.7.8");
      assert.equal(await test.comesTo(mechanism, { ...RIGHT, password: "changed" }), "is alice");
      assert.equal(await test.comesTo(mechanism, bob), "is bob");
    }
    test.authentication.update(await usersOf(kind, { bob: "other" }));
    assert.equal(await test.comesTo("PLAIN", { ...RIGHT, password: "changed" }), "535 5.7.8");
  });
}

Deno.test("B7 a hash that is not known changes nothing, and is told without being shown", async () => {
  const test = await TestAuthentication.of("scrypt");
  assert.throws(
    () => test.authentication.update(new Map([["bob", "b"], ["alice", "{SSHA}canary"]])),
    (error: Error) => /alice has a hash/.test(error.message) && !error.message.includes("canary"),
  );
  assert.equal(await test.comesTo("PLAIN", RIGHT), "is alice");
  assert.equal(await test.comesTo("PLAIN", { user: "bob", password: "b" }), "535 5.7.8");
});

Deno.test("a digest that fails harms one login, and no later one", async () => {
  for (const [mechanism, slow] of [["PLAIN", "scrypt"], ["SCRAM-SHA-256", "pbkdf2"]] as const) {
    const test = await TestAuthentication.of(slow === "scrypt" ? "scrypt" : "plain");
    test.digests[slow] = () => Promise.reject(new Error("no memory"));
    assert.equal(await soFar(test.begin(mechanism, RIGHT)), "failed: no memory");
    Reflect.deleteProperty(test.digests, slow);
    assert.equal(await soFar(test.begin(mechanism, RIGHT)), "is alice");
  }
});

Deno.test("a name is what it is, to the letter", async () => {
  const users = { "a,b=c": "one", "j\u00f6rg@example.com": "two", __proto__x: "three" };
  const test = await TestAuthentication.of("scram", users);
  for (const [user, password] of Object.entries(users)) {
    for (const mechanism of MECHANISMS) {
      assert.equal(await test.comesTo(mechanism, { user, password }), `is ${user}`);
    }
  }
  for (const user of ["A,B=C", "jo\u0308rg@example.com", "__proto__", "constructor"]) {
    assert.equal(await test.comesTo("PLAIN", { user, password: "one" }), "535 5.7.8");
  }
  const said = new Login(test.authentication, "PLAIN").say(octets(plainMessage(RIGHT)));
  await soFar(said);
  test.clock.turn(1000);
  assert.equal(await soFar(said), "535 5.7.8");
});
