/** Who may ask, and who is trusted. */

import assert from "node:assert/strict";
import { Guard, type Verdict } from "../../src/http/guard.ts";
import { basic, bearer, ELSEWHERE, LOOPBACK, TOKEN } from "../fakes/http_site.ts";

const guard = new Guard({ hosts: new Set(["relay.example", "mail.example"]), token: TOKEN });
type Fields = Record<string, string>;

/** Asked by a name of the server, in words. */
function judged(host: string, headers: Fields = {}, address = LOOPBACK, by = guard): string {
  const url = `http://${host}/healthz`;
  return inWords(by.judge({ url, headers: new Headers(headers) }, address));
}

const inWords = (verdict: Verdict) =>
  "status" in verdict ? String(verdict.status) : verdict.trusted ? "trusted" : "untrusted";

const OURS = [
  "localhost",
  "LOCALHOST:8080",
  "app.localhost:8080",
  "127.0.0.1",
  "127.0.0.1:8080",
  "127.1",
  "[::1]:8080",
  "[::ffff:127.0.0.1]",
  "192.0.2.1:80",
  "relay.example",
  "Relay.Example:8080",
  "mail.example",
];

for (const host of OURS) {
  Deno.test(`a name of this server: ${host}`, () => assert.equal(judged(host), "trusted"));
}

const FOREIGN = [
  "evil.example",
  "localhost.evil.example",
  "evil-localhost",
  "relay.example.evil.example",
  "xrelay.example",
  "x.relay.example",
  "127.0.0.1.evil.example",
  "127-0-0-1.evil.example",
  "relay.example.",
  "example",
];

for (const host of FOREIGN) {
  Deno.test(`no name of this server: ${host}`, () => {
    assert.equal(judged(host), "403");
    // Nor does a token make it one.
    assert.equal(judged(host, bearer(TOKEN)), "403");
  });
}

/** What a browser says of a page that asks `localhost:8080`. */
/** Of another site. */
const LINK = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };

const PAGES: readonly (readonly [Fields, string])[] = [
  [{}, "trusted"],
  [{ origin: "http://localhost:8080" }, "trusted"],
  [{ origin: "https://localhost:8080" }, "trusted"],
  [{ origin: "http://localhost:8080", "sec-fetch-site": "same-origin" }, "trusted"],
  [{ "sec-fetch-site": "none", "sec-fetch-mode": "navigate" }, "trusted"],
  [{ ...LINK, "sec-fetch-dest": "document" }, "trusted"],
  [{ ...LINK, "sec-fetch-dest": "iframe" }, "403"],
  [LINK, "403"],
  [{ origin: "http://evil.example" }, "403"],
  [{ origin: "http://localhost" }, "403"],
  [{ origin: "http://localhost:3000" }, "403"],
  [{ origin: "http://127.0.0.1:8080" }, "403"],
  [{ origin: "null" }, "403"],
  [{ origin: "" }, "403"],
  [{ origin: "http://localhost:8080, http://evil.example" }, "403"],
  [{ origin: "ftp://localhost:8080" }, "403"],
  [{ origin: "http://x@localhost:8080" }, "403"],
  [{ "sec-fetch-site": "cross-site" }, "403"],
  [{ "sec-fetch-site": "same-site" }, "403"],
  [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }, "403"],
  [{ "sec-fetch-site": "same-site", "sec-fetch-mode": "cors" }, "403"],
  [{ "sec-fetch-site": "anything-new" }, "403"],
  [
    {
      origin: "http://evil.example",
      "sec-fetch-site": "cross-site",
      "sec-fetch-mode": "navigate",
    },
    "403",
  ],
  [{ origin: "http://evil.example", ...bearer(TOKEN) }, "403"],
];

for (const [headers, verdict] of PAGES) {
  Deno.test(`asked by a page with ${JSON.stringify(headers)}: ${verdict}`, () => {
    assert.equal(judged("localhost:8080", headers), verdict);
  });
}

const ADDRESSES: readonly (readonly [string, string])[] = [
  ["127.0.0.1", "trusted"],
  ["127.255.0.9", "trusted"],
  ["::1", "trusted"],
  ["::ffff:127.0.0.1", "trusted"],
  ["192.0.2.1", "untrusted"],
  ["10.0.0.1", "untrusted"],
  ["::ffff:10.0.0.1", "untrusted"],
  ["fe80::1", "untrusted"],
  ["2001:db8::1", "untrusted"],
  ["0.0.0.0", "untrusted"],
  ["", "untrusted"],
];

for (const [address, verdict] of ADDRESSES) {
  Deno.test(`whoever comes from ${address || "nowhere"} is ${verdict}`, () => {
    assert.equal(judged("localhost", {}, address), verdict);
    assert.equal(judged("localhost", bearer(TOKEN), address), "trusted");
  });
}

for (const name of ["Forwarded", "Via", "X-Forwarded-For", "X-Real-IP"]) {
  Deno.test(`whoever comes through a proxy that says ${name} is not this machine`, () => {
    for (const value of ["192.0.2.1", "127.0.0.1", ""]) {
      assert.equal(judged("localhost", { [name]: value }), "untrusted");
      assert.equal(judged("localhost", { [name]: value, ...bearer(TOKEN) }), "trusted");
    }
  });
}

const WRONG: readonly Fields[] = [
  bearer("wrong"),
  bearer(TOKEN.slice(0, -1)),
  bearer(TOKEN + "x"),
  bearer(TOKEN.toUpperCase()),
  bearer("a token"),
  basic("anybody", "wrong"),
  basic(TOKEN, ""),
  basic(TOKEN, "x"),
  { authorization: "Bearer" },
  { authorization: "Bearer " },
  { authorization: "" },
  { authorization: TOKEN },
  { authorization: `Token ${TOKEN}` },
  { authorization: "Basic !!!" },
  { authorization: "Basic" },
  { authorization: `Basic ${TOKEN}` },
  { authorization: `Digest username="x", response="${TOKEN}"` },
];

for (const headers of WRONG) {
  Deno.test(`a wrong token is one from anywhere: ${headers.authorization}`, () => {
    for (const address of [LOOPBACK, ELSEWHERE]) {
      assert.equal(judged("localhost", headers, address), "401");
    }
  });
}

const RIGHT: readonly Fields[] = [
  bearer(TOKEN),
  { authorization: `bearer ${TOKEN}` },
  { authorization: `BEARER   ${TOKEN}` },
  basic("anybody", TOKEN),
  basic("", TOKEN),
];

for (const headers of RIGHT) {
  Deno.test(`the token opens from anywhere: ${headers.authorization}`, () => {
    assert.equal(judged("localhost", headers, ELSEWHERE), "trusted");
  });
}

Deno.test("a token beyond ASCII is the same in both schemes, as its octets", () => {
  const token = "schlüssel";
  const strict = new Guard({ hosts: new Set(), token });
  assert.equal(judged("localhost", basic("x", token), ELSEWHERE, strict), "trusted");
});

Deno.test("where there is no token none is right", () => {
  const open = new Guard({ hosts: new Set(), token: undefined });
  assert.equal(judged("localhost", {}, LOOPBACK, open), "trusted");
  assert.equal(judged("localhost", {}, ELSEWHERE, open), "untrusted");
  for (const headers of [bearer(""), bearer("undefined"), basic("x", ""), basic("x", "y")]) {
    for (const address of [LOOPBACK, ELSEWHERE]) {
      assert.equal(judged("localhost", headers, address, open), "401");
    }
  }
});
