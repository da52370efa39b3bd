/** S26, B17, O5: names as Unbound gives them, to our questions and to the daemon that delivers. */

import assert from "node:assert/strict";
import { dnsOf } from "../../src/deno/dns.ts";
import type { ShownMessage } from "../../src/ports/store.ts";
import { Client } from "../fakes/client.ts";
import { Daemon, dinopost, runToEnd } from "../fakes/daemon.ts";
import { Remote } from "../fakes/remote.ts";
import { testWith } from "../fakes/tools.ts";
import { Unbound } from "../fakes/unbound.ts";

const repeated = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join("\n");

/** Hosts are on loopback, where one test has a server; `failing` has no name server that answers. */
const EXAMPLE = `
plain A 127.0.0.1
several MX 20 second.several
several MX 10 first.several
first.several CNAME host
second.several A 127.0.0.1
host A 127.0.0.1
hidden CNAME several
six AAAA ::1
sixth MX 10 six
both A 127.0.0.1
both AAAA ::1
down MX 10 six
down MX 20 host
cAsE MX 10 Host.CASE
host.case A 127.0.0.1
null MX 0 .
loop MX 10 Relay
loop MX 20 host
homeless MX 10 nobody
dangling CNAME nobody
failing NS ns.failing
ns.failing A 127.0.0.1
hides CNAME x.failing
lost MX 10 x.failing
local MX 10 localhost.
private MX 10 host.private
host.private A 10.0.0.1
host.private AAAA fd00::1
nearby MX 10 six
nearby MX 20 host
relay A 127.0.0.1
text TXT "v=STSv1; " "id=1;"
`;

/** More than fits into a datagram of 512 octets: hosts, a text, and what is said of no such name. */
const label = (letter: string) => letter.repeat(60);
const LONG = `
@ SOA ${["a", "b", "c", "d"].map(label).join(".")}. ${["e", "f", "g", "h"].map(label).join(".")}. (
  1 60 60 60 60 )
${repeated(30, (i) => `hosts MX ${30 - i} host${i}.hosts`)}
*.hosts A 127.0.0.1
text TXT ${repeated(10, () => `"${label("x")}"`).replaceAll("\n", " ")}
bare A 127.0.0.1
`;

const ZONES = { "example": EXAMPLE, "long.example": LONG };
const LINES = [
  "max-udp-size: 512",
  'local-zone: "refused.example." refuse',
  'local-zone: "silent.example." deny',
  // Aliases that it does not look behind.
  ...[["behind", "x.failing"], ["gone", "nobody"], ["bare", "plain"], ["circle", "circle"]]
    .flatMap(([name, target]) => [
      `local-zone: "${name}.alias.example." static`,
      `local-data: "${name}.alias.example. CNAME ${target}.example."`,
    ]),
  'local-zone: "circle.example." static',
  'local-data: "circle.example. CNAME circle.alias.example."',
  // Its address is known, but not whether it has an MX.
  'local-zone: "half.failing.example." typetransparent',
  'local-data: "half.failing.example. A 127.0.0.1"',
];
const SHORT = { lookUp: 300, udp: 50, tcp: 200 };

const found = <T>(...records: T[]) => ({ kind: "found", records });

testWith(
  "unbound",
  "S26 Unbound: records are found, by whatever spelling and alias",
  async (at) => {
    await using unbound = await Unbound.start(at, { zones: ZONES, lines: LINES });
    const dns = dnsOf(unbound.servers);
    const hosts = async (name: string) => {
      const answer = await dns.mx(name);
      assert.ok(answer.kind === "found", `${name}: ${JSON.stringify(answer)}`);
      return answer.records.map(({ preference, host }) => `${preference} ${host.toLowerCase()}`)
        .sort();
    };
    const several = ["10 first.several.example", "20 second.several.example"];
    for (
      const name of ["several.example", "several.example.", "SeVeRaL.Example", "hidden.example"]
    ) {
      assert.deepEqual(await hosts(name), several, name);
    }
    assert.deepEqual(await hosts("case.example"), ["10 host.case.example"]);
    assert.deepEqual(await hosts("null.example"), ["0 "]);
    assert.deepEqual(await dns.addresses("first.several.example", "ipv4"), found("127.0.0.1"));
    assert.deepEqual(await dns.addresses("SIX.example.", "ipv6"), found("::1"));
    assert.deepEqual(await dns.addresses("six.example", "ipv4"), { kind: "none" });
    assert.deepEqual(await dns.texts("text.example"), found("v=STSv1; id=1;"));
  },
);

