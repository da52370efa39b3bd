/** The settings: where they come from, what is accepted, and how a wrong one is told. */

import assert from "node:assert/strict";
import { type Config, ConfigError, dkimKeys, loadConfig, reloaded, table } from "../src/config.ts";
import { environmentOf } from "./fakes/environment.ts";

type Variables = Record<string, string>;

function load(variables: Variables = {}, files: Variables = {}, hostname?: string, dev = false) {
  return loadConfig(environmentOf(variables, files, hostname), { dev });
}

function problems(variables: Variables, files: Variables = {}): readonly string[] {
  try {
    load(variables, files);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
  return [];
}

Deno.test("S1 the environment wins over .env, and empty means unset", () => {
  const files = { ".env": 'SMTP_PORT=1111\nSMTP_BANNER="from the file"\nSMTP_MAX_SIZE=\n' };
  const { config } = load({ SMTP_PORT: "2222", SMTP_MAX_RECIPIENTS: "" }, files);
  assert.equal(config.port, 2222);
  assert.equal(config.banner, "from the file");
  assert.equal(config.maxRecipients, 100);
  assert.equal(config.maxSize, 10 * 1024 * 1024);
});

Deno.test("S1 SMTP_ENV_FILE names another file, which must be there", () => {
  const files = { ".env": "SMTP_PORT=1111", "/etc/dinopost/env": "SMTP_PORT=3333" };
  assert.equal(load({ SMTP_ENV_FILE: "/etc/dinopost/env" }, files).config.port, 3333);
  assert.deepEqual(problems({ SMTP_ENV_FILE: "/none" }), [
    'SMTP_ENV_FILE: cannot read "/none": no such file',
  ]);
});

Deno.test("S2 to S9: the defaults are those of the table", () => {
  const { config } = load();
  assert.deepEqual(
    [config.mode, config.port, config.hostname, config.banner, config.debug],
    ["relay", 2525, "localhost", "Dinopost ready", false],
  );
  assert.deepEqual(config.listen, ["::", "0.0.0.0"]);
  assert.deepEqual(config.healthAddr, { host: "", port: 8080 });
  assert.deepEqual(
    [config.healthDisable, config.queuePath, config.queueWorkers, config.retentionDays],
    [false, "./data/spool", 4, 7],
  );
  assert.deepEqual(
    [config.authUsers, config.authInsecure, config.allowNetworks, config.allowHosts],
    [undefined, false, undefined, undefined],
  );
  assert.deepEqual([config.requireLocalDomain, config.tlsDisable, config.tlsCert], [
    true,
    false,
    undefined,
  ]);
  assert.deepEqual(
    [config.dkimSelector, config.dkimKeyPath, config.dkimPrivateKey, config.dkimDomain],
    [undefined, undefined, undefined, undefined],
  );
  assert.deepEqual([config.commandTimeout, config.queueLifetime], [900_000, 5 * 86_400_000]);
});

Deno.test("S2 the hostname is the system's where it can be one", () => {
  assert.equal(load({}, {}, "mail.example.com").config.hostname, "mail.example.com");
  assert.equal(load({}, {}, "no host!").config.hostname, "localhost");
  assert.equal(load({ SMTP_HOSTNAME: "Mx.Example" }, {}, "other").config.hostname, "mx.example");
});

Deno.test("development has defaults of its own, and a setting wins over each", () => {
  const { config } = load({}, {}, "mail.example.com", true);
  assert.deepEqual([config.mode, config.debug, config.requireLocalDomain], [
    "capture",
    true,
    false,
  ]);
  assert.deepEqual(config.listen, ["127.0.0.1", "::1"]);
  assert.deepEqual(config.allowNetworks, [
    { address: "127.0.0.0", prefix: 8 },
    { address: "::1", prefix: 128 },
  ]);
  assert.equal(config.hostname, "localhost");
  const other = load({ SMTP_DEBUG: "0", SMTP_MODE: "relay" }, {}, undefined, true).config;
  assert.deepEqual([other.debug, other.mode], [false, "relay"]);
});

Deno.test("B1 the configuration is frozen", () => {
  assert.ok(Object.isFrozen(load().config));
});

Deno.test("B1 every problem is told at once: name, value, what is accepted", () => {
  assert.deepEqual(
    problems({
      SMTP_PORT: "99999",
      SMTP_DEBUG: "maybe",
      SMTP_ALLOW_NETWORKS: "10.0.0.0/8,10.0.0.0/33",
      SMTP_MAX_SIZE: "10 elephants",
      SMTP_COMMAND_TIMEOUT: "0",
    }),
    [
      'SMTP_PORT: "99999" is not accepted: give a port from 0 to 65535',
      'SMTP_DEBUG: "maybe" is not accepted: give true, false, 1 or 0',
      'SMTP_MAX_SIZE: "10 elephants" is not accepted: give a size such as 500KB or 10MiB, ' +
      "from 1B to 1GiB",
      'SMTP_COMMAND_TIMEOUT: "0" is not accepted: give a duration such as 90s, 15m, 4h or 5d, ' +
      "at least 1s",
      'SMTP_ALLOW_NETWORKS: "10.0.0.0/8,10.0.0.0/33" is not accepted: ' +
      "give addresses and CIDR blocks such as 10.0.0.0/8, parted by commas",
    ],
  );
});

Deno.test("B1 a wrong secret is told without being shown", () => {
  const canary = "canary-9b1f";
  for (const name of ["SMTP_AUTH_USERS", "SMTP_RELAY_URL", "SMTP_ROUTES"]) {
    for (
      const found of [
        problems({ [name]: canary }),
        problems({ [`${name}_FILE`]: "/secret" }, { "/secret": canary + "\n" }),
      ]
    ) {
      assert.equal(found.length, 1);
      assert.match(
        found[0],
        new RegExp(`^${name}: (the value is not accepted|cannot read the value)`),
      );
      assert.ok(!found[0].includes(canary));
    }
  }
});

Deno.test("B2 a secret comes from a file; both together, or no file, is a problem", () => {
  const files = { "/users": "alice:one\nbob:two:three\n" };
  const users = load({ SMTP_AUTH_USERS_FILE: "/users" }, files).config.authUsers;
  assert.deepEqual([...users!], [["alice", "one"], ["bob", "two:three"]]);
  assert.deepEqual(problems({ SMTP_AUTH_USERS_FILE: "/users", SMTP_AUTH_USERS: "a:b" }, files), [
    "SMTP_AUTH_USERS: SMTP_AUTH_USERS_FILE is set too: set one of them",
  ]);
  assert.deepEqual(problems({ SMTP_AUTH_USERS_FILE: "/none" }), [
    'SMTP_AUTH_USERS_FILE: cannot read "/none": no such file',
  ]);
});

Deno.test("an unknown name within two letters of a known one is a warning", () => {
  const variables = {
    SMTP_ALLOW_HOSTS: "localhost",
    SMTP_PROT: "25",
    SMTP_ALLOW_NETWORK: "::1",
    SMTP_AUTH_USER_FILE: "/x",
    SMTP_HOST: "mail.example.com",
    SMTP_USERNAME: "alice",
    SMTP_FROM: "alice@example.com",
  };
  assert.deepEqual(load(variables).warnings, [
    "SMTP_PROT: not a setting: did you mean SMTP_PORT?",
    "SMTP_ALLOW_NETWORK: not a setting: did you mean SMTP_ALLOW_NETWORKS?",
    "SMTP_AUTH_USER_FILE: not a setting: did you mean SMTP_AUTH_USERS_FILE?",
  ]);
});

Deno.test("lines of a settings file that assign nothing are warned of; a byte order mark is not", () => {
  const files = {
    ".env": "\ufeffSMTP_PORT=1111\nSMTP_MODE: capture\n  SMTP_DEBUG\nHOST other\n# SMTP_X y\n" +
      "export SMTP_BANNER=x\nSMTP_ALLOW_HOSTS = localhost\n",
  };
  const { config, warnings } = load({}, files);
  assert.deepEqual([config.port, config.banner], [1111, "x"]);
  assert.deepEqual(warnings, [
    ".env:2: no setting: write NAME=value",
    ".env:3: no setting: write NAME=value",
    ".env:4: no setting: write NAME=value",
  ]);
});

Deno.test("settings that leave nobody in, or everybody, are warned of", () => {
  const nobody = "no client may use this server: set SMTP_ALLOW_NETWORKS or SMTP_ALLOW_HOSTS";
  assert.deepEqual(load().warnings, [nobody]);
  const everybody = { SMTP_ALLOW_NETWORKS: "10.0.0.0/8,0.0.0.0/0", SMTP_REQUIRE_LOCAL_DOMAIN: "0" };
  assert.match(load(everybody).warnings.join(), /anyone may send as anyone to anyone/);
  assert.deepEqual(load({ ...everybody, SMTP_MODE: "capture" }).warnings, []);
  assert.deepEqual(load({ SMTP_ALLOW_NETWORKS: "0.0.0.0/0" }).warnings, []);
});

Deno.test("a setting of a later version is refused if it is set", () => {
  for (const [key, { name, later, kind }] of Object.entries(table)) {
    if (!later) continue;
    const good = GOOD[key as keyof typeof table];
    assert.ok(good !== undefined, `${name} has no good value here`);
    const files = { "/file": "x" };
    const [problem, ...more] = problems({ [name]: good }, files);
    assert.match(problem ?? "", new RegExp(`^${name}: not yet in this version: leave it unset$`));
    assert.deepEqual(more, []);
    assert.ok(kind.accepted.length > 0);
  }
});

const GOOD: Partial<Record<keyof typeof table, string>> = {
  stagingAllow: "example.com,alice@example.net",
  stagingRewrite: "qa@example.com",
  faults: "anything",
};

Deno.test("B4 what changed is seen, in maps within values as well", () => {
  const policy = (domain: string): Config => ({
    ...load().config,
    tlsPolicy: { standard: "verify", domains: new Map([[domain, "none"]]) },
  });
  assert.deepEqual(reloaded(policy("a.example"), policy("a.example")).changed, []);
  const { changed, pending, config } = reloaded(policy("a.example"), {
    ...policy("b.example"),
    port: 2526,
  });
  assert.deepEqual([changed, pending], [["SMTP_TLS_POLICY"], ["SMTP_PORT"]]);
  assert.deepEqual([config.tlsPolicy.domains.has("b.example"), config.port], [true, 2525]);
});

Deno.test("a file that cannot be read is told with the reason", () => {
  assert.deepEqual(problems({ SMTP_TLS_KEY: "/no/such/key.pem" }), [
    'SMTP_TLS_KEY: cannot read "/no/such/key.pem": no such file: give a file that can be read',
  ]);
});

Deno.test("B1 settings that cannot go together are told at once, but those that are wrong alone", () => {
  const files = { "/cert": "c", "/key": "k" };
  assert.deepEqual(
    problems({
      SMTP_TLS_CERT: "/cert",
      SMTP_TLS_PORT: "2525",
      SMTP_TLS_DISABLE: "true",
      SMTP_PROXY_PROTOCOL: "true",
      SMTP_DEBUG: "perhaps",
    }, files),
    [
      'SMTP_DEBUG: "perhaps" is not accepted: give true, false, 1 or 0',
      "SMTP_TLS_CERT and SMTP_TLS_KEY: only one of them is set: set both, or none",
      "SMTP_TLS_PORT and SMTP_TLS_DISABLE: TLS is disabled: unset one of them",
      "SMTP_TLS_PORT and SMTP_PORT: both are 2525: each wants a port of its own",
      "SMTP_PROXY_PROTOCOL and SMTP_PROXIES: no proxy is named: name those that send it",
    ],
  );
  assert.deepEqual(problems({ SMTP_RELAY_URL: "smtp://alice@relay.example" }), [
    "SMTP_RELAY_URL and SMTP_RELAY_TOKEN: a user has neither password nor token: give one",
  ]);
  const pair = { SMTP_TLS_CERT: "/cert", SMTP_TLS_KEY: "/none" };
  assert.deepEqual(problems(pair, files).length, 1);
  const environment = {
    ...environmentOf({ ...pair, SMTP_TLS_KEY: "/key" }, files),
    faultOf: ({ cert, key }: { cert: string; key: string }) => `${key} is not of ${cert}`,
  };
  assert.throws(() => loadConfig(environment, { dev: false }), {
    message: "SMTP_TLS_CERT and SMTP_TLS_KEY: k is not of c",
  });
});

Deno.test("S9 keys for DKIM are whole, or the start is refused", () => {
  const key = "-----BEGIN PRIVATE KEY-----";
  const files = { "/key": key, "/keys/a.example/s1.pem": key, "/keys/b.example/s.2.pem": key };
  assert.deepEqual(problems({ SMTP_DKIM_SELECTOR: "s" }), [
    "SMTP_DKIM_SELECTOR: there is no key for it: set SMTP_DKIM_KEY_PATH",
  ]);
  assert.deepEqual(problems({ SMTP_DKIM_KEY_PATH: "/key" }, files), [
    "SMTP_DKIM_SELECTOR and SMTP_DKIM_KEY_PATH: a key wants a selector: set both",
  ]);
  assert.deepEqual(problems({ SMTP_DKIM_PRIVATE_KEY: key }), [
    "SMTP_DKIM_SELECTOR and SMTP_DKIM_PRIVATE_KEY: a key wants a selector: set both",
  ]);
  assert.deepEqual(problems({ SMTP_DKIM_DOMAIN: "a.example" }), [
    "SMTP_DKIM_DOMAIN: there is no key for it: set SMTP_DKIM_SELECTOR and a key",
  ]);
  assert.deepEqual(problems({ SMTP_DKIM_KEYS: "/none" }, files), [
    "SMTP_DKIM_KEYS: cannot read /none: no such file",
  ]);
  assert.deepEqual(problems({ SMTP_DKIM_KEYS: "/keys/a.example" }, files), [
    "SMTP_DKIM_KEYS: no key in /keys/a.example: keys are <domain>/<selector>.pem",
  ]);
  const shut = {
    ...environmentOf({ SMTP_DKIM_KEYS: "/keys" }, files),
    namesIn: (folder: string) =>
      folder === "/keys" ? ["a.example"] : { file: false, reason: "not permitted" },
  };
  assert.throws(() => loadConfig(shut, { dev: false }), {
    message: "SMTP_DKIM_KEYS: cannot read /keys/a.example: not permitted",
  });
  const odd = {
    "/odd/a b/s.pem": key,
    "/odd/a.example/a_b.pem": key,
    "/odd/a.example/note": "x",
    "/odd/README": "x",
  };
  assert.deepEqual(problems({ SMTP_DKIM_KEYS: "/odd" }, odd), [
    'SMTP_DKIM_KEYS: /odd/a b/s.pem: "a b" is no domain',
    'SMTP_DKIM_KEYS: /odd/a.example/a_b.pem: "a_b" is no selector: labels of a host name',
  ]);
  assert.deepEqual(problems({ SMTP_DKIM_KEYS: "/keys" }, files), []);
  const environment = environmentOf({}, files);
  const { config } = load({ SMTP_DKIM_KEYS: "/keys" }, files);
  assert.deepEqual(
    dkimKeys(config, environment).ofDomains.map(({ domain, selector }) => `${domain} ${selector}`),
    ["a.example s1", "b.example s.2"],
  );
});

Deno.test("users may have hashes, also in a list; what is wrong is told by its place", () => {
  const hash = `$scrypt$ln=15,r=8,p=1$${"A".repeat(22)}$${"A".repeat(43)}`;
  const { config } = load({ SMTP_AUTH_USERS: `alice:${hash},bob:two` });
  assert.deepEqual([...config.authUsers!], [["alice", hash], ["bob", "two"]]);
  const found = (lines: string) =>
    problems({ SMTP_AUTH_USERS_FILE: "/users" }, { "/users": lines })[0];
  assert.match(found("# users\nalice:one\nbob\n"), /number 3 is not user:password/);
  assert.match(found("alice:$argon2id$v=19$x\n"), /number 1 has a hash that is not known here/);
  assert.match(found("alice:one\nalice:two\n"), /number 2 is a user that was given before/);
});

Deno.test("a certificate that is named is used while developing, too", () => {
  const files = { "/cert": "c", "/key": "k" };
  const pair = { SMTP_TLS_CERT: "/cert", SMTP_TLS_KEY: "/key" };
  assert.equal(load({}, files, undefined, true).config.tlsDisable, true);
  assert.equal(load(pair, files, undefined, true).config.tlsDisable, false);
  const disabled = { ...pair, SMTP_TLS_DISABLE: "true" };
  assert.equal(load(disabled, files, undefined, true).config.tlsDisable, true);
});

Deno.test("what the kinds of settings refuse", () => {
  const bad: [string, string[]][] = [
    ["SMTP_MODE", ["Relay", "both"]],
    ["SMTP_LISTEN", ["localhost", "1.2.3", "256.1.1.1", ","]],
    ["SMTP_PORT", ["-1", "65536", "2525x", "0x10", "2 5"]],
    ["SMTP_HOSTNAME", ["a b", "-a", "a..b", "[127.0.0.1]"]],
    ["SMTP_BANNER", ["two\nlines", "\x1b[2J"]],
    ["SMTP_MAX_SIZE", ["0", "-1", "1.5MiB", "2GiB", "10XB"]],
    ["SMTP_MAX_RECIPIENTS", ["0", "1e3", "100001"]],
    ["SMTP_COMMAND_TIMEOUT", ["15 m", "15min", "-1s", "500ms"]],
    ["SMTP_RATE_MESSAGES", ["100", "0/1h", "100/0h", "100/", "/1h"]],
    ["SMTP_ALLOW_NETWORKS", ["10.0.0.0/", "10.0.0/8", "10.0.0.5/8", "::/129", "example.com"]],
    ["SMTP_ALLOW_HOSTS", ["http://x", "a b"]],
    ["SMTP_AUTH_USERS", ["alice", "alice:", ":secret", "alice:a,bob"]],
    ["SMTP_RELAY_URL", [
      "relay.example",
      "http://relay.example",
      "smtp://",
      "smtp://a/path",
      "smtp://u:50%@a",
    ]],
    ["SMTP_ROUTES", ["example.com", "example.com=ftp://x", "=mx", "a b=mx"]],
    ["SMTP_TLS_POLICY", ["always", "verify,example.com", "verify,example.com=always"]],
    ["SMTP_HEALTH_ADDR", ["8080", "localhost", ":99999", "a b:80"]],
    ["SMTP_DNS_SERVERS", ["dns.example", "127.0.0.1:x"]],
    ["SMTP_STAGING_REWRITE", ["qa", "@example.com"]],
    ["SMTP_DKIM_SELECTOR", ["a_b", "-a", "a..b", "a b", "a/b", "x".repeat(64)]],
  ];
  for (const [name, values] of bad) {
    for (const value of values) {
      const [problem] = problems({ [name]: value });
      assert.ok(problem?.startsWith(`${name}: `), `${name}=${JSON.stringify(value)} was taken`);
      assert.match(problem, /(is not accepted|cannot read .*): give /);
    }
  }
});
