/**
 * H2: whoever asks by a foreign name, for a page of another site, or for a path that somebody may
 * read as another, is refused, and never gets at the audit log, which is on.
 */

import assert from "node:assert/strict";
import { Daemon } from "../fakes/daemon.ts";
import { curl, type Curled, exchange, httpPortOf, WITH_HTTP } from "../fakes/http.ts";
import { testWith } from "../fakes/tools.ts";

const NAVIGATES = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"];

const TOKEN = "h2-token-4711";
const SETTINGS = {
  ...WITH_HTTP,
  SMTP_DEBUG: "true",
  SMTP_HOSTNAME: "Relay.Example",
  SMTP_DASHBOARD_HOSTS: "Mail.Example,192.0.2.25",
  SMTP_DASHBOARD_TOKEN: TOKEN,
};

type Args = readonly string[];

/** Asks curl, several at one time; in words what came of each. */
async function withAsked(
  program: string,
  cases: Readonly<Record<string, (at: string) => Args>>,
  judge: (what: string, curled: Curled) => void,
): Promise<void> {
  await using daemon = await Daemon.start({ settings: SETTINGS });
  const at = `http://127.0.0.1:${httpPortOf(daemon)}`;
  await Promise.all(
    Object.entries(cases).map(async ([what, argsFor]) => {
      judge(what, await curl(program, "--max-time", "15", ...argsFor(at)));
    }),
  );
}

const asked = (...headers: string[]) => headers.flatMap((header) => ["-H", header]);
const by = (...headers: string[]) => (at: string) => [...asked(...headers), `${at}/healthz`];
const target = (path: string) => (at: string) => ["--request-target", path, at];

/** A refusal: a short text, and an end. */
function assertRefused(what: string, { status, body, code }: Curled): void {
  assert.equal(code, 0, what);
  assert.ok([400, 401, 403, 404].includes(status), `${what}: ${status} ${body}`);
  assert.ok(body.length < 200 && !/^OK/m.test(body), `${what}: ${body}`);
}

const NAMES: Record<string, (at: string) => Args> = {
  "a foreign name": by("Host: evil.example"),
  "a foreign name with a port": by("Host: evil.example:8080"),
  "a foreign name that begins as ours": by("Host: relay.example.evil.example"),
  "a foreign name that ends as ours": by("Host: notrelay.example"),
  "a name below ours": by("Host: x.relay.example"),
  "a name that begins with an address": by("Host: 127.0.0.1.evil.example"),
  "a name that ends as localhost": by("Host: evil-localhost"),
  "a name that only looks like localhost": by("Host: localhost.evil.example"),
  "no name": by("Host:"),
  "an empty name": by("Host;"),
  "a name with a user": by("Host: relay.example@evil.example"),
  "a name with a path": by("Host: relay.example/evil"),
  "two names in one": by("Host: localhost, evil.example"),
  "a foreign name with the token": by("Host: evil.example", `Authorization: Bearer ${TOKEN}`),
};

testWith("curl", "H2 a foreign Host is refused, with the token too", async (program) => {
  await withAsked(program, NAMES, assertRefused);
});

Deno.test("H2 two Hosts, and a name that another part of the request gives, are refused", async () => {
  await using daemon = await Daemon.start({ settings: SETTINGS });
  const port = httpPortOf(daemon);
  for (
    const head of [
      "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nHost: evil.example\r\nHost: localhost\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nHost: localhost\r\nhost: localhost\r\n\r\n",
      "GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET http://localhost/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n",
      "GET //evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nHost : localhost\r\nHost: localhost\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nX: y\r\n Host: localhost\r\nHost: evil.example\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nX-Forwarded-Host: localhost\r\nHost: evil.example\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nX-Forwarded-Host: localhost\r\n\r\n",
      "GET /healthz HTTP/1.0\r\n\r\n",
      "GET /healthz\r\n\r\n",
    ]
  ) {
    const { status, body } = await exchange(port, head);
    assertRefused(head, { status, body, code: 0 });
  }
});

