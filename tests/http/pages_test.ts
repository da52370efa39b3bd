/** S30, S31, B23: what is answered where, and to whom. */

import assert from "node:assert/strict";
import type { Check } from "../../src/ports/check.ts";
import {
  type Asked,
  basic,
  bearer,
  ELSEWHERE,
  LOOPBACK,
  TestSite,
  TOKEN,
} from "../fakes/http_site.ts";

/** Whatever waits for no more than promises goes on. */
const turns = () => new Promise((resolve) => setTimeout(resolve));

/** Timers, once all that would have come in one piece has come. */
async function leftIn({ clock }: TestSite): Promise<number> {
  await turns();
  clock.turn(25);
  await turns();
  return clock.timers;
}

const PLAIN = "text/plain; charset=utf-8";
const typeOf = ({ headers }: Response) => headers.get("content-type")!.toLowerCase();

const FIRST = ["/", "/livez", "/healthz", "/readyz", "/metrics", "/metrics/prometheus"];
for (const path of FIRST) {
  Deno.test(`${path} answers anybody, and nothing keeps or guesses at it`, async () => {
    const site = new TestSite();
    for (const address of [LOOPBACK, ELSEWHERE]) {
      const response = await site.ask(path, { address });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("cache-control"), "no-store");
      assert.equal(response.headers.get("x-content-type-options"), "nosniff");
      assert.match(await response.text(), /\n$/);
      const head = await site.ask(path, { address, method: "HEAD" });
      assert.deepEqual([head.status, await head.text()], [200, ""]);
    }
  });
}

Deno.test("what is no page is 404, and an order that a page does not know too", async () => {
  const site = new TestSite();
  for (const path of ["/x", "/livez/", "/livez/x", "/healthz.html", "/LIVEZ", "/api"]) {
    assert.equal((await site.ask(path)).status, 404, path);
  }
  for (const method of ["POST", "PUT", "DELETE"]) {
    assert.equal((await site.ask("/livez", { method })).status, 404, method);
  }
});

Deno.test("whoever is refused is told why, as text that nothing keeps", async () => {
  const site = new TestSite();
  const foreign = await site.ask("http://evil.example/livez");
  assert.equal(foreign.status, 403);
  assert.match(await foreign.text(), /^evil\.example .* SMTP_DASHBOARD_HOSTS\n$/);
  const wrong = await site.ask("/livez", { headers: bearer("wrong") });
  assert.equal(wrong.status, 401);
  assert.match(wrong.headers.get("www-authenticate")!, /^Basic realm=/);
  assert.equal(wrong.headers.get("cache-control"), "no-store");
  assert.doesNotMatch(await wrong.text(), new RegExp(`wrong.*${TOKEN}`));
});

Deno.test("S30 /healthz is a plain OK while the audit log is off, whoever asks", async () => {
  const site = new TestSite();
  for (const asked of [{}, { address: ELSEWHERE }, { headers: bearer(TOKEN) }]) {
    const response = await site.ask("/healthz", asked);
    assert.equal(typeOf(response), PLAIN);
    assert.equal(await response.text(), "OK\n");
  }
});

const READERS: Record<string, Asked> = {
  "this machine": {},
  "this machine by IPv6": { address: "::1" },
  "whoever has the token": { address: ELSEWHERE, headers: bearer(TOKEN) },
  "a browser with the token": { address: ELSEWHERE, headers: basic("x", TOKEN) },
  "a proxy that has the token": { headers: { ...bearer(TOKEN), "x-forwarded-for": ELSEWHERE } },
};

for (const [who, asked] of Object.entries(READERS)) {
  Deno.test(`S30 while the audit log is on /healthz goes on for ${who}`, async () => {
    const site = new TestSite();
    site.audit.turn(true, { content: false });
    const response = await site.ask("/healthz", asked);
    assert.equal(typeOf(response), PLAIN);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    assert.equal((await reader.read()).value, "OK\n");
    const next = reader.read();
    site.audit.line(7, "C", "EHLO x");
    site.audit.line(7, "S", "250 \x1b[31mOK");
    await turns();
    site.clock.turn(1_000);
    // Nothing in it can move a cursor.
    const lines = "2026-01-01T00:00:00.000Z 7 C: EHLO x\n" +
      "2026-01-01T00:00:00.000Z 7 S: 250 \\u001b[31mOK\n";
    assert.equal((await next).value, lines);
    await reader.cancel();
    assert.equal(await leftIn(site), 0);
  });
}

