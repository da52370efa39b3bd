/** A run of the daemon in which everything happens that is logged, to be read afterwards. */

import assert from "node:assert/strict";
import { Authority, certified, writePair } from "./certificate.ts";
import { Client } from "./client.ts";
import { AUDIT_SIGNAL, LogDaemon } from "./log_daemon.ts";
import { Remote } from "./remote.ts";
import { base64, plainMessage } from "./sasl.ts";

/** Every local part that is said to the daemon, or that others say; they stand nowhere else. */
export const LOCAL = "canary";

const USER = `${LOCAL}-user@example.com`;
const PASSWORD = "not to be shown";
const SENDER = `${LOCAL}.Sender@example.com`;

/** Where mail goes, and what comes of it. */
const DESTINATIONS = {
  delivered: `${LOCAL}-taken@example.net`,
  deferred: `${LOCAL}-Deferred@example.net`,
  failed: `${LOCAL}-refused@Example.net`,
};
/** In the spool: of two messages to one, and of one to five. A bounce may have its own later. */
const NAMES = 7;
/** What is no local part to everybody, but may be one. */
export const UNUSUAL = [`"${LOCAL} quoted"@example.org`, `${LOCAL}=verp+x=example.com@example.org`];

const ANSWERS = {
  EHLO: `250-remote greets ${LOCAL}-greeted@example.net\r\n250 8BITMIME\r\n`,
  [`RCPT TO:<${DESTINATIONS.deferred}>`]:
    `450-4.2.0 <${DESTINATIONS.deferred}> is greylisted\r\n450 4.2.0 ask '${LOCAL}-help@example.net'.\r\n`,
  [`RCPT TO:<${DESTINATIONS.failed}>`]:
    `550 5.1.1 <${DESTINATIONS.failed.toUpperCase()}>: no such user\r\n`,
};

const settingsOf = (folder: string, remote: Remote) => ({
  SMTP_HOSTNAME: "relay.example",
  SMTP_TLS_DISABLE: "false",
  SMTP_TLS_CERT: `${folder}/cert.pem`,
  SMTP_TLS_KEY: `${folder}/key.pem`,
  SMTP_TLS_PORT: "0",
  SMTP_AUTH_USERS: `${USER}:${PASSWORD}`,
  SMTP_PROXIES: "127.0.0.1",
  SMTP_ALLOW_NETWORKS: "127.0.0.1,192.0.2.0/24",
  SMTP_REQUIRE_LOCAL_DOMAIN: "true",
  SMTP_RELAY_URL: `smtp://127.0.0.1:${remote.port}`,
  // What is meant is told.
  SMTP_TSL_POLICY: "none",
});

export interface Ran {
  /** Standard error, and standard output. */
  readonly log: string;
  readonly printed: string;
  /** Of the message that had more than one end, in the order in which they were said. */
  readonly id: string;
  /** Names in the spool. */
  readonly names: readonly string[];
}

