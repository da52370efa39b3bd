/** S26, B17, O5: names as dnsmasq gives them, of its own and of the server that it asks. */

import assert from "node:assert/strict";
import { dnsOf } from "../../src/deno/dns.ts";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";
import { dnsmasq } from "../fakes/dnsmasq.ts";
import { NameServer } from "../fakes/name_server.ts";
import type { Program } from "../fakes/program.ts";
import { Remote } from "../fakes/remote.ts";
import { testWith } from "../fakes/tools.ts";

/** All that it knows of `example` it is told here; of others it asks. */
const OWN = [
  "local=/example/",
  "mx-host=d.example,mx.d.example,10",
  "mx-host=d.example,mx2.d.example,20",
  "mx-host=null.example,.,0",
  "host-record=mx.d.example,127.0.0.1",
  "host-record=plain.example,127.0.0.1,::1",
  "cname=alias.example,d.example",
  "txt-record=plain.example,one ,two",
];
const SHORT = { lookUp: 300, udp: 50, tcp: 200 };

const serversOf = ({ port }: Program) => [{ host: "127.0.0.1", port }];
const asking = ({ port }: NameServer) => `server=127.0.0.1#${port}`;

/** Whom dnsmasq asks. */
const upstream = () =>
  new NameServer({
    "far.test": { mx: [[10, "mx.far.test"]] },
    "mx.far.test": { a: ["127.0.0.1"] },
    "null.test": { mx: [[0, "."]] },
    "failing.test": "SERVFAIL",
    "refused.test": "REFUSED",
    "cut.test": { cut: "NXDOMAIN" },
    "cut.failing.test": { cut: "SERVFAIL" },
  });

testWith("dnsmasq", "O5 dnsmasq: what it knows itself is found, or is not there", async (at) => {
  await using server = await dnsmasq(at, OWN);
  const dns = dnsOf(serversOf(server));
  const hosts = [
    { preference: 10, host: "mx.d.example" },
    { preference: 20, host: "mx2.d.example" },
  ];
  for (const name of ["d.example", "D.Example.", "alias.example"]) {
    const answer = await dns.mx(name);
    assert.ok(answer.kind === "found", name);
    assert.deepEqual([...answer.records].sort((a, b) => a.preference - b.preference), hosts, name);
  }
  assert.deepEqual(await dns.mx("null.example"), {
    kind: "found",
    records: [{ preference: 0, host: "" }],
  });
  assert.deepEqual(await dns.addresses("plain.example", "ipv6"), {
    kind: "found",
    records: ["::1"],
  });
  assert.deepEqual(await dns.texts("plain.example"), { kind: "found", records: ["one two"] });
  assert.deepEqual(await dns.mx("plain.example"), { kind: "none" });
  assert.deepEqual(await dns.addresses("d.example", "ipv4"), { kind: "none" });
  assert.deepEqual(await dns.mx("nobody.example"), { kind: "nonexistent" });
  // It has nobody to ask.
  assert.deepEqual(await dns.mx("d.test"), {
    kind: "unknown",
    reason: "name server answered REFUSED",
  });
});

testWith("dnsmasq", "O5 dnsmasq: what the server said that it asks stays apart", async (at) => {
  await using far = upstream();
  await using server = await dnsmasq(at, [asking(far), "host-record=known.test,127.0.0.1"]);
  const dns = dnsOf(serversOf(server));
  const kinds: Record<string, string> = {
    "far.test": "found",
    "null.test": "found",
    "mx.far.test": "none",
    "nobody.test": "nonexistent",
    // Of what it knows itself the other says that it is not there.
    "known.test": "none",
    "failing.test": "unknown",
    "refused.test": "unknown",
    "cut.test": "nonexistent",
    "cut.failing.test": "unknown",
  };
  for (const [name, kind] of Object.entries(kinds)) {
    assert.equal((await dns.mx(name)).kind, kind, name);
  }
  assert.ok(far.overTcp > 0);
});

testWith("dnsmasq", "O5 dnsmasq: nothing is known where nobody answers it", async (at) => {
  // It passes on no answer, and makes none.
  await using server = await dnsmasq(at, ["server=127.0.0.1#1"]);
  assert.equal((await dnsOf(serversOf(server), SHORT).mx("d.test")).kind, "unknown");
});

testWith("dnsmasq", "O5 dnsmasq: mail is delivered, fails or waits by what it says", async (at) => {
  await using remote = new Remote((talk) => talk.serve());
  await using far = upstream();
  await using server = await dnsmasq(at, [...OWN, asking(far)]);
  await using daemon = await Daemon.start({
    settings: {
      SMTP_MODE: "relay",
      SMTP_DEBUG: "false",
      SMTP_MIN_FREE: "0B",
      SMTP_RELAY_URL: "",
      SMTP_DNS_SERVERS: `127.0.0.1:${server.port}`,
      SMTP_DELIVERY_PORT: String(remote.port),
      SMTP_ALLOW_LOCAL_TARGETS: "true",
    },
  });
  const expected = [
    ["delivered", "d.example", "mx.d.example"],
    ["delivered", "alias.example", "mx.d.example"],
    ["delivered", "plain.example", "plain.example"],
    ["delivered", "far.test", "mx.far.test"],
    ["failed", "null.example", "null MX"],
    ["failed", "null.test", "null MX"],
    ["failed", "nobody.example", "does not exist"],
    ["failed", "nobody.test", "does not exist"],
    ["failed", "cut.test", "does not exist"],
    ["deferred", "failing.test", "SERVFAIL"],
    ["deferred", "refused.test", "REFUSED"],
  ];
  using client = await Client.greeted(daemon.port);
  await client.ask("EHLO client.example");
  await client.ask("MAIL FROM:<a@example.com>");
  for (const [, domain] of expected) {
    assert.match(await client.ask(`RCPT TO:<b@${domain}>`), /^250/);
  }
  await client.ask("DATA");
  assert.match(await client.ask("Subject: hello\r\n\r\nhello\r\n."), /^250/);
  for (const [kind, domain, words] of expected) {
    const [said] = await daemon.says(new RegExp(`message [a-z]+ id=\\w+ .* domain=${domain} .*`));
    assert.match(said, new RegExp(`^message ${kind} .*${words}`));
  }
});