const OTHERS: Record<string, Asked> = {
  "others": { address: ELSEWHERE },
  "others by IPv6": { address: "2001:db8::1" },
  "whoever comes through a proxy": { headers: { "x-forwarded-for": ELSEWHERE } },
  "a proxy that says Forwarded": { headers: { forwarded: "for=127.0.0.1" } },
  "a program that asks for the head": { method: "HEAD" },
  "the head with the token": { method: "HEAD", address: ELSEWHERE, headers: bearer(TOKEN) },
};

for (const [who, asked] of Object.entries(OTHERS)) {
  Deno.test(`S30 while the audit log is on /healthz ends at once for ${who}`, async () => {
    const site = new TestSite();
    site.audit.turn(true, { content: false });
    const response = await site.ask("/healthz", asked);
    site.audit.line(1, "C", "MAIL FROM:<secret@example.com>");
    assert.equal(await response.text(), asked.method === "HEAD" ? "" : "OK\n");
  });
}

Deno.test("S30 whoever asks for the head takes no place of a reader", async () => {
  const site = new TestSite();
  site.audit.turn(true, { content: false });
  for (let i = 0; i < 20; i++) await site.ask("/healthz", { method: "HEAD" });
  const reader = (await site.ask("/healthz")).body!.getReader();
  await reader.read();
  const next = reader.read();
  await turns();
  site.clock.turn(30_000);
  assert.equal(new TextDecoder().decode((await next).value), "\n");
  await reader.cancel();
});

Deno.test("S30 a wrong token is no way to the audit log, not even from this machine", async () => {
  const site = new TestSite();
  site.audit.turn(true, { content: false });
  for (const address of [LOOPBACK, ELSEWHERE]) {
    for (const headers of [bearer("wrong"), basic("x", "wrong")]) {
      assert.equal((await site.ask("/healthz", { address, headers })).status, 401);
    }
    const byQuery = await site.ask(`/healthz?token=${TOKEN}&access_token=${TOKEN}`, {
      address: ELSEWHERE,
    });
    assert.equal(await byQuery.text(), "OK\n");
  }
});

Deno.test("S30 sixteen read at one time; whoever comes then gets a plain OK, until one leaves", async () => {
  const site = new TestSite();
  site.audit.turn(true, { content: false });
  const bodies = [];
  for (let i = 0; i < 16; i++) bodies.push((await site.ask("/healthz")).body!);
  assert.equal(await (await site.ask("/healthz")).text(), "OK\n");
  await bodies[3].cancel();
  const again = (await site.ask("/healthz")).body!;
  assert.equal(await (await site.ask("/healthz")).text(), "OK\n");
  // Twice is once.
  await bodies[3].cancel();
  assert.equal(await (await site.ask("/healthz")).text(), "OK\n");
  for (const body of [...bodies, again]) await body.cancel();
  assert.equal(await leftIn(site), 0);
});

Deno.test("S30 all readers come to their end when the audit log does, and others take their places", async () => {
  const site = new TestSite();
  for (let round = 0; round < 3; round++) {
    site.audit.turn(true, { content: false });
    const texts = [];
    for (let i = 0; i < 16; i++) texts.push((await site.ask("/healthz")).text());
    const response = await site.ask("/api/audit", { method: "PUT", body: '{"on":false}' });
    assert.deepEqual(await response.json(), { on: false });
    await turns();
    site.clock.turn(1_000);
    for (const text of await Promise.all(texts)) assert.equal(text, "OK\n(audit log off)\n");
  }
  assert.equal(site.clock.timers, 0);
});