testWith(
  "unbound",
  "O5 Unbound: no such name, no such record, and what failed are told apart",
  async (at) => {
    await using unbound = await Unbound.start(at, { zones: ZONES, lines: LINES });
    const dns = dnsOf(unbound.servers);
    for (
      const [name, kind, words] of [
        ["plain.example", "none"],
        ["PLAIN.example.", "none"],
        ["nobody.example", "nonexistent"],
        ["dangling.example", "nonexistent"],
        ["failing.example", "unknown", "SERVFAIL"],
        ["x.failing.example", "unknown", "SERVFAIL"],
        ["hides.example", "unknown", "SERVFAIL"],
        ["x.refused.example", "unknown", "REFUSED"],
        ["behind.alias.example", "unknown", "SERVFAIL"],
        ["gone.alias.example", "nonexistent"],
        ["bare.alias.example", "none"],
        ["circle.example", "unknown", "too many aliases"],
      ] as const
    ) {
      for (const answer of [await dns.mx(name), await dns.addresses(name, "ipv6")]) {
        assert.equal(answer.kind, kind, name);
        if (answer.kind === "unknown") assert.match(answer.reason, new RegExp(words!), name);
      }
    }
    assert.equal(await unbound.overTcp(), 0);
  },
);

testWith("unbound", "O5 Unbound: a question that it drops leaves it unknown", async (at) => {
  await using unbound = await Unbound.start(at, { zones: ZONES, lines: LINES });
  const answer = await dnsOf(unbound.servers, SHORT).mx("silent.example");
  assert.equal(answer.kind, "unknown");
});

testWith("unbound", "O5 Unbound: an answer that was cut is had over TCP", async (at) => {
  await using unbound = await Unbound.start(at, { zones: ZONES, lines: LINES });
  const dns = dnsOf(unbound.servers);
  const hosts = await dns.mx("hosts.long.example");
  assert.equal(hosts.kind === "found" && hosts.records.length, 30);
  assert.deepEqual(await dns.texts("text.long.example"), found(label("x").repeat(10)));
  assert.equal(await unbound.overTcp(), 2);
  // The resolver asks over both, and so do we, to hear why.
  assert.deepEqual(await dns.mx("nobody.long.example"), { kind: "nonexistent" });
  assert.equal(await unbound.overTcp(), 4);
  assert.deepEqual(await dns.mx("bare.long.example"), { kind: "none" });
  assert.equal(await unbound.overTcp(), 6);
});

testWith("unbound", "O5 Unbound: what was cut is unknown where nobody has TCP", async (at) => {
  const lines = [...LINES, "do-tcp: no"];
  await using unbound = await Unbound.start(at, { zones: ZONES, lines });
  const dns = dnsOf(unbound.servers);
  assert.equal((await dns.mx("several.example")).kind, "found");
  for (const name of ["hosts.long.example", "nobody.long.example", "bare.long.example"]) {
    assert.equal((await dns.mx(name)).kind, "unknown", name);
  }
});

async function send(port: number, domains: readonly string[]): Promise<string> {
  using client = await Client.greeted(port);
  await client.ask("EHLO client.example");
  await client.ask("MAIL FROM:<a@example.com>");
  for (const domain of domains) assert.match(await client.ask(`RCPT TO:<b@${domain}>`), /^250/);
  await client.ask("DATA");
  const reply = await client.ask("Subject: hello\r\n\r\nhello\r\n.");
  return /([0-9a-z]+)$/.exec(reply)![1];
}

