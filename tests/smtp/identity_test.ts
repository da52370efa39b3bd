/** STARTTLS and REQUIRETLS as the session sees them: what is offered, refused, and forgotten. */

import assert from "node:assert/strict";
import { Budget } from "../../src/smtp/budget.ts";
import type { Rules } from "../../src/smtp/state.ts";
import { Driver } from "../fakes/driver.ts";

const OVER_TLS = { version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256" };
const READY = "220 2.0.0 Ready to start TLS\r\n";
const HELLO_FIRST = "503 5.5.1 Send HELO or EHLO first\r\n";

function greeted(rules: Partial<Rules> = {}): Driver {
  const driver = new Driver({ startTls: true, ...rules });
  driver.open();
  driver.send("EHLO before.example\r\n");
  return driver;
}

/** The handshake takes place; what the server says to that. */
function shakeHands({ session }: Driver): string {
  session.tell({ kind: "secured", tls: OVER_TLS });
  return session.takeReplies();
}

function secured(rules: Partial<Rules> = {}): Driver {
  const driver = greeted(rules);
  assert.equal(driver.send("STARTTLS\r\n"), READY);
  assert.equal(shakeHands(driver), "");
  return driver;
}

Deno.test("S15 STARTTLS is offered to whoever has no TLS, where there is any", () => {
  const offers = (driver: Driver) => /^250-STARTTLS\r$/m.test(driver.send("EHLO x\r\n"));
  assert.ok(offers(greeted()));
  assert.ok(!offers(greeted({ startTls: false })));
  assert.ok(!offers(secured()));
  const implicit = new Driver({ startTls: true });
  implicit.session.tell({ kind: "opened", early: false, tls: OVER_TLS });
  assert.match(implicit.session.takeReplies(), /^220 /);
  assert.ok(!offers(implicit));
  assert.deepEqual(implicit.session.state.peer.tls, OVER_TLS);
});

Deno.test("S15 STARTTLS where it cannot be: 502, 501, 503", () => {
  const notOffered = "502 5.5.1 STARTTLS is not offered here\r\n";
  assert.equal(greeted({ startTls: false }).send("STARTTLS\r\n"), notOffered);
  assert.equal(greeted().send("STARTTLS now\r\n"), "501 5.5.4 Syntax: STARTTLS\r\n");
  const ehloFirst = "503 5.5.1 Send EHLO before STARTTLS\r\n";
  const unmet = new Driver({ startTls: true });
  unmet.open();
  assert.equal(unmet.send("STARTTLS\r\n"), ehloFirst);
  unmet.send("HELO x\r\n");
  assert.equal(unmet.send("STARTTLS\r\n"), ehloFirst);
  const twice = secured();
  twice.send("EHLO x\r\n");
  assert.equal(twice.send("starttls\r\n"), "503 5.5.1 TLS is active already\r\n");
  // It harms nothing.
  assert.match(twice.send("MAIL FROM:<a@example.com>\r\n"), /^250/);
});

Deno.test("RFC 3207 §4.2: hello, sender and recipients are forgotten with the handshake", () => {
  for (const verb of ["MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>", "DATA", "BDAT 0"]) {
    const driver = greeted();
    driver.send("MAIL FROM:<before@example.com>\r\nRCPT TO:<before@example.net>\r\n");
    assert.equal(driver.send("STARTTLS\r\n"), READY);
    shakeHands(driver);
    assert.match(driver.send(`${verb}\r\n`), /^503 5\.5\.1 Send /, verb);
    assert.equal(driver.messages.length, 0);
  }
  const driver = secured();
  assert.equal(driver.send("MAIL FROM:<a@example.com>\r\n"), HELLO_FIRST);
  driver.send("EHLO after.example\r\n");
  assert.equal(driver.session.state.peer.helo, "after.example");
  const said = driver.send(
    "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nBDAT 17 LAST\r\nSubject: x\r\n\r\nx\r\n",
  );
  assert.match(said, /250 2\.0\.0 Message accepted/);
  assert.deepEqual(driver.messages.map(({ from, to }) => [from, to]), [
    ["a@example.com", ["b@example.net"]],
  ]);
});

Deno.test("RFC 3207 §4.2: whom the client has proved to be is forgotten with the handshake", () => {
  const driver = greeted({ mechanisms: ["PLAIN"], authInsecure: true });
  driver.send("AUTH PLAIN AGEAYg==\r\n");
  driver.session.tell({ kind: "authenticated", user: "alice" });
  assert.match(driver.session.takeReplies(), /^235 /);
  assert.equal(driver.send("STARTTLS\r\n"), READY);
  shakeHands(driver);
  assert.equal(driver.session.state.peer.user, undefined);
  assert.match(driver.send("EHLO x\r\n"), /^250-AUTH PLAIN\r$/m);
});

Deno.test("a handshake is no way to begin anew with what is counted", () => {
  const driver = greeted({ maxUnknownCommands: 2 });
  driver.send("XYZZY\r\n");
  driver.send("XYZZY\r\n");
  driver.send("STARTTLS\r\n");
  shakeHands(driver);
  assert.equal(driver.send("XYZZY\r\n"), "421 4.7.0 Too many unknown commands\r\n");
  assert.equal(driver.session.state.at, "closed");
});

Deno.test("content that was begun with BDAT gives its memory back at the handshake", () => {
  const memory = new Budget(100_000);
  const driver = greeted({ memory });
  driver.send("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n");
  driver.send(`BDAT 30000\r\n${"x".repeat(30_000)}`);
  assert.ok(memory.taken >= 30_000);
  driver.send("STARTTLS\r\n");
  shakeHands(driver);
  assert.equal(memory.taken, 0);
});

Deno.test("a stop while hands are shaken says nothing in plain text, and 421 behind it", () => {
  const driver = greeted();
  driver.send("STARTTLS\r\n");
  driver.session.tell({ kind: "stop", now: false });
  assert.equal(driver.session.takeReplies(), "");
  assert.equal(driver.session.state.at, "securing");
  assert.equal(
    shakeHands(driver),
    "421 4.3.2 localhost is shutting down, try again later\r\n",
  );
  assert.equal(driver.session.state.at, "closed");
});

Deno.test("a stop at once while hands are shaken closes without a word", () => {
  const driver = greeted();
  driver.send("STARTTLS\r\n");
  driver.session.tell({ kind: "stop", now: true });
  assert.equal(driver.session.takeReplies(), "");
  assert.equal(driver.session.state.at, "closed");
  assert.equal(shakeHands(driver), "");
});

Deno.test("B5 REQUIRETLS is offered under TLS alone, and goes with the sender", () => {
  assert.doesNotMatch(greeted().send("EHLO x\r\n"), /REQUIRETLS/);
  const driver = secured();
  assert.match(driver.send("EHLO x\r\n"), /^250-REQUIRETLS\r$/m);
  assert.equal(
    driver.send("MAIL FROM:<a@example.com> REQUIRETLS=yes\r\n"),
    "501 5.5.4 Parameter REQUIRETLS must be without a value\r\n",
  );
  assert.match(driver.send("MAIL FROM:<a@example.com> SIZE=10 requiretls\r\n"), /^250 /);
  const { state } = driver.session;
  assert.ok(state.at === "mail" && state.mail.sender.requireTls);
  driver.send("RSET\r\nMAIL FROM:<a@example.com>\r\n");
  const next = driver.session.state;
  assert.ok(next.at === "mail" && !next.mail.sender.requireTls);
});

Deno.test("RFC 8689 §4: REQUIRETLS without TLS: 530 5.7.10, and no transaction begins", () => {
  const driver = greeted();
  assert.equal(
    driver.send("MAIL FROM:<a@example.com> REQUIRETLS\r\n"),
    "530 5.7.10 REQUIRETLS needs TLS, send STARTTLS first\r\n",
  );
  assert.match(driver.send("RCPT TO:<b@example.net>\r\n"), /^503 5\.5\.1 Send MAIL FROM first/);
});