Deno.test("S30 a reader that hears nothing is shown each half minute that it is not forgotten", async () => {
  const site = new TestSite();
  site.audit.turn(true, { content: false });
  const { body } = await site.ask("/healthz");
  const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
  await reader.read();
  for (let i = 0; i < 3; i++) {
    let heard: string | undefined;
    const next = reader.read().then(({ value }) => heard = value);
    // It is read only then.
    await turns();
    site.clock.turn(29_999);
    await turns();
    assert.equal(heard, undefined);
    site.clock.turn(1);
    assert.equal(await next, "\n");
  }
  await reader.cancel();
  assert.equal(await leftIn(site), 0);
});

Deno.test("the audit log is switched by this machine, or with the token, and by nobody else", async () => {
  const site = new TestSite();
  const put = (body: string, asked: Asked = {}) =>
    site.ask("/api/audit", { method: "PUT", body, ...asked });
  for (const asked of [{ address: ELSEWHERE }, { headers: { "x-forwarded-for": ELSEWHERE } }]) {
    const response = await put('{"on":true}', asked);
    assert.equal(response.status, 401);
    assert.match(response.headers.get("www-authenticate")!, /^Basic realm=/);
    assert.equal((await site.ask("/api/audit", asked)).status, 401);
    assert.equal((await site.ask("/api/x", asked)).status, 401);
  }
  assert.equal(site.audit.on, false);
  assert.deepEqual(await (await put('{"on":true}')).json(), { on: true });
  assert.equal(site.audit.on, true);
  const off = await put('{"on":false}', { address: ELSEWHERE, headers: bearer(TOKEN) });
  assert.deepEqual(await off.json(), { on: false });
  assert.deepEqual(await (await site.ask("/api/audit")).json(), { on: false });
  const BAD = ["", "{", "null", "1", "[]", "{}", '{"on":1}', '{"on":"true"}', '{"ON":true}'];
  for (const body of BAD) {
    assert.equal((await put(body)).status, 400, body);
    assert.equal(site.audit.on, false);
  }
});

const CHECKS: readonly Check[] = [
  { name: "store", state: "ok" },
  { name: "space", state: "warning", detail: "hidden one" },
];

Deno.test("B23 /readyz is 200 while nothing fails, 503 else; why is for the trusted only", async () => {
  const site = new TestSite();
  for (const [more, status] of [[[], 200], [[{ name: "queue", state: "failing" }], 503]] as const) {
    const checks = [...CHECKS, ...more.map((check) => ({ ...check, detail: "hidden two" }))];
    site.checks = () => Promise.resolve(checks);
    for (const asked of [{}, { address: ELSEWHERE, headers: bearer(TOKEN) }]) {
      const response = await site.ask("/readyz", asked);
      assert.equal(response.status, status);
      assert.equal(typeOf(response), "application/json");
      assert.deepEqual(await response.json(), { ready: status === 200, checks });
    }
    for (const asked of [{ address: ELSEWHERE }, { headers: { via: "1.1 x" } }]) {
      const response = await site.ask("/readyz", asked);
      assert.equal(response.status, status);
      const names = checks.map(({ name, state }) => ({ name, state }));
      assert.deepEqual(await response.json(), { ready: status === 200, checks: names });
    }
  }
});

Deno.test("B23 /livez is OK whatever fails, and neither asks nor streams", async () => {
  const site = new TestSite();
  site.audit.turn(true, { content: false });
  site.checks = () => Promise.reject(new Error("asked"));
  site.figures = () => Promise.reject(new Error("asked"));
  const response = await site.ask("/livez");
  assert.deepEqual([response.status, await response.text()], [200, "OK\n"]);
  assert.deepEqual(site.logged, []);
});

Deno.test("a page that fails says so to the log alone", async () => {
  const site = new TestSite();
  site.figures = () => Promise.reject(new Error("canary"));
  const response = await site.ask("/metrics");
  assert.deepEqual([response.status, await response.text()], [500, "internal error\n"]);
  assert.equal(site.logged[0].event, "page failed");
  assert.match(String(site.logged[0].fields.error), /canary/);
});
