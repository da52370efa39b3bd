/**
 * H8: at level debug, in JSON, with every session shown, no password, token or key is in the log,
 * whoever has it and whatever goes wrong with it; nor is one in anything that is served by HTTP.
 */

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { certified, writePair } from "../fakes/certificate.ts";
import { Client } from "../fakes/client.ts";
import { Canaries, linesOfKey } from "../fakes/log_canaries.ts";
import { AUDIT_SIGNAL, LogDaemon } from "../fakes/log_daemon.ts";
import { Remote, type Talk } from "../fakes/remote.ts";
import { base64, plainMessage, ScramClient } from "../fakes/sasl.ts";
import { SmtpServer } from "../fakes/smtp_server.ts";

const USER_RIGHT = "canary-User-7f3a";
const USER_WRONG = "canary-Guess-91bc";
const USER_NEXT = "canary-Next-c0de";
const RELAY = "canary-Relay-5d2e";
const ROUTE = "canary-Route-88f1";
const TOKEN = "canary-Token-e21b-of-OAuth";
const PAGES_RIGHT = "canary-Pages-4ac7-long-enough";
const PAGES_WRONG = "canary-Other-17d0-long-enough";

const pem = (kind: "rsa" | "ed25519") =>
  (kind === "rsa"
    ? generateKeyPairSync("rsa", { modulusLength: 2048 })
    : generateKeyPairSync("ed25519")).privateKey.export({ type: "pkcs8", format: "pem" }) as string;

const DKIM_ONE = pem("rsa");
const DKIM_OF_FOLDER = pem("ed25519");

type Settings = Readonly<Record<string, string>>;

interface House {
  readonly daemon: LogDaemon;
  /** What its settings file says. */
  readonly file: Settings;
  readonly folder: string;
  readonly ca: string;
  readonly canaries: Canaries;
}

