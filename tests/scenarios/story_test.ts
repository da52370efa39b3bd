/**
 * B26: the story of one message is in the lines that have its id, from who gave it to the last
 * reply of whoever took it.
 */

import assert from "node:assert/strict";
import { certified, writePair } from "../fakes/certificate.ts";
import { Client } from "../fakes/client.ts";
import { dinopost, runToEnd } from "../fakes/daemon.ts";
import { type Line, linesOf, LogDaemon } from "../fakes/log_daemon.ts";
import { Remote, type Talk } from "../fakes/remote.ts";
import { base64, plainMessage } from "../fakes/sasl.ts";

const USER = "alice";
const PASSWORD = "not to be shown";
const LEVELS = ["debug", "info"] as const;

const SETTINGS = {
  SMTP_TLS_DISABLE: "false",
  SMTP_TLS_PORT: "0",
  SMTP_AUTH_USERS: `${USER}:${PASSWORD}`,
  SMTP_DEBUG: "false",
};

/** `dead.example`: nobody is there. */
const ROUTES = "held.example=hold,no.example=reject,dead.example=smtp://127.0.0.1:1";

type Level = typeof LEVELS[number];

/** A daemon with a relay behind it, that does as it is told. */
async function withRelay(
  level: Level,
  talk: (talk: Talk) => Promise<void>,
  work: (daemon: LogDaemon, ca: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const { ca, pair } = await certified();
    await writePair(folder, pair);
    await using remote = new Remote(talk);
    await using daemon = await LogDaemon.start({
      ...SETTINGS,
      SMTP_TLS_CERT: `${folder}/cert.pem`,
      SMTP_TLS_KEY: `${folder}/key.pem`,
      SMTP_RELAY_URL: `smtp://127.0.0.1:${remote.port}`,
      SMTP_ROUTES: ROUTES,
      SMTP_LOG_LEVEL: level,
    });
    await work(daemon, ca);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What `grep` finds of a message. */
function story(daemon: LogDaemon, id: string): Line[] {
  return linesOf(
    daemon.log.split("\n").filter((line) => line.includes(id)).map((line) => `${line}\n`).join(""),
  );
}

const eventsOf = (lines: readonly Line[]) => lines.map(({ event }) => event);

/** Its id. */
async function send(client: Client, to: readonly string[], text = "hello"): Promise<string> {
  assert.match(await client.ask("MAIL FROM:<alice@example.com>"), /^250 /);
  for (const address of to) assert.match(await client.ask(`RCPT TO:<${address}>`), /^250 /);
  await client.ask("DATA");
  const answer = await client.ask(`Subject: x\r\n\r\n${text}\r\n.`);
  return /^250 .* ([0-9a-z]+)$/.exec(answer)?.[1] ?? assert.fail(answer);
}

async function greeted(daemon: LogDaemon): Promise<Client> {
  const client = await Client.greeted(daemon.port);
  await client.ask("EHLO client.example");
  return client;
}

/** As when somebody cannot wait. */
async function retry(daemon: LogDaemon, id: string): Promise<void> {
  const spool = { SMTP_QUEUE_PATH: `${daemon.folder}/spool` };
  const { code, stderr } = await runToEnd(dinopost("queue", "retry", id), spool);
  assert.equal(code, 0, stderr);
}

const STORIES: Record<Level, readonly string[]> = {
  debug: [
    "message begins",
    "refused",
    "message accepted",
    "attempt begins",
    "session with host",
    "message deferred",
    "attempt begins",
    "message delivered",
  ],
  info: ["refused", "message accepted", "message deferred", "message delivered"],
};

for (const level of LEVELS) {
  Deno.test(`B26 at level ${level}: who gave it, what was refused, each attempt and its last reply`, async () => {
    let waits = true;
    const talk = (talk: Talk) =>
      talk.serve({
        get content() {
          return waits ? "451-4.7.1 not\r\n451 4.7.1 yet\r\n" : "250 2.0.0 taken as 4711\r\n";
        },
      });
    await withRelay(level, talk, async (daemon, ca) => {
      using client = await Client.overTls(daemon.tlsPort, ca);
      await client.reply();
      await client.ask("EHLO client.example");
      const login = base64(plainMessage({ user: USER, password: PASSWORD }));
      assert.match(await client.ask(`AUTH PLAIN ${login}`), /^235 /);
      assert.match(await client.ask("MAIL FROM:<alice@example.com>"), /^250 /);
      assert.match(await client.ask("RCPT TO:<nobody>"), /^501 /);
      await client.ask("RCPT TO:<b@example.net>");
      await client.ask("DATA");
      const [id] = (await client.ask("Subject: x\r\n\r\nhello\r\n.")).split(" ").slice(-1);
      await client.ask("QUIT");
      await daemon.says("message deferred", { id });
      waits = false;
      await retry(daemon, id);
      await daemon.says("message delivered", { id });
      const lines = story(daemon, id);
      assert.deepEqual(eventsOf(lines), STORIES[level]);
      for (const line of lines) assert.equal(line.id, id);
      const times = lines.map(({ time }) => time);
      assert.deepEqual(times, times.toSorted());

      const [refused, accepted, deferred, delivered] = lines.filter(({ event }) =>
        STORIES.info.includes(event)
      );
      assert.deepEqual(
        [refused.what, refused.reply],
        ["RCPT TO:<nobody>", "501 5.1.3 Not an address, Syntax: RCPT TO:<user@domain>"],
      );
      const giver = {
        session: accepted.session,
        client: "127.0.0.1",
        helo: "client.example",
        tls: "TLSv1.3",
        user: USER,
        from: "<alice@example.com>",
      };
      assert.equal(typeof giver.session, "number");
      assertHas(accepted, { ...giver, to: "<b@example.net>", size: 21 });
      const tried = { to: "<b@example.net>", domain: "example.net", host: "[127.0.0.1]" };
      assertHas(deferred, {
        ...tried,
        attempt: 1,
        status: "4.7.1",
        reply: "451 4.7.1 not yet",
      });
      assertHas(delivered, {
        ...tried,
        attempt: 2,
        status: "2.0.0",
        reply: "250 2.0.0 taken as 4711",
      });
      // From one minute on, and a quarter more.
      const wait = Date.parse(String(deferred.next)) - Date.parse(deferred.time);
      assert.ok(wait > 50_000 && wait < 80_000, String(deferred.next));
      assert.equal(delivered.next, undefined);
      if (level === "info") return;
      const [begins] = lines;
      assertHas(begins, giver);
      const sessions = daemon.all("client connected", { session: giver.session });
      assert.equal(sessions.length, 1);
      assertHas(sessions[0], { client: "127.0.0.1" });
      assert.ok(sessions[0].time <= begins.time);
      for (const event of ["TLS with client", "client logged in"]) {
        assert.equal(daemon.all(event, { session: giver.session }).length, 1, event);
      }
    });
  });
}

function assertHas(line: Line, wanted: Readonly<Record<string, unknown>>): void {
  const found = Object.keys(wanted).map((name) => [name, line[name]]);
  assert.deepEqual(Object.fromEntries(found), wanted);
}

for (const level of LEVELS) {
  Deno.test(`B26 at level ${level}: a bounce has an id of its own, and names what it is about`, async () => {
    const talk = (talk: Talk) =>
      talk.serve({ "RCPT TO:<b@example.net>": "550-5.1.1 there is\r\n550 5.1.1 no such user\r\n" });
    await withRelay(level, talk, async (daemon) => {
      using client = await greeted(daemon);
      const about = await send(client, ["b@example.net"]);
      const { id } = await daemon.says("sender is told", { about });
      await daemon.says("message delivered", { id });
      assert.notEqual(id, about);
      const isShown = (event: string) => level === "debug" || !/begins|session/.test(event);
      assert.deepEqual(
        eventsOf(story(daemon, about)),
        [
          "message begins",
          "message accepted",
          "attempt begins",
          "session with host",
          "message failed",
          "sender is told",
        ].filter(isShown),
      );
      const [failed] = daemon.all("message failed", { id: about });
      assertHas(failed, {
        level: "warning",
        to: "<b@example.net>",
        attempt: 1,
        status: "5.1.1",
        reply: "550 5.1.1 there is no such user",
        next: undefined,
      });
      const bounce = story(daemon, String(id));
      assert.deepEqual(
        eventsOf(bounce),
        ["sender is told", "attempt begins", "message delivered"].filter(isShown),
      );
      assertHas(bounce[0], { id, about, kind: "failed", recipients: 1 });
      assertHas(bounce[bounce.length - 1], { id, to: "<alice@example.com>" });
    });
  });
}

Deno.test("B26 each way in which a message can end, or wait, is told with its id", async () => {
  await withRelay("debug", (talk) => talk.serve(), async (daemon) => {
    using client = await greeted(daemon);
    const ends: Record<string, readonly [event: string, reply: RegExp]> = {
      "b@held.example": ["message held", /held by a route/],
      "b@no.example": ["message failed", /rejected by a route/],
      "b@dead.example": ["message deferred", /refused/i],
      "b@example.net": ["message delivered", /^250 2\.0\.0 taken$/],
    };
    const id = await send(client, Object.keys(ends));
    for (const [to, [event, reply]] of Object.entries(ends)) {
      await daemon.says(event, { id, to: `<${to}>`, domain: to.slice(2), attempt: 1, reply });
    }
    const [none] = daemon.all("no session with host", { id });
    assert.match(String(none.host), /127\.0\.0\.1/);
    assert.match(String(none.reason), /refused/i);
    assert.equal(daemon.all("attempt begins", { id }).length, 4);

    // In circles: it is not taken, but has its id.
    assert.match(await client.ask("MAIL FROM:<alice@example.com>"), /^250 /);
    await client.ask("RCPT TO:<b@example.net>");
    await client.ask("DATA");
    const hops = "Received: from a by b; Mon, 1 Jan 2026 00:00:00 +0000\r\n".repeat(200);
    assert.match(await client.ask(`${hops}\r\n.`), /^554 5\.4\.6 /);
    const circling = await daemon.says("message goes in circles");
    const [, begins] = daemon.all("message begins");
    assert.equal(circling.id, begins.id);
    await daemon.says("refused", { id: begins.id, reply: /^554 5\.4\.6 / });
  });
});

Deno.test("B26 recipients of one transaction that were answered differently have each their reply", async () => {
  const answers = {
    "RCPT TO:<b@example.net>": "550 5.1.1 b is unknown\r\n",
    "RCPT TO:<c@example.net>": "551 5.1.6 c has moved\r\n",
    "RCPT TO:<d@example.net>": "550 5.1.1 b is unknown\r\n",
    "RCPT TO:<e@example.net>": "450 4.2.1 e is busy\r\n",
    "RCPT TO:<f@example.net>": "452 4.2.2 f is full\r\n",
  };
  await withRelay("info", (talk) => talk.serve(answers), async (daemon) => {
    using client = await greeted(daemon);
    const id = await send(client, [..."bcdefg"].map((name) => `${name}@example.net`));
    for (const event of ["message failed", "message deferred"]) await daemon.says(event, { id });
    await daemon.says("sender is told", { about: id });
    const told = [
      ...daemon.all("message failed", { id }),
      ...daemon.all("message deferred", { id }),
    ]
      .map(({ reply, to }) => `${reply} ${to}`).toSorted();
    assert.deepEqual(told, [
      "450 4.2.1 e is busy <e@example.net>",
      "452 4.2.2 f is full <f@example.net>",
      "550 5.1.1 b is unknown 2 recipients",
      "551 5.1.6 c has moved <c@example.net>",
    ]);
  });
});