const site = (...headers: string[]) => by(...headers);

const SITES: Record<string, (at: string) => Args> = {
  "another site": site("Origin: http://evil.example"),
  "another port of this machine": site("Origin: http://localhost:3000"),
  "no site": site("Origin: null"),
  "another site, says the browser": site("Sec-Fetch-Site: cross-site"),
  "a frame of another site": site(...NAVIGATES, "Sec-Fetch-Dest: iframe"),
  "a script of another site": site("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"),
  "another port, says the browser": site("Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors"),
  "a form of another site": (at) => [
    ...asked("Origin: http://evil.example", "Sec-Fetch-Site: cross-site"),
    ...asked("Sec-Fetch-Mode: navigate"),
    ...["--data", '{"on":false}', `${at}/api/audit`],
  ],
  "an order of another site": (at) => [
    ...asked("Origin: http://evil.example"),
    ...["-X", "PUT", "--data", '{"on":false}', `${at}/api/audit`],
  ],
  "an order of another site, as text": (at) => [
    ...asked("Origin: http://evil.example", "Content-Type: text/plain"),
    ...["-X", "PUT", "--data", '{"on":false}', `${at}/api/audit`],
  ],
  "whether an order may be given": (at) => [
    ...asked("Origin: http://evil.example", "Access-Control-Request-Method: PUT"),
    ...["-X", "OPTIONS", `${at}/api/audit`],
  ],
};

testWith("curl", "H2 a page of another site may neither ask nor order", async (program) => {
  await withAsked(program, SITES, assertRefused);
});

/** Of `/healthz`, `/livez` and `/api/audit`, and of what leads elsewhere. */
const PATHS = [
  "/%68ealthz/..%2fhealthz",
  "/.%2e/healthz",
  "/%2e/healthz",
  "/%2e%2e/healthz",
  "/%2E%2E/healthz",
  "/../healthz",
  "/./healthz",
  "/x/../healthz",
  "/healthz/.",
  "/healthz/..",
  "/livez/../healthz",
  "/livez%2f..%2fhealthz",
  "/livez%2F%2e%2e%2Fhealthz",
  "/livez/%2e%2e/healthz",
  "/livez%5c..%5chealthz",
  "/livez\\..\\healthz",
  "\\healthz",
  "/\\healthz",
  "//healthz",
  "///healthz",
  "//evil.example/healthz",
  "/healthz//",
  "/healthz/",
  "/healthz%00",
  "/healthz%00.html",
  "/livez%00/../healthz",
  "/%00/healthz",
  "/healthz%20",
  "/healthz%0d%0aX:%20y",
  "/healthz;x=y",
  "/HEALTHZ",
  "/%",
  "/%zz/healthz",
  "/%2",
  "/%252e%252e/healthz",
  "/%c0%af/healthz",
  "/%c0%ae%c0%ae/healthz",
  "/api//audit",
  "/api/./audit",
  "/api%2faudit",
  "/api/x/../audit",
  "/api/%61udit/..",
  "http://127.0.0.1/healthz",
  "http://localhost/healthz",
  "http://evil.example/healthz",
  "https://evil.example/healthz",
  "file:///healthz",
  "healthz",
  "*",
  "?",
  "#/healthz",
  "/healthz#x",
  "/../../../../../../etc/passwd",
  "/..%2f..%2f..%2fetc%2fpasswd",
];

testWith("curl", "H2 a path that may be read as another is refused", async (program) => {
  const cases = Object.fromEntries(PATHS.map((path) => [path, target(path)]));
  await withAsked(program, cases, assertRefused);
});

testWith("curl", "H2 a path or a query without end is refused", async (program) => {
  await using daemon = await Daemon.start({ settings: SETTINGS });
  const at = `http://127.0.0.1:${httpPortOf(daemon)}`;
  for (
    const path of [`/${"a".repeat(8_000)}`, `/${"a/".repeat(4_000)}`, `/${"%61".repeat(4_000)}`]
  ) {
    const { status, code } = await curl(program, ...target(path)(at));
    assert.deepEqual([status, code], [404, 0], path.slice(0, 5));
  }
  for (const path of [`/${"a".repeat(20_000)}`, `/healthz?${"a".repeat(20_000)}`]) {
    const { status, code } = await curl(program, ...target(path)(at));
    assert.deepEqual([status, code], [431, 0], path.slice(0, 10));
  }
});

