/** S19: XCLIENT, its words and what follows from them in the session; no socket yet. */

import assert from "node:assert/strict";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { plain } from "../../src/inbound/access.ts";
import type { Reply } from "../../src/smtp/reply.ts";
import * as replies from "../../src/smtp/replies.ts";
import type { Rules } from "../../src/smtp/state.ts";
import { type Claim, parseClaim } from "../../src/smtp/xclient.ts";
import { Driver } from "../fakes/driver.ts";

const parsed = (text: string) => parseClaim(text, (name) => !name.includes("?"));

const SOUND: Record<string, Claim> = {
  "ADDR=192.0.2.1": { address: "192.0.2.1" },
  "addr=192.0.2.1 Name=client.example": { address: "192.0.2.1", name: "client.example" },
  "ADDR=IPV6:2001:db8::1  PORT=4711": { address: "2001:db8::1", port: 4711 },
  "ADDR=ipv6:::ffff:192.0.2.1": { address: "::ffff:192.0.2.1" },
  "ADDR=2001:db8::1": { address: "2001:db8::1" },
  "ADDR=[UNAVAILABLE] PORT=[TEMPUNAVAIL]": {},
  "NAME=[UNAVAILABLE]": { name: undefined },
  "NAME=[tempunavail] HELO=[unavailable]": { name: undefined, helo: undefined },
  "NAME=client+2Eexample": { name: "client.example" },
  "LOGIN=alice+2Bmail+20and+3Dso": { user: "alice+mail and=so" },
  "LOGIN=[UNAVAILABLE]": { user: undefined },
  "PROTO=SMTP": { esmtp: false },
  "PROTO=esmtp HELO=[192.0.2.1]": { esmtp: true, helo: "[192.0.2.1]" },
  "PORT=0": { port: 0 },
  "PORT=65535": { port: 65535 },
  "DESTADDR=127.0.0.1 DESTPORT=25": {},
  "NAME=a NAME=b": { name: "b" },
};

const WRONG: Record<string, string> = {
  "": "",
  "ADDR": "ADDR",
  "ADDR=": "ADDR",
  "ADDR=client.example": "ADDR",
  "ADDR=192.0.2": "ADDR",
  "ADDR=192.0.2.256": "ADDR",
  "ADDR=192.0.2.1+0D+0AMAIL": "ADDR",
  "ADDR=IPV6:2001:db8::1::2": "ADDR",
  "ADDR=IPV6:192.0.2.1.": "ADDR",
  "ADDR=fe80::1%eth0": "ADDR",
  // Octal to some, decimal to others.
  "ADDR=010.0.0.1": "ADDR",
  "ADDR=10.0.0.08": "ADDR",
  "PORT=65536": "PORT",
  "PORT=-1": "PORT",
  "PORT=x": "PORT",
  "NAME=a+20b": "NAME",
  "NAME=a+0Ab": "NAME",
  "NAME=(comment)": "NAME",
  "HELO=who?": "HELO",
  "PROTO=LMTP": "PROTO",
  "PROTO=[UNAVAILABLE]": "PROTO",
  "LOGIN=a+00b": "LOGIN",
  "LOGIN=a+0A": "LOGIN",
  "LOGIN=a+2": "LOGIN",
  "LOGIN=a+2b": "LOGIN",
  "LOGIN=a=b": "LOGIN",
  "LOGIN=+7F": "LOGIN",
  "NAME=client.example REVERSE=x": "REVERSE",
  "FOO=1 NAME=client.example": "FOO",
  "__PROTO__=1": "__PROTO__",
};

for (const [text, claim] of Object.entries(SOUND)) {
  Deno.test(`S19 XCLIENT ${text}`, () => assert.deepEqual(parsed(text), claim));
}

for (const [text, name] of Object.entries(WRONG)) {
  Deno.test(`S19 wrong: XCLIENT ${text}`, () => assert.equal(parsed(text), name));
}

const almost = fc.oneof(
  fc.ipV4(),
  fc.ipV4Extended(),
  fc.ipV6(),
  fc.array(fc.constantFrom("0", "1", "07", "255", "a", ".", ":", "::", "ffff"), { maxLength: 17 })
    .map((parts) => parts.join("")),
);

Deno.test("S19 an address that is taken is one to whoever judges it, and the same one", () => {
  fc.assert(
    fc.property(almost, (address) => {
      const claim = parsed(`ADDR=${address}`);
      if (typeof claim === "string") return;
      assert.ok(ipaddr.isValid(claim.address!));
      const numbers = address.includes(":") ? [] : address.split(".").map(Number);
      if (numbers.length > 0) assert.equal(plain(claim.address!), numbers.join("."));
    }),
    { numRuns: 2000 },
  );
});