/** Sends one message to them all: by domain, what became of it, its status and host. */
async function outcomes(
  settings: Readonly<Record<string, string>>,
  domains: readonly string[],
): Promise<Record<string, string>> {
  const folder = await Deno.makeTempDir();
  const all = {
    SMTP_MODE: "relay",
    SMTP_DEBUG: "false",
    SMTP_MIN_FREE: "0B",
    SMTP_RELAY_URL: "",
    SMTP_HOSTNAME: "relay.example",
    SMTP_QUEUE_PATH: `${folder}/spool`,
    ...settings,
  };
  try {
    await using daemon = await Daemon.start({ settings: all });
    const id = await send(daemon.port, domains);
    for (const domain of domains) {
      await daemon.says(new RegExp(`message [a-z]+ id=${id} .* domain=${domain.toLowerCase()} `));
    }
    // What it has told of is written down when it has ended.
    daemon.signal("SIGTERM");
    assert.equal((await daemon.status).code, 0, daemon.output);
    const { stdout } = await runToEnd(dinopost("messages", "show", id, "--json", "--dev"), all);
    const { attempts }: ShownMessage = JSON.parse(stdout);
    return Object.fromEntries(
      attempts.map(({ address, outcome: { kind, status, host = "" } }) => [
        address.replace("b@", ""),
        `${kind} ${status} ${host.toLowerCase()}`.trim(),
      ]),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const UNKNOWN = "deferred 4.4.3";

testWith("unbound", "O5 Unbound: mail is delivered, fails or waits by what it says", async (at) => {
  await using unbound = await Unbound.start(at, { zones: ZONES, lines: LINES });
  await using remote = new Remote((talk) => talk.serve());
  const delivered = (host: string) => `delivered 2.0.0 ${host}.example [127.0.0.1]`;
  const expected = {
    "plain.example": delivered("plain"),
    "several.example": delivered("first.several"),
    "hidden.example": delivered("first.several"),
    "down.example": delivered("host"),
    "CaSe.Example": delivered("host.case"),
    "hosts.long.example": delivered("host29.hosts.long"),
    "bare.long.example": delivered("bare.long"),
    "null.example": "failed 5.1.10",
    "loop.example": "failed 5.4.6",
    "homeless.example": "failed 5.4.4",
    "nobody.example": "failed 5.1.2",
    "dangling.example": "failed 5.1.2",
    "nobody.long.example": "failed 5.1.2",
    "x.failing.example": UNKNOWN,
    "hides.example": UNKNOWN,
    "half.failing.example": UNKNOWN,
    "lost.example": UNKNOWN,
    "x.refused.example": UNKNOWN,
    "behind.alias.example": UNKNOWN,
    "gone.alias.example": "failed 5.1.2",
    // It is this host, though no MX says so.
    "relay.example": "failed 5.4.6",
  };
  const settings = {
    SMTP_DNS_SERVERS: unbound.setting,
    SMTP_DELIVERY_PORT: String(remote.port),
    SMTP_ALLOW_LOCAL_TARGETS: "true",
  };
  assert.deepEqual(await outcomes(settings, Object.keys(expected)), expected);
});

testWith("unbound", "O5 Unbound: hosts with local addresses get nothing", async (at) => {
  await using unbound = await Unbound.start(at, { zones: ZONES, lines: LINES });
  await using remote = new Remote((talk) => talk.serve());
  const domains = ["plain", "several", "sixth", "nearby", "private", "local"]
    .map((name) => `${name}.example`);
  const settings = {
    SMTP_DNS_SERVERS: unbound.setting,
    SMTP_DELIVERY_PORT: String(remote.port),
  };
  const expected = Object.fromEntries(domains.map((domain) => [domain, "failed 5.4.6"]));
  assert.deepEqual(await outcomes(settings, domains), expected);
  assert.equal(remote.sessions, 0);
});

testWith("unbound", "B17 Unbound: over IPv6, to hosts that have it alone or beside", async (at) => {
  await using unbound = await Unbound.start(at, { zones: ZONES, lines: LINES, address: "::1" });
  await using remote = new Remote((talk) => talk.serve(), "::1");
  const expected = {
    "six.example": "delivered 2.0.0 six.example [::1]",
    "sixth.example": "delivered 2.0.0 six.example [::1]",
    "both.example": "delivered 2.0.0 both.example [::1]",
    "nobody.example": "failed 5.1.2",
    "nobody.long.example": "failed 5.1.2",
    "x.refused.example": UNKNOWN,
  };
  const settings = {
    SMTP_DNS_SERVERS: unbound.setting,
    SMTP_DELIVERY_PORT: String(remote.port),
    SMTP_ALLOW_LOCAL_TARGETS: "true",
    // Where nobody is.
    SMTP_IP_PREFERENCE: "ipv4",
  };
  assert.deepEqual(await outcomes(settings, Object.keys(expected)), expected);
  assert.ok(await unbound.overTcp() > 0);
});