const THROUGH = "X-Forwarded-For: 192.0.2.1";

testWith("curl", "H2 a wrong token is refused, and none by query is taken", async (program) => {
  const audit = (...args: Args) => (at: string) => [...args, `${at}/api/audit`];
  const query = `token=${TOKEN}&access_token=${TOKEN}&key=${TOKEN}`;
  await withAsked(program, {
    "Bearer": by("Authorization: Bearer wrong"),
    "Bearer, cut": by(`Authorization: Bearer ${TOKEN.slice(0, -1)}`),
    "Bearer, longer": by(`Authorization: Bearer ${TOKEN}x`),
    "Bearer, nothing": by("Authorization: Bearer"),
    "Basic": (at) => ["-u", "admin:wrong", `${at}/healthz`],
    "Basic, as the user": (at) => ["-u", `${TOKEN}:`, `${at}/healthz`],
    "Digest": by(`Authorization: Digest response="${TOKEN}"`),
    "no scheme": by(`Authorization: ${TOKEN}`),
    "two": by(`Authorization: Bearer ${TOKEN}`, "Authorization: Bearer wrong"),
    "through a proxy without one": audit(...asked(THROUGH)),
    "by query": (at) => [...asked(THROUGH), `${at}/api/audit?${query}`],
    "by cookie": audit(...asked(THROUGH, `Cookie: token=${TOKEN}`)),
    "by a header of its own": audit(...asked(THROUGH, `X-Token: ${TOKEN}`, `Token: ${TOKEN}`)),
    "in the body": audit(
      ...asked(THROUGH),
      "-X",
      "PUT",
      "--data",
      `{"on":false,"token":"${TOKEN}"}`,
    ),
  }, assertRefused);
  await withAsked(program, {
    "by query": (at) => [...asked(THROUGH), `${at}/healthz?${query}`],
    "through a proxy": (at) => [...asked(THROUGH), `${at}/healthz`],
  }, (what, { status, body, code }) => {
    // To those who may not read it, it is a probe.
    assert.deepEqual([status, body, code], [200, "OK\n", 0], what);
  });
});

const live = (...headers: string[]) => (at: string) => [...asked(...headers), `${at}/livez`];

testWith(
  "curl",
  "H2 addresses, localhost, and the names that were set are answered",
  async (program) => {
    await withAsked(program, {
      "the address": live(),
      "another address": live("Host: 192.0.2.99"),
      "an address of IPv6": live("Host: [2001:db8::1]:8080"),
      "localhost": live("Host: localhost"),
      "localhost with a port": live("Host: LocalHost:1234"),
      "a name below localhost": live("Host: app.localhost"),
      "the own name": live("Host: relay.example"),
      "the own name in capitals": live("Host: RELAY.EXAMPLE:8080"),
      "a further name": live("Host: mail.example"),
      "a further name with a port": live("Host: mail.example:443"),
      "a page of its own": live("Host: mail.example", "Origin: http://mail.example"),
      "a page of its own by TLS": live("Host: mail.example", "Origin: https://mail.example"),
      "a bookmark": live("Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"),
      "a link elsewhere": live(...NAVIGATES, "Sec-Fetch-Dest: document"),
      "the token": live(THROUGH, `Authorization: Bearer ${TOKEN}`),
      "the token for a browser": (at) => ["-u", `anybody:${TOKEN}`, ...live(THROUGH)(at)],
      "a query": (at) => [`${at}/livez?a=b&c=..%2f`],
    }, (what, { status, body, code }) => {
      assert.deepEqual([status, body, code], [200, "OK\n", 0], what);
    });
  },
);