/** Every secret that there is, in one daemon; the relay is somebody's who is told them. */
async function withSecrets(
  relay: string,
  { settings = {}, routes = "" }: { settings?: Settings; routes?: string },
  work: (house: House) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const { ca, pair } = await certified();
    await writePair(folder, pair);
    await Deno.mkdir(`${folder}/keys/folder.example`, { recursive: true });
    await Deno.writeTextFile(`${folder}/keys/folder.example/s1.pem`, DKIM_OF_FOLDER);
    const file = { SMTP_AUTH_USERS: `alice:${USER_RIGHT}`, SMTP_ROUTES: routes };
    await using daemon = await LogDaemon.start({
      SMTP_LOG_LEVEL: "debug",
      SMTP_DEBUG: "true",
      SMTP_TLS_DISABLE: "false",
      SMTP_TLS_CERT: `${folder}/cert.pem`,
      SMTP_TLS_KEY: `${folder}/key.pem`,
      SMTP_TLS_PORT: "0",
      SMTP_AUTH_INSECURE: "true",
      SMTP_RELAY_URL: relay,
      SMTP_DKIM_PRIVATE_KEY: DKIM_ONE,
      SMTP_DKIM_SELECTOR: "s0",
      SMTP_DKIM_DOMAIN: "example.com",
      SMTP_DKIM_KEYS: `${folder}/keys`,
      SMTP_HEALTH_DISABLE: "false",
      SMTP_HEALTH_ADDR: "127.0.0.1:0",
      SMTP_DASHBOARD_TOKEN: PAGES_RIGHT,
      ...settings,
    }, file);
    const canaries = new Canaries([
      ...[USER_RIGHT, USER_WRONG, USER_NEXT, RELAY, ROUTE, TOKEN, PAGES_RIGHT, PAGES_WRONG],
      ...[DKIM_ONE, DKIM_OF_FOLDER, pair.key].flatMap(linesOfKey),
    ]);
    await work({ daemon, file, folder, ca, canaries });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const plain = (password: string, user = "alice") => base64(plainMessage({ user, password }));

/** Logins of each kind, well and badly said. */
const LOGINS: readonly (readonly string[])[] = [USER_RIGHT, USER_WRONG].flatMap((password) => [
  [`AUTH PLAIN ${plain(password)}`],
  ["AUTH PLAIN", plain(password)],
  ["AUTH LOGIN", base64("alice"), base64(password)],
  [`AUTH LOGIN ${base64(password)}`, base64(password)],
  [`AUTH PLAIN ${plain("x", password)}`],
  [`AUTH ${plain(password)}`],
  [`AUTH PLAIN ${password}`, password],
  [`AUTH XOAUTH2 ${base64(`user=alice\x01auth=Bearer ${password}\x01\x01`)}`, password],
  ["AUTH LOGIN", "*", base64(password), password],
]);

async function logIn({ daemon, ca }: House): Promise<void> {
  for (const lines of LOGINS) {
    using client = await Client.greeted(daemon.port);
    await client.ask("EHLO client.example");
    for (const line of lines) await client.ask(line).catch(() => "");
  }
  using secure = await Client.overTls(daemon.tlsPort, ca);
  await secure.reply();
  await secure.ask("EHLO client.example");
  const scram = new ScramClient({ user: "alice", password: USER_RIGHT });
  const challenge = await secure.ask(`AUTH SCRAM-SHA-256 ${base64(scram.first)}`);
  const last = await secure.ask(base64(scram.last(atob(challenge.slice(4)))));
  assert.match(last, /^334 /);
  assert.match(await secure.ask(""), /^235 /);
}

async function send({ daemon }: House, from: string, to: string): Promise<string> {
  using client = await Client.greeted(daemon.port);
  await client.ask("EHLO client.example");
  for (const line of [`MAIL FROM:<${from}>`, `RCPT TO:<${to}>`, "DATA"]) await client.ask(line);
  const answer = await client.ask(`From: <${from}>\r\nSubject: x\r\n\r\nhello\r\n.`);
  return /^250 .* ([0-9a-z]+)$/.exec(answer)?.[1] ?? assert.fail(answer);
}

/** New settings, good and bad, each with secrets. */
async function reload({ daemon, file, folder }: House): Promise<void> {
  const key = `${folder}/keys/folder.example/s1.pem`;
  const bad: Settings[] = [
    { ...file, SMTP_AUTH_USERS: `alice:{SSHA}${USER_NEXT}` },
    { ...file, SMTP_AUTH_USERS: USER_NEXT },
    { ...file, SMTP_ROUTES: `example.net=smtp://alice:${ROUTE}@host:99999` },
    { ...file, SMTP_ROUTES: `example.net=ftp://alice:${ROUTE}@host` },
  ];
  for (const each of bad) await daemon.reload(each);
  await Deno.writeTextFile(key, DKIM_OF_FOLDER.replace(/^(.*\n.{30}).*/, "$1"));
  await daemon.reload(file);
  assert.equal(daemon.all("settings kept as they were").length, bad.length + 1);
  await Deno.writeTextFile(key, DKIM_OF_FOLDER);
  await daemon.reload({ ...file, SMTP_AUTH_USERS: `alice:${USER_NEXT}` });
  await daemon.says("settings read again", { changed: "SMTP_AUTH_USERS" });
}

/** What is served to whoever has the token, or says to have it. */
async function pages({ httpPort }: LogDaemon): Promise<string> {
  const origin = `http://127.0.0.1:${httpPort}`;
  const paths = ["/", "/livez", "/readyz", "/metrics", "/metrics/prometheus", "/api/audit", "/x"];
  let served = "";
  for (const token of [PAGES_RIGHT, PAGES_WRONG, ""]) {
    const ways: Record<string, string>[] = token === "" ? [{}] : [
      { authorization: `Bearer ${token}` },
      { authorization: `Basic ${base64(`admin:${token}`)}` },
    ];
    for (const headers of ways) {
      for (const path of paths) {
        // Somebody puts it where it does not belong.
        const response = await fetch(`${origin}${path}?token=${token}`, { headers });
        served += `${[...response.headers].join("\n")}\n${await response.text()}\n`;
      }
    }
    const wrong = await fetch(`${origin}/api/audit/${token}`, { method: "PUT", body: token });
    served += await wrong.text();
  }
  return served;
}

/** The live audit log from now on, until it is ended. */
async function stream({ httpPort }: LogDaemon): Promise<{ readonly all: Promise<string> }> {
  const response = await fetch(`http://127.0.0.1:${httpPort}/healthz`);
  return { all: response.text().catch((error) => `broken off: ${error}`) };
}

Deno.test("H8 nothing of any secret is logged or served, whether it is right or wrong", async () => {
  const login = { method: "PLAIN", user: "relay", secret: RELAY };
  await using receiver = await SmtpServer.start({ login });
  const relay = `smtp://relay:${RELAY}@127.0.0.1:${receiver.port}`;
  const other = `smtp://other:${ROUTE}@127.0.0.1:${receiver.port}`;
  await withSecrets(relay, { routes: `route.example=${other}` }, async (house) => {
    const { daemon, canaries } = house;
    const live = await stream(daemon);
    await logIn(house);
    for (const from of ["alice@example.com", "alice@folder.example", "alice@else.example"]) {
      await daemon.says("message delivered", { id: await send(house, from, "b@example.net") });
    }
    const id = await send(house, "alice@example.com", "b@route.example");
    const { reply } = await daemon.says("message deferred", { id });
    assert.match(String(reply), /^(535|4)/);
    await reload(house);
    canaries.assertSilent(await pages(daemon), "a page");
    daemon.signal(AUDIT_SIGNAL);
    await daemon.says("audit log off");
    const streamed = await live.all;
    assert.match(streamed, /C: AUTH PLAIN \(hidden\)/);
    canaries.assertSilent(streamed, "the stream");
    await daemon.stop();
    assert.match(daemon.log, /"text":"AUTH PLAIN \(hidden\)"/);
    assert.match(daemon.log, /"event":"login failed"/);
    assert.match(daemon.log, /"event":"client logged in"/);
    canaries.assertSilent(daemon.log, "the log");
    assert.equal(await daemon.printed, "");
  });
  const { messages } = await receiver.end();
  assert.equal(messages.length, 3);
  assert.equal(messages.filter(({ content }) => /^DKIM-Signature:/mi.test(content)).length, 3);
});

Deno.test("H8 a token of OAuth is not logged, whatever the relay says of it", async () => {
  // As Google and Microsoft have it: a reason in base64, then the refusal.
  const talk = (talk: Talk) =>
    talk.serve({
      EHLO: "250-remote\r\n250 AUTH XOAUTH2\r\n",
      AUTH: `334 ${base64('{"status":"400","schemes":"bearer"}')}\r\n`,
      "": "535 5.7.8 Username and Password not accepted\r\n",
    });
  await using remote = new Remote(talk);
  const relay = `smtp://alice@127.0.0.1:${remote.port}`;
  await withSecrets(relay, { settings: { SMTP_RELAY_TOKEN: TOKEN } }, async (house) => {
    const { daemon, canaries } = house;
    const id = await send(house, "alice@example.com", "b@example.net");
    await daemon.says("message deferred", { id });
    await daemon.stop();
    assert.ok(remote.lines.some((line) => line.startsWith("AUTH XOAUTH2 ")));
    canaries.assertSilent(daemon.log, "the log");
  });
});

/** Servers that repeat what they were told; some do so of whatever they do not understand. */
const REPEATING: Record<string, (line: string) => string> = {
  "the command": (line) => `500 5.5.1 Unknown command: ${line}`,
  "its last word": (line) => `501-5.5.2 Cannot decode\r\n501 5.5.2 '${line.split(" ").at(-1)}'`,
  "the command, as no reply,": (line) => `What is "${line}"?`,
  "what is in it": (line) => {
    const said = atob(line.split(" ").at(-1)!).replaceAll("\0", "/").replaceAll("\x01", "/");
    return `535 5.7.8 ${said} is not good`;
  },
};

for (const [what, answer] of Object.entries(REPEATING)) {
  for (const token of [undefined, TOKEN]) {
    const name = token === undefined ? "password" : "token";
    Deno.test(`H8 a relay that repeats ${what} of a login tells no ${name}`, async () => {
      const mechanism = token === undefined ? "PLAIN" : "XOAUTH2";
      await using remote = new Remote(async (talk) => {
        await talk.say("220 remote\r\n");
        for (let line; (line = await talk.line()) !== undefined;) {
          const isAuth = line.startsWith("AUTH");
          const offers = `250-remote\r\n250 AUTH ${mechanism}`;
          await talk.say(`${isAuth ? answer(line) : line === "QUIT" ? "221 bye" : offers}\r\n`);
        }
      });
      const user = token === undefined ? `relay:${RELAY}` : "relay";
      const settings: Settings = token === undefined ? {} : { SMTP_RELAY_TOKEN: token };
      await withSecrets(`smtp://${user}@127.0.0.1:${remote.port}`, { settings }, async (house) => {
        const { daemon, canaries } = house;
        const id = await send(house, "alice@example.com", "b@example.net");
        await daemon.says("message deferred", { id });
        await daemon.stop();
        assert.ok(remote.lines.some((line) => line.startsWith(`AUTH ${mechanism} `)));
        canaries.assertSilent(daemon.log, "the log");
      });
    });
  }
}