const attribute = fc.constantFrom("ADDR", "NAME", "PORT", "PROTO", "HELO", "LOGIN");
const xtext = fc.array(
  fc.oneof(fc.string({ maxLength: 3 }), fc.nat(255).map((c) => `+${hex(c)}`)),
  { maxLength: 5 },
);
const hex = (octet: number) => octet.toString(16).toUpperCase().padStart(2, "0");

Deno.test("S19 nothing of what is claimed holds a control character", () => {
  fc.assert(
    fc.property(attribute, xtext, (name, parts) => {
      const claim = parsed(`${name}=${parts.join("")}`);
      if (typeof claim === "string") return;
      for (const value of Object.values(claim)) assert.doesNotMatch(String(value), /[^\x20-\x7e]/);
    }),
    { numRuns: 2000 },
  );
});

/** A session whose client may speak for others, unless the rules say otherwise. */
class Proxy extends Driver {
  readonly claims: Claim[] = [];

  constructor(rules: Partial<Rules> = {}) {
    super({ xclient: true, ...rules });
    this.open();
  }

  ask(line: string, refusal?: Reply): string {
    const said = this.send(`${line}\r\n`);
    const { state } = this.session;
    if (state.at !== "claiming") return said;
    this.claims.push(state.claim);
    this.session.tell({ kind: "verdict", refusal });
    return said + this.session.takeReplies();
  }
}

const GREETING = "220 localhost ESMTP Dinopost ready\r\n";

Deno.test("S19 XCLIENT is offered to proxies, to others it is not, and is refused", () => {
  assert.match(new Proxy().ask("EHLO x"), /^250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN\r$/m);
  const other = new Proxy({ xclient: undefined });
  assert.doesNotMatch(other.ask("EHLO x"), /XCLIENT/);
  assert.equal(other.ask("XCLIENT LOGIN=alice"), "550 5.7.0 XCLIENT is not for you\r\n");
  assert.deepEqual(other.claims, []);
  const { state } = other.session;
  assert.deepEqual([state.at, state.peer.user, state.peer.helo], ["idle", undefined, "x"]);
});

Deno.test("S19 behind XCLIENT the session begins anew, with a greeting", () => {
  const proxy = new Proxy();
  proxy.ask("EHLO proxy.example");
  assert.equal(proxy.ask("XCLIENT ADDR=192.0.2.1 NAME=client.example"), GREETING);
  assert.deepEqual(proxy.claims, [{ address: "192.0.2.1", name: "client.example" }]);
  assert.match(proxy.ask("MAIL FROM:<a@example.com>"), /^503 5\.5\.1 Send HELO or EHLO first/);
  assert.match(proxy.ask("BDAT 0 LAST"), /^503 5\.5\.1 Send EHLO first/);
  assert.equal(proxy.session.state.at, "closed");
});

Deno.test("S19 before any hello XCLIENT is obeyed as well", () => {
  assert.equal(new Proxy().ask("XCLIENT NAME=client.example"), GREETING);
});

Deno.test("S19 with HELO and PROTO there is no need for another hello", () => {
  const proxy = new Proxy();
  assert.equal(proxy.ask("XCLIENT HELO=client.example PROTO=ESMTP"), GREETING);
  assert.match(proxy.ask("MAIL FROM:<a@example.com>"), /^250 /);
  assert.match(proxy.ask("RCPT TO:<b@example.net>"), /^250 /);
  assert.match(proxy.send("BDAT 4 LAST\r\n\r\n\r\n"), /^250 /);
  const plain = new Proxy();
  plain.ask("XCLIENT HELO=client.example PROTO=SMTP");
  assert.match(plain.ask("MAIL FROM:<a@example.com>"), /^250 /);
  assert.match(plain.ask("RCPT TO:<b@example.net>"), /^250 /);
  assert.match(plain.ask("BDAT 4 LAST"), /^503 5\.5\.1 Send EHLO first/);
});

Deno.test("S19 several XCLIENTs add up; the later says what holds", () => {
  const proxy = new Proxy();
  proxy.ask("XCLIENT ADDR=192.0.2.1 LOGIN=alice");
  proxy.ask("EHLO client.example");
  proxy.ask("XCLIENT NAME=client.example HELO=hello.example");
  const { state: { peer } } = proxy.session;
  assert.deepEqual([peer.user, peer.helo], ["alice", "hello.example"]);
  proxy.ask("XCLIENT LOGIN=[UNAVAILABLE] PORT=1");
  assert.deepEqual(proxy.claims.at(-1), {
    address: "192.0.2.1",
    user: undefined,
    name: "client.example",
    helo: "hello.example",
    port: 1,
  });
  assert.equal(proxy.session.state.peer.user, undefined);
});

