/** Names as they come from a real server: what there is not is told apart from what failed. */

import assert from "node:assert/strict";
import { dnsOf } from "../../src/deno/dns.ts";
import { NameServer } from "../fakes/name_server.ts";

const SHORT = { lookUp: 300, udp: 50, tcp: 200 };

Deno.test("records are found, hosts without their trailing dots", async () => {
  await using server = new NameServer({
    "d.example": { mx: [[20, "b.example"], [10, "a.example"]], a: ["192.0.2.1"] },
    "null.example": { mx: [[0, "."]] },
  });
  const dns = dnsOf(server.servers);
  const mx = await dns.mx("d.example");
  assert.ok(mx.kind === "found");
  assert.deepEqual([...mx.records].sort((a, b) => a.preference - b.preference), [
    { preference: 10, host: "a.example" },
    { preference: 20, host: "b.example" },
  ]);
  assert.deepEqual(await dns.addresses("d.example", "ipv4"), {
    kind: "found",
    records: ["192.0.2.1"],
  });
  assert.deepEqual(await dns.mx("null.example"), {
    kind: "found",
    records: [{ preference: 0, host: "" }],
  });
});

Deno.test("O5 no such name, no such record, and a server that failed are three things", async () => {
  await using server = new NameServer({
    "none.example": { a: ["192.0.2.1"] },
    "failing.example": "SERVFAIL",
    "refused.example": "REFUSED",
    "delegated.example": "refers",
  });
  const dns = dnsOf(server.servers);
  assert.deepEqual(await dns.mx("none.example"), { kind: "none" });
  assert.deepEqual(await dns.addresses("none.example", "ipv6"), { kind: "none" });
  assert.deepEqual(await dns.mx("nowhere.example"), { kind: "nonexistent" });
  for (
    const [name, code] of [
      ["failing.example", "SERVFAIL"],
      ["refused.example", "REFUSED"],
      ["delegated.example", "refers to others"],
    ]
  ) {
    const answer = await dns.mx(name);
    assert.ok(answer.kind === "unknown", JSON.stringify(answer));
    assert.match(answer.reason, new RegExp(code));
  }
});

Deno.test("O5 an answer that was cut is asked for again over TCP", async () => {
  await using server = new NameServer({
    "gone.example": { cut: "NXDOMAIN" },
    "failing.example": { cut: "SERVFAIL" },
  });
  const dns = dnsOf(server.servers);
  assert.equal((await dns.mx("gone.example")).kind, "nonexistent");
  assert.equal((await dns.mx("failing.example")).kind, "unknown");
  assert.ok(server.overTcp >= 2);
});

Deno.test("O5 a server that does not answer leaves it unknown, in time", async () => {
  await using server = new NameServer({ "silent.example": "silent" });
  assert.equal((await dnsOf(server.servers, SHORT).mx("silent.example")).kind, "unknown");
});

Deno.test("O5 of several servers, one that answers is enough", async () => {
  await using silent = new NameServer({ "d.example": "silent" });
  await using server = new NameServer({ "d.example": { mx: [[10, "a.example"]] } });
  const answer = await dnsOf([...silent.servers, ...server.servers], SHORT).mx("d.example");
  assert.equal(answer.kind, "found");
});
