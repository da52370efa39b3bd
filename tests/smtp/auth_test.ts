/** S14: AUTH as the session sees it (RFC 4954); who clients are is decided elsewhere. */

import assert from "node:assert/strict";
import fc from "fast-check";
import * as replies from "../../src/smtp/replies.ts";
import type { Exchange } from "../../src/smtp/sasl.ts";
import type { Rules } from "../../src/smtp/state.ts";
import { base64 } from "../fakes/sasl.ts";
import { Talk } from "../fakes/talk.ts";

const NONE = new Uint8Array(0);
const OVER_TLS = { version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256" };

const secured = (rules: Partial<Rules> = {}) => {
  const talk = new Talk({ startTls: true, authInsecure: false, ...rules });
  talk.ask("STARTTLS");
  talk.session.tell({ kind: "secured", tls: OVER_TLS });
  return talk;
};

Deno.test("S14 AUTH is offered under TLS alone, or where it may be without, until it is done", () => {
  const plain = new Talk({ startTls: true, authInsecure: false });
  assert.doesNotMatch(plain.ask("EHLO x"), /AUTH/);
  assert.match(secured().ask("EHLO x"), /^250-AUTH SCRAM-SHA-256 PLAIN LOGIN\r$/m);
  const talk = new Talk();
  assert.match(talk.ask("EHLO x"), /^250-AUTH SCRAM-SHA-256 PLAIN LOGIN\r$/m);
  assert.doesNotMatch(talk.ask("HELO x"), /AUTH/);
  talk.ask("EHLO x");
  talk.ask("AUTH PLAIN AA==");
  talk.accept();
  assert.doesNotMatch(talk.ask("EHLO x"), /AUTH/);
  assert.equal(talk.user, "alice");
  assert.doesNotMatch(new Talk({ mechanisms: [] }).ask("EHLO x"), /AUTH/);
});

Deno.test("S14 what a client says with AUTH is its first response", () => {
  for (const line of ["AUTH PLAIN AGEAYg==", "auth plain   AGEAYg==  "]) {
    const talk = new Talk();
    assert.equal(talk.ask(line), "");
    assert.deepEqual(talk.exchange, ["PLAIN", ["\0a\0b"], []]);
    assert.equal(talk.accept(), "235 2.7.0 Authentication succeeded\r\n");
  }
});

Deno.test("S14 without a first response the client is asked, with an empty challenge", () => {
  const talk = new Talk();
  assert.equal(talk.ask("AUTH PLAIN"), "");
  assert.deepEqual(talk.exchange, ["PLAIN", [], []]);
  assert.equal(talk.challenge(""), "334 \r\n");
  assert.equal(talk.ask("AGEAYg=="), "");
  assert.deepEqual(talk.exchange, ["PLAIN", ["\0a\0b"], [""]]);
});

Deno.test("RFC 4954 §4: an equals sign is a first response of no octets; so is an empty line", () => {
  const talk = new Talk();
  talk.ask("AUTH SCRAM-SHA-256 =");
  assert.deepEqual(talk.exchange, ["SCRAM-SHA-256", [""], []]);
  talk.challenge("more");
  talk.ask("");
  assert.deepEqual(talk.exchange, ["SCRAM-SHA-256", ["", ""], ["more"]]);
  talk.challenge("more");
  assert.equal(talk.ask("="), "501 5.5.2 Cannot decode the response, it must be base64");
});

Deno.test("S14 LOGIN is asked for user and password, or for the password alone", () => {
  const talk = new Talk();
  talk.ask("AUTH LOGIN");
  assert.equal(talk.challenge("Username:"), "334 VXNlcm5hbWU6\r\n");
  talk.ask(base64("a"));
  assert.equal(talk.challenge("Password:"), "334 UGFzc3dvcmQ6\r\n");
  talk.ask(base64("b"));
  assert.deepEqual(talk.exchange, ["LOGIN", ["a", "b"], ["Username:", "Password:"]]);
  talk.refuse();
  talk.ask(`AUTH LOGIN ${base64("a")}`);
  assert.deepEqual(talk.exchange, ["LOGIN", ["a"], []]);
});

const REFUSED: [what: string, talk: () => Talk, line: string, reply: string][] = [
  ["where nobody can log in", () => new Talk({ mechanisms: [] }), "AUTH PLAIN", "502 5.5.1"],
  ["before any hello", () => new Talk({}, ""), "AUTH PLAIN", "503 5.5.1"],
  ["after HELO", () => new Talk({}, "HELO x\r\n"), "AUTH PLAIN AGEAYg==", "503 5.5.1"],
  ["without TLS", () => new Talk({ authInsecure: false }), "AUTH PLAIN AGEAYg==", "538 5.7.11"],
  ["in a transaction", () => inMail(), "AUTH PLAIN AGEAYg==", "503 5.5.1"],
  ["a second time", () => loggedIn(), "AUTH PLAIN AGEAYg==", "503 5.5.1"],
  ["with a mechanism that there is not", () => new Talk(), "AUTH CRAM-MD5", "504 5.5.4"],
  [
    "with one that is not offered now",
    () => new Talk({ mechanisms: ["PLAIN"] }),
    "AUTH SCRAM-SHA-256",
    "504 5.5.4",
  ],
  ["without a mechanism", () => new Talk(), "AUTH", "501 5.5.4"],
  ["with a word too many", () => new Talk(), "AUTH PLAIN AGEAYg== x", "501 5.5.4"],
  ["with a mechanism that can be none", () => new Talk(), "AUTH PL.AIN", "501 5.5.4"],
];

function inMail(): Talk {
  const talk = new Talk();
  talk.ask("MAIL FROM:<a@example.com>");
  return talk;
}

function loggedIn(rules: Partial<Rules> = {}): Talk {
  const talk = new Talk(rules);
  talk.ask("AUTH PLAIN AGEAYg==");
  talk.accept();
  return talk;
}

for (const [what, begun, line, reply] of REFUSED) {
  Deno.test(`RFC 4954 §4: AUTH ${what}: ${reply}, and nothing is taken`, () => {
    const talk = begun();
    const { at, peer: { user } } = talk.state;
    assert.ok(talk.ask(line).startsWith(`${reply} `));
    assert.deepEqual([talk.state.at, talk.user], [at, user]);
    assert.match(talk.ask("NOOP"), /^250 /);
  });
}

Deno.test("T8 an asterisk cancels: 501 5.7.0, and the client is who it was", () => {
  const talk = new Talk();
  talk.ask("AUTH LOGIN");
  talk.challenge("Username:");
  assert.equal(talk.ask("*"), "501 5.7.0 Authentication cancelled");
  assert.deepEqual([talk.state.at, talk.user], ["idle", undefined]);
  talk.ask("AUTH PLAIN AGEAYg==");
  assert.deepEqual(talk.exchange, ["PLAIN", ["\0a\0b"], []]);
});

Deno.test("T8 octets travel as base64 and nothing else, wherever the line is cut", () => {
  const any = fc.uint8Array({ maxLength: 60 });
  fc.assert(fc.property(any, fc.boolean(), fc.nat(), (said, atOnce, cut) => {
    const talk = new Talk();
    const response = base64(said);
    if (!atOnce) {
      talk.ask("AUTH LOGIN");
      talk.challenge("");
    }
    const line = (atOnce ? `AUTH LOGIN ${response || "="}` : response) + "\r\n";
    talk.send(line.slice(0, cut % line.length));
    assert.equal(talk.send(line.slice(cut % line.length)), "");
    const { exchange } = talk.state as { exchange: Exchange };
    assert.deepEqual([...exchange.said[0]], [...said]);
  }));
});

Deno.test("T8 what is no base64, to the last bit: 501 5.5.2, with AUTH and behind a challenge", () => {
  for (
    const wrong of ["AGEAY", "AGEAYg=", "AGEAYh==", "AGEA Yg==", "AGEA_g==", "====", "**", "\u00e9"]
  ) {
    const talk = new Talk();
    if (!wrong.includes(" ")) assert.match(talk.ask(`AUTH PLAIN ${wrong}`), /^501 5\.5\.2 /, wrong);
    talk.ask("AUTH PLAIN");
    talk.challenge("");
    assert.match(talk.ask(wrong), /^501 5\.5\.2 /, wrong);
    assert.deepEqual([talk.state.at, talk.user], ["idle", undefined]);
    assert.match(talk.ask("NOOP"), /^250 /);
  }
});

Deno.test("P4 AUTH with more behind it: 554 and close", () => {
  for (const more of ["AGEAYg==\r\n", "MAIL FROM:<a@example.com>\r\n"]) {
    const talk = new Talk();
    assert.match(talk.send(`AUTH PLAIN\r\n${more}`), /^554 5\.5\.0 /);
    assert.equal(talk.state.at, "closed");
  }
});

Deno.test("what comes behind a response waits until the client is known", () => {
  const talk = new Talk({ senderDomains: new Set(["example.com"]) });
  talk.ask("AUTH PLAIN");
  talk.challenge("");
  assert.equal(talk.send("AGEAYg==\r\nMAIL FROM:<a@example.net>\r\n"), "");
  assert.equal(talk.accept(), "235 2.7.0 Authentication succeeded\r\n");
  assert.equal(talk.send(""), "250 2.1.0 Sender <a@example.net> OK\r\n");
});

const LONGEST = 12_288;

Deno.test("RFC 4954 §4: a line of 12,288 octets is taken, with AUTH and behind a challenge", () => {
  const talk = new Talk();
  const most = (overhead: number) => "A".repeat((LONGEST - overhead - 2) & ~3);
  talk.ask(`AUTH PLAIN ${most("AUTH PLAIN ".length)}`);
  assert.equal(talk.challenge("more"), "334 bW9yZQ==\r\n");
  talk.ask(most(0));
  assert.equal(talk.state.at, "authenticating");
  talk.refuse();
  // To the octet: one that fills it is read, and found to be no base64.
  for (const line of ["AUTH PLAIN ", ""]) {
    if (line === "") {
      talk.ask("AUTH PLAIN");
      talk.challenge("");
    }
    assert.match(talk.ask(line + "A".repeat(LONGEST - line.length - 2)), /^501 5\.5\.2 /);
  }
});

Deno.test("RFC 4954 §4: a longer line: 500 5.5.6, with AUTH and behind a challenge", () => {
  const talk = new Talk();
  const tooLong = "500 5.5.6 Authentication exchange line is too long";
  assert.equal(talk.ask(`AUTH PLAIN ${"A".repeat(LONGEST - 12)}`), tooLong);
  for (const length of [LONGEST - 1, LONGEST, 50_000]) {
    talk.ask("AUTH PLAIN");
    talk.challenge("");
    assert.equal(talk.ask("A".repeat(length)), tooLong);
    assert.deepEqual([talk.state.at, talk.user], ["idle", undefined]);
    // What it was asked for then is no response any more.
    assert.match(talk.ask("AGEAYg=="), /^500 5\.5\.1 /);
  }
});

Deno.test("S13 who has proved who it is may send as anyone, others may not", () => {
  const rules = { senderDomains: new Set(["example.com"]) };
  assert.match(new Talk(rules).ask("MAIL FROM:<a@example.net>"), /^553 5\.7\.1 /);
  const talk = loggedIn(rules);
  for (const hello of ["", "EHLO again", "HELO again", "RSET"]) {
    if (hello !== "") talk.ask(hello);
    assert.match(talk.ask("MAIL FROM:<a@example.net>"), /^250 /);
    talk.ask("RSET");
  }
  const failed = new Talk(rules);
  failed.ask("AUTH PLAIN AGEAYg==");
  failed.refuse();
  assert.match(failed.ask("MAIL FROM:<a@example.net>"), /^553 5\.7\.1 /);
});

function fail(talk: Talk): string {
  talk.ask("AUTH PLAIN AGEAYg==");
  return talk.refuse().trimEnd();
}

Deno.test("T7 the third failed login ends the session, hello and handshake between", () => {
  const talk = new Talk({ startTls: true });
  assert.equal(fail(talk), "535 5.7.8 Authentication failed, check user and password");
  talk.ask("EHLO again");
  assert.match(fail(talk), /^535 5\.7\.8 /);
  talk.ask("STARTTLS");
  talk.session.tell({ kind: "secured", tls: OVER_TLS });
  talk.ask("EHLO again");
  assert.equal(fail(talk), "421 4.7.0 Too many failed logins, try again later");
  assert.equal(talk.state.at, "closed");
});

Deno.test("T7 who was not judged has not failed; who is turned away is gone", () => {
  const talk = new Talk();
  for (const reply of [replies.loginNotJudged, replies.badResponse]) {
    for (let i = 0; i < 5; i++) {
      talk.ask("AUTH PLAIN AGEAYg==");
      assert.ok(talk.refuse(reply).startsWith(`${reply.code} ${reply.enhanced} `));
      assert.equal(talk.state.at, "idle");
    }
  }
  talk.ask("AUTH PLAIN AGEAYg==");
  assert.match(talk.refuse(replies.tooManyFailedLogins), /^421 4\.7\.0 /);
  assert.equal(talk.state.at, "closed");
});

Deno.test("R4 logins that are begun and cancelled have an end", () => {
  const talk = new Talk();
  let said = "";
  for (let i = 0; i < 200 && !said.startsWith("421"); i++) {
    talk.ask("AUTH PLAIN");
    talk.challenge("");
    said = talk.ask("*");
  }
  assert.equal(said, "421 4.7.0 Too many commands that send no mail");
});

Deno.test("a login under way when the server stops, or the client is too slow, ends with 421", () => {
  const stopped = new Talk();
  stopped.ask("AUTH PLAIN AGEAYg==");
  stopped.session.tell({ kind: "stop", now: false });
  assert.match(stopped.session.takeReplies(), /^421 4\.3\.2 /);
  assert.equal(stopped.accept(), "");
  const slow = new Talk();
  slow.ask("AUTH PLAIN");
  slow.session.tell({ kind: "challenged", challenge: NONE });
  slow.session.takeReplies();
  slow.session.tell({ kind: "timeout" });
  assert.match(slow.session.takeReplies(), /^421 4\.4\.2 /);
});