/** `file`: what its settings file says, beside what it needs. */
export async function run(file: Readonly<Record<string, string>>): Promise<Ran> {
  const folder = await Deno.makeTempDir();
  try {
    const { ca, pair } = await certified();
    await writePair(folder, pair);
    await using remote = new Remote((talk) => talk.serve(ANSWERS));
    const rules = { SMTP_LOCAL_DOMAINS: "example.com", ...file };
    await using daemon = await LogDaemon.start(settingsOf(folder, remote), rules);
    await plainly(daemon);
    await withTls(daemon, ca);
    await behindProxy(daemon);
    const id = await everyEnd(daemon);
    const names = await daemon.names(NAMES);
    await signals(daemon, rules);
    using left = await Client.greeted(daemon.port);
    await daemon.stop();
    assert.match(await left.rest(), /^421 4\.3\.2 /);
    return { log: daemon.log, printed: await daemon.printed, id, names };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What a client says that is not well understood, or not taken. */
async function plainly({ port }: LogDaemon): Promise<void> {
  using client = await Client.greeted(port);
  for (
    const line of [
      `EHLO ${LOCAL}-helo@example.com`,
      "EHLO client.example",
      `BAD ${LOCAL}-bad@example.com`,
      `VRFY ${LOCAL}-vrfy@example.com`,
      `EXPN <${LOCAL}-expn@example.com>`,
      "AUTH PLAIN",
      `MAIL FROM:<${LOCAL}-foreign@foreign.example>`,
      `MAIL FROM:${LOCAL}-bare@example.com`,
      `MAIL FROM:<${SENDER}> SIZE=1000000000`,
      `MAIL FROM:<${SENDER}> BODY=8BITMIME AUTH=${LOCAL}-auth@example.com`,
      `RCPT TO:<${LOCAL}-nowhere@>`,
      `RCPT TO:<${LOCAL}-one@${LOCAL}-two@example.net>`,
      `RCPT TO:<${LOCAL}-no-space@example.net>NOTIFY=NEVER`,
      `RCPT TO:<${DESTINATIONS.delivered}> ORCPT=rfc822;${LOCAL}-original@example.net`,
      ...UNUSUAL.map((address) => `RCPT TO:<${address}>`),
      "DATA",
    ]
  ) await client.ask(line);
  assert.match(await client.ask(`To: ${LOCAL}-to@example.net\n\r\n.`), /^550 5\.5\.2 /);
  await client.ask(`${"x".repeat(3000)} ${LOCAL}-long@example.com`);
  await client.ask("QUIT");
  using early = await Client.connect(port);
  // Where it is not early after all, it ends as well.
  await early.send(`EHLO ${LOCAL}-early@example.com\r\nQUIT\r\n`);
  await early.rest();
}

async function withTls({ port, tlsPort }: LogDaemon, ca: string): Promise<void> {
  using secure = await Client.overTls(tlsPort, ca);
  await secure.reply();
  await secure.ask("EHLO client.example");
  const login = (password: string) =>
    `AUTH PLAIN ${base64(plainMessage({ user: USER, password }))}`;
  assert.match(await secure.ask(login(`${PASSWORD}?`)), /^535 /);
  assert.match(await secure.ask(login(PASSWORD)), /^235 /);
  assert.match(await mail(secure, [DESTINATIONS.delivered]), /^250 2\.0\.0 /);
  using begins = await Client.greeted(port);
  await begins.ask("EHLO client.example");
  await begins.ask("STARTTLS");
  await begins.startTls(ca);
  await begins.ask("EHLO client.example");
  await begins.ask("QUIT");
  // Handshakes that come to nothing.
  using plain = await Client.connect(tlsPort);
  await plain.send(`EHLO ${LOCAL}-plain@example.com\r\n`);
  await plain.rest().catch(() => {});
  using garbage = await Client.greeted(port);
  await garbage.ask("EHLO client.example");
  await garbage.ask("STARTTLS");
  await garbage.send(`MAIL FROM:<${LOCAL}-garbage@example.com>\r\n`);
  await garbage.rest().catch(() => {});
  using distrusts = await Client.connect(tlsPort);
  await distrusts.startTls((await Authority.make()).cert).catch(() => {});
}

async function behindProxy({ port }: LogDaemon): Promise<void> {
  using proxy = await Client.greeted(port);
  await proxy.ask("EHLO proxy.example");
  await proxy.ask(`XCLIENT ADDR=${LOCAL}@example.com`);
  await proxy.ask(`XCLIENT ADDR=192.0.2.7 LOGIN=${LOCAL}-proxied@example.com`);
  await proxy.ask("EHLO client.example");
  assert.match(await mail(proxy, [UNUSUAL[0]]), /^250 2\.0\.0 /);
}

/** A message to all destinations, and all that follows. */
async function everyEnd(daemon: LogDaemon): Promise<string> {
  using client = await Client.greeted(daemon.port);
  await client.ask("EHLO client.example");
  const answer = await mail(client, [...Object.values(DESTINATIONS), ...UNUSUAL]);
  const id = /([0-9a-z]+)$/.exec(answer)![1];
  for (const end of Object.keys(DESTINATIONS)) await daemon.says(`message ${end}`, { id });
  const bounce = await daemon.says("sender is told", { about: id });
  await daemon.says("message delivered", { id: bounce.id });
  return id;
}

async function signals(daemon: LogDaemon, rules: Readonly<Record<string, string>>): Promise<void> {
  await daemon.reload({ ...rules, SMTP_LOCAL_DOMAINS: "example.com,example.org" });
  await daemon.reload({ ...rules, SMTP_LOCAL_DOMAINS: `${LOCAL}-wrong@example.com` });
  await daemon.reload({ ...rules, SMTP_BANNER: "another", SMTP_TSL_PORT: "1" });
  const isOn = daemon.all("audit").length > 0;
  for (const state of isOn ? ["off", "on"] : ["on", "off"]) {
    daemon.signal(AUDIT_SIGNAL);
    await daemon.says(`audit log ${state}`);
  }
}

/** The answer to the content. */
async function mail(client: Client, to: readonly string[]): Promise<string> {
  assert.match(await client.ask(`MAIL FROM:<${SENDER}>`), /^250 /);
  for (const address of to) assert.match(await client.ask(`RCPT TO:<${address}>`), /^250 /);
  await client.ask("DATA");
  const head = `From: <${SENDER}>\r\nTo: ${LOCAL}-header@example.net\r\nSubject: x\r\n`;
  return await client.ask(`${head}\r\nhello\r\n.`);
}
