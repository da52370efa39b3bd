/**
 * H3: whatever clients and servers say, the figures have the series that they had before, and
 * nothing of it is in them.
 */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";
import { ask, httpPortOf, WITH_HTTP } from "../fakes/http.ts";
import {
  type Parse,
  type Sample,
  seriesOf,
  testWithFigures,
  valueOf,
} from "../fakes/http_figures.ts";
import { Remote } from "../fakes/remote.ts";
import { base64, plainMessage } from "../fakes/sasl.ts";

/** Stands in everything that is said, and in nothing that is counted. */
const CANARY = "canary";
const LABELS = [
  `${CANARY}{x="y"} 1`,
  `${CANARY}"} 1`,
  `${CANARY}\\"} 1 # HELP ${CANARY} x`,
  `${CANARY}\\n${CANARY}_total 1`,
  `smtp_${CANARY}_total{command="x"} 1`,
  `${CANARY}\u2028${CANARY}`,
  `__${CANARY}__`,
];
/** What objects have anyhow. */
const INHERITED = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];

const USER = `${CANARY}{x="y"}`;
const REPLIES = [
  `550 5.1.1 ${CANARY}{x="y"} 1\r\n`,
  `599 9.9.9 ${CANARY}\\n${CANARY} 1\r\n`,
  `451-4.3.0 ${CANARY}\r\n451 ${CANARY}"} 1\r\n`,
  `250 2.1.5 ${CANARY}\r\n`,
];
/** Whoever says so is left at once: some do. */
const NONSENSE = [`650 ${CANARY}\r\n`, `${CANARY} 250\r\n`];

interface Scraped {
  readonly samples: readonly Sample[];
  readonly series: readonly string[];
  /** Names and labels of the other form. */
  readonly variables: readonly string[];
}

async function scraped(port: number, parse: Parse): Promise<Scraped> {
  const text = (await ask(port, "/metrics/prometheus")).body;
  const json = (await ask(port, "/metrics")).body;
  for (const body of [text, json]) assert.doesNotMatch(body, new RegExp(CANARY, "i"));
  const samples = await parse(text);
  for (const { name, value } of samples) assert.ok(Number.isFinite(value), name);
  const variables = Object.entries(JSON.parse(json)).flatMap(([name, value]) => [
    name,
    ...(typeof value === "object" ? Object.keys(value!) : []),
  ]);
  return { samples, series: seriesOf(samples), variables };
}

/** Nothing new, nothing gone; but what is counted by a name has grown. */
function assertSame(before: Scraped, after: Scraped, grown: string, labels = {}, by = 1): void {
  assert.deepEqual(after.series, before.series);
  assert.deepEqual(after.variables, before.variables);
  const more = valueOf(after.samples, grown, labels) - valueOf(before.samples, grown, labels);
  assert.ok(more >= by, `${more} more of ${grown}`);
}

async function withRelay(
  run: (relay: { daemon: Daemon; remote: Remote; httpPort: number }) => Promise<void>,
): Promise<void> {
  let said = 0;
  await using remote = new Remote(async (talk) => {
    const turn = () =>
      ++said % 500 === 0 ? NONSENSE[said / 500 % 2] : REPLIES[said % REPLIES.length];
    // Each recipient is told something else.
    await talk.serve({
      get RCPT() {
        return turn();
      },
      EHLO: `250-${CANARY}{x="y"}\r\n250 8BITMIME\r\n`,
    });
  });
  await using daemon = await Daemon.start({
    settings: {
      ...WITH_HTTP,
      SMTP_MODE: "relay",
      SMTP_DEBUG: "false",
      SMTP_LOG_LEVEL: "error",
      SMTP_RELAY_URL: `smtp://127.0.0.1:${remote.port}`,
      SMTP_TLS_POLICY: "none",
      SMTP_AUTH_INSECURE: "true",
      SMTP_AUTH_USERS: `${USER}:secret`,
      SMTP_MAX_CLIENTS_PER_ADDRESS: "1000",
      SMTP_PROXIES: "127.0.0.1",
    },
  });
  await run({ daemon, remote, httpPort: httpPortOf(daemon) });
}