Deno.test("S19 XCLIENT in a transaction: 503, and the transaction goes on", () => {
  const proxy = new Proxy();
  proxy.ask("EHLO x");
  proxy.send("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n");
  assert.match(proxy.ask("XCLIENT NAME=client.example"), /^503 5\.5\.1 XCLIENT comes before MAIL/);
  assert.match(proxy.ask("DATA"), /^354 /);
  assert.match(proxy.send("Subject: x\r\n\r\n.\r\n"), /^250 /);
  assert.equal(proxy.ask("XCLIENT NAME=client.example"), GREETING);
});

Deno.test("S19 what is pipelined behind XCLIENT was not said by its client: 554 and close", () => {
  const proxy = new Proxy();
  proxy.ask("EHLO x");
  assert.match(proxy.send("XCLIENT NAME=a\r\nEHLO a\r\n"), /^554 5\.5\.0 /);
  assert.equal(proxy.session.state.at, "closed");
});

Deno.test("S19 an attribute that is unknown, or wrong: 501, and nothing is claimed", () => {
  const proxy = new Proxy();
  proxy.ask("EHLO x");
  for (const [text, name] of Object.entries(WRONG).filter(([text]) => !text.includes("?"))) {
    const reply = replies.badAttribute(name).lines[0];
    assert.equal(proxy.ask(`XCLIENT ${text}`), `501 5.5.4 ${reply}\r\n`, text);
  }
  assert.deepEqual(proxy.claims, []);
  assert.equal(proxy.session.state.peer.helo, "x");
});

Deno.test("S19 a client that may not use the server is refused, and its connection closed", () => {
  const proxy = new Proxy();
  const refusal = replies.clientNotAllowed("192.0.2.1");
  assert.match(proxy.ask("XCLIENT ADDR=192.0.2.1", refusal), /^554 5\.7\.1 Client address 192/);
  assert.equal(proxy.session.state.at, "closed");
});

Deno.test("S19 LOGIN is who the client has proved to be", () => {
  const rules = { senderDomains: new Set(["example.com"]), mechanisms: ["PLAIN"] as const };
  const proxy = new Proxy({ ...rules, authInsecure: true });
  assert.match(proxy.ask("EHLO x"), /AUTH PLAIN/);
  assert.match(proxy.ask("MAIL FROM:<a@example.org>"), /^553 5\.7\.1 /);
  assert.equal(proxy.ask("XCLIENT LOGIN=alice"), GREETING);
  assert.doesNotMatch(proxy.ask("EHLO x"), /AUTH/);
  assert.match(proxy.ask("AUTH PLAIN"), /^503 5\.5\.1 /);
  assert.match(proxy.ask("MAIL FROM:<a@example.org>"), /^250 /);
  proxy.ask("RSET");
  // Who it was before is nothing to the client that comes now.
  assert.equal(proxy.ask("XCLIENT LOGIN=[UNAVAILABLE]"), GREETING);
  assert.match(proxy.ask("EHLO x"), /AUTH PLAIN/);
  assert.match(proxy.ask("MAIL FROM:<a@example.org>"), /^553 5\.7\.1 /);
});

Deno.test("S19 a proxy's own login is not that of its client", () => {
  const proxy = new Proxy({ mechanisms: ["PLAIN"], authInsecure: true });
  proxy.ask("EHLO x");
  proxy.ask("AUTH PLAIN AGEAYg==");
  proxy.session.tell({ kind: "authenticated", user: "proxy" });
  assert.match(proxy.session.takeReplies(), /^235 /);
  assert.equal(proxy.ask("XCLIENT ADDR=192.0.2.1"), GREETING);
  assert.equal(proxy.session.state.peer.user, undefined);
});

Deno.test("S19 a login that was claimed before STARTTLS counts no more, nor in later claims", () => {
  const proxy = new Proxy({ startTls: true });
  proxy.ask("XCLIENT ADDR=192.0.2.1 LOGIN=alice HELO=client.example");
  proxy.ask("EHLO x");
  assert.match(proxy.ask("STARTTLS"), /^220 /);
  proxy.session.tell({ kind: "secured", tls: { version: "TLSv1.3", cipher: "c" } });
  assert.equal(proxy.session.state.peer.user, undefined);
  assert.equal(proxy.ask("XCLIENT NAME=client.example"), GREETING);
  const { user, helo, tls } = proxy.session.state.peer;
  assert.deepEqual([user, helo], [undefined, undefined]);
  // The connection is as it was.
  assert.equal(tls?.version, "TLSv1.3");
  // Whose connection it is stays known: there it has its place.
  assert.equal(proxy.claims.at(-1)!.address, "192.0.2.1");
});

Deno.test("S19 XCLIENT does not take back what counts against a session", () => {
  const proxy = new Proxy();
  let told = 0;
  while (proxy.session.state.at !== "closed") {
    proxy.ask("XCLIENT NAME=client.example");
    assert.match(proxy.ask("NOOP"), ++told > 100 ? /^421 4\.7\.0 Too many commands/ : /^250 /);
  }
  assert.equal(told, 101);
});