testWithFigures("H3 hostile commands and names of clients make no series", async (parse) => {
  await withRelay(async ({ daemon, httpPort }) => {
    const before = await scraped(httpPort, parse);
    const verbs = [...LABELS, ...INHERITED, ...INHERITED.map((verb) => verb.toUpperCase())];
    const lines = [
      ...verbs,
      ...verbs.map((verb) => `${verb} ${verb}`),
      ...verbs.flatMap((verb) => [`EHLO ${verb}`, `HELO ${verb}`, `MAIL FROM:<${verb}>`]),
      ...verbs.flatMap((verb) => [`RCPT TO:<${verb}>`, `XCLIENT NAME=${verb}`, `VRFY ${verb}`]),
      ...verbs.flatMap((verb) => [`AUTH ${verb}`, `HELP ${verb}`, `BDAT ${verb}`, `NOOP ${verb}`]),
      // However many there are.
      ...Array.from({ length: 500 }, (_, i) => `${CANARY}${i} x`),
    ];
    // A few each: whoever says more of them is not heard out.
    for (let i = 0; i < lines.length; i += 4) {
      using client = await Client.greeted(daemon.port);
      for (const line of lines.slice(i, i + 4)) await client.ask(line);
      await client.ask("QUIT");
    }
    const after = await scraped(httpPort, parse);
    assertSame(before, after, "smtp_commands_total", { command: "other" }, 500);
  });
});

testWithFigures("H3 hostile user names make no series", async (parse) => {
  await withRelay(async ({ daemon, httpPort }) => {
    const before = await scraped(httpPort, parse);
    using client = await Client.greeted(daemon.port);
    await client.ask("EHLO x");
    const plain = (user: string) => base64(plainMessage({ user, password: "secret" }));
    assert.match(await client.ask(`AUTH PLAIN ${plain(INHERITED[0])}`), /^535 /);
    assert.match(await client.ask(`AUTH PLAIN ${plain(LABELS[1])}`), /^535 /);
    assert.match(await client.ask(`AUTH PLAIN ${plain(USER)}`), /^235 /);
    const after = await scraped(httpPort, parse);
    assertSame(before, after, "smtp_logins_total", { result: "accepted" });
    assertSame(before, after, "smtp_logins_total", { result: "refused" }, 2);
  });
});

const DOMAINS = 10_000, EACH = 100;

testWithFigures(
  "H3 recipients in ten thousand domains and hostile replies make no series",
  async (parse) => {
    await withRelay(async ({ daemon, remote, httpPort }) => {
      const before = await scraped(httpPort, parse);
      for (let i = 0; i < DOMAINS; i += EACH) {
        using client = await Client.greeted(daemon.port);
        await client.ask("EHLO x");
        const to = Array.from({ length: EACH }, (_, j) => `${CANARY}@${CANARY}-${i + j}.example`);
        const recipients = to.map((each) => `RCPT TO:<${each}>\r\n`).join("");
        await client.send(`MAIL FROM:<>\r\n${recipients}DATA\r\n`);
        for (let reply = 0; reply < EACH + 1; reply++) assert.match(await client.reply(), /^250 /);
        assert.match(await client.reply(), /^354 /);
        assert.match(await client.ask(`Subject: ${CANARY}\r\n\r\nx\r\n.`), /^250 /);
        await client.ask("QUIT");
      }
      // Every one was tried, and told one of the replies.
      let told: Record<string, number>;
      do {
        const { body } = await ask(httpPort, "/metrics");
        told = JSON.parse(body).smtp_delivery_attempts_total;
      } while (told.delivered + told.deferred + told.failed < DOMAINS);
      assert.ok(remote.sessions > 0);
      const after = await scraped(httpPort, parse);
      for (const outcome of ["delivered", "deferred", "failed"]) {
        assertSame(before, after, "smtp_delivery_attempts_total", { outcome }, DOMAINS / 100);
      }
    });
  },
);
