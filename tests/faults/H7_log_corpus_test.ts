/**
 * H7: whatever clients, other servers, settings and files say, a line of the log is one line and
 * moves nothing on a terminal; as JSON it says what was said.
 */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon, runToEnd, SERVE_DEV } from "../fakes/daemon.ts";
import { LogDaemon } from "../fakes/log_daemon.ts";
import { assertTame } from "../fakes/log_unsafe.ts";
import { Remote } from "../fakes/remote.ts";
import { base64, plainMessage } from "../fakes/sasl.ts";

/** What does something on a terminal, each in its own way. */
const STRANGE: Record<string, string> = {
  "clears the screen": "\x1b[2J",
  "sets the title": "\x1b]0;owned\x07",
  "is C1": "\u009b31m\u0085",
  "is NUL and DEL": "\0\x7f",
  "goes back": "\b\b\x0d",
  "ends lines": "\x0b\x0c\x0a2026-01-01T00:00:00.000Z error: forged id=1",
  "ends lines of Unicode": "\u2028\u2029",
  "turns the writing": "\u202e\u2066\u200f\u061c",
  "marks octets": "\ufeff\ufffe",
  "quotes": '"\\" id=forged event="forged',
  "is JSON": '","event":"forged","x":"',
  "is a template": "%s %d {event} ${event} {{event}}",
};
const STRANGER = Object.values(STRANGE);

/** Of octets that are no UTF-8. */
const RAW = Uint8Array.of(0x80, 0x9b, 0xff, 0xc0, 0xaf, 0xed, 0xa0, 0x80, 0xf4, 0x90, 0x80, 0x80);

/** To what each is put; `\r\n` is no more than the end of a line, and is left to the sender. */
const SAID: readonly ((strange: string) => string)[] = [
  (strange) => `EHLO ${strange}`,
  (strange) => `HELO x${strange}`,
  (strange) => strange,
  (strange) => `NOOP ${strange}`,
  (strange) => `VRFY <${strange}@example.com>`,
  (strange) => `AUTH ${strange}`,
  (strange) => `AUTH PLAIN ${base64(plainMessage({ user: `alice${strange}`, password: "x" }))}`,
  (strange) => `XCLIENT NAME=${strange}`,
  (strange) => `XCLIENT HELO=${xtext(strange)} LOGIN=${xtext(strange)} NAME=${xtext(strange)}`,
  (strange) => `MAIL FROM:<a${strange}@example.com>`,
  (strange) => `MAIL FROM:<a@exam${strange}ple.com>`,
  (strange) => `MAIL FROM:<a@example.com> ENVID=${xtext(strange)} X${strange}=${strange}`,
  (strange) => `MAIL FROM:<a${strange.replace(/\s/g, "")}@example.com> SMTPUTF8`,
  (strange) => `RCPT TO:<b${strange}@example.net>`,
  (strange) => `RCPT TO:<"b${strange.replace(/["\\]/g, "")}"@example.net>`,
  (strange) => `RCPT TO:<b@exam${strange.replace(/\s/g, "")}ple.net>`,
  (strange) => `RCPT TO:<b@example.net> ORCPT=rfc822;${xtext(strange)}`,
  (strange) => `RCPT TO:<b@example.net> ORCPT=utf-8;\\x{1B}${strange}`,
];

/** RFC 3461 §4, of octets. */
function xtext(text: string): string {
  return [...new TextEncoder().encode(text)].map((octet) =>
    `+${octet.toString(16).toUpperCase().padStart(2, "0")}`
  ).join("");
}

/** Says everything with this in it, and a message whose answers by the relay have it, too. */
async function say(port: number, strange: string, number: number): Promise<string> {
  for (const line of SAID) {
    using client = await Client.greeted(port);
    await client.ask("EHLO client.example");
    await client.send(`${line(strange)}\r\nNOOP done\r\nQUIT\r\n`);
    await client.rest().catch(() => {});
  }
  using client = await Client.greeted(port);
  await client.ask("EHLO client.example");
  await client.ask("MAIL FROM:<alice@example.com> SMTPUTF8");
  for (const to of [`refused${number}`, `later${number}`, `taken${number}`]) {
    assert.match(await client.ask(`RCPT TO:<${to}@example.net>`), /^250 /);
  }
  const visible = strange.replace(/[\s"\\<>(){},:;\p{Cc}\u2028\u2029]/gu, "");
  await client.ask(`RCPT TO:<b${visible}@ex${visible.replace(/[^\u0080-\uffff]/g, "")}.example>`);
  await client.ask("DATA");
  await client.send(`Subject: ${strange.replaceAll(/[\r\n]/g, "")}\r\n\r\n.\r\n`);
  const answer = await client.reply();
  assert.match(answer, /^250 /);
  return answer.split(" ").at(-1)!;
}

/** A relay that says strange things of each recipient: RFC 5321 leaves out line ends only. */
function relay(): Remote {
  const tame = (strange: string) => strange.replaceAll(/[\r\n]/g, "");
  const answers = STRANGER.flatMap((strange, number) => [
    [
      `RCPT TO:<refused${number}@example.net>`,
      `550-5.1.1 ${tame(strange)}\r\n550 5.1.1 ${tame(strange)}refused${tame(strange)}\r\n`,
    ],
    [`RCPT TO:<later${number}@example.net>`, `450 4.2.0 ${tame(strange)}later\r\n`],
  ]);
  const all = STRANGER.map(tame).join(" ");
  return new Remote((talk) =>
    talk.serve({
      greeting: `220-${all}\r\n220 ${all}\r\n`,
      EHLO: `250-${all}\r\n250-SMTPUTF8\r\n250-${all}\r\n250 8BITMIME\r\n`,
      MAIL: `250 2.1.0 ${all}\r\n`,
      content: `250-2.0.0 ${all}\r\n250 2.0.0 ${all}taken\r\n`,
      ...Object.fromEntries(answers),
    })
  );
}

/** Hosts of which the session comes to nothing, and why. */
const HOSTS: Record<string, string> = {
  "greets strangely": `554 5.3.2 ${STRANGER.join("").replaceAll(/[\r\n]/g, "")}\r\n`,
  "says what is no reply": `\x1b[2J\u009b\u2028\u202e no reply\r\n`,
  "says NUL": `\0\0\0\r\n`,
};

const settings = (remote: Remote, hosts: readonly Remote[]) => ({
  SMTP_MODE: "relay",
  SMTP_DEBUG: "true",
  SMTP_LOG_LEVEL: "debug",
  SMTP_MIN_FREE: "0B",
  SMTP_AUTH_USERS: "alice:secret",
  SMTP_AUTH_INSECURE: "true",
  SMTP_PROXIES: "127.0.0.1",
  SMTP_MAX_UNKNOWN_COMMANDS: "1000",
  SMTP_RELAY_URL: `smtp://127.0.0.1:${remote.port}`,
  SMTP_ROUTES: hosts.map(({ port }, i) => `host${i}.example=smtp://127.0.0.1:${port}`).join(),
});

interface Speaker {
  readonly port: number;
  says(pattern: RegExp): Promise<unknown>;
}

/** Everything that is strange, from everywhere; resolves when all has come to its end. */
async function sayAll(speaker: Speaker, hosts: readonly Remote[]): Promise<void> {
  for (const [number, strange] of STRANGER.entries()) {
    const id = await say(speaker.port, strange, number);
    for (const end of ["delivered", "deferred", "failed"]) {
      await speaker.says(new RegExp(`message ${end}[^\\n]*${id}[^\\n]*example\\.net`));
    }
  }
  using raw = await Client.greeted(speaker.port);
  for (const before of ["EHLO ", "", "NOOP ", "MAIL FROM:<", "RCPT TO:<b@"]) {
    await raw.send(new TextEncoder().encode(before));
    await raw.send(RAW);
    await raw.ask("");
  }
  using client = await Client.greeted(speaker.port);
  await client.ask("EHLO client.example");
  await client.ask("MAIL FROM:<alice@example.com>");
  for (const i of hosts.keys()) await client.ask(`RCPT TO:<b@host${i}.example>`);
  await client.ask("DATA");
  const [id] = (await client.ask("Subject: x\r\n\r\n.")).split(" ").slice(-1);
  for (const i of hosts.keys()) {
    await speaker.says(new RegExp(`message deferred[^\\n]*${id}[^\\n]*host${i}\\.example`));
  }
}

async function withHosts(work: (hosts: readonly Remote[]) => Promise<void>): Promise<void> {
  await using all = new AsyncDisposableStack();
  await work(
    Object.values(HOSTS).map((greeting) => all.use(new Remote((talk) => talk.serve({ greeting })))),
  );
}

Deno.test("H7 as JSON each line is one, moves nothing, and says what was said", async () => {
  await withHosts(async (hosts) => {
    await using remote = relay();
    await using daemon = await LogDaemon.start(settings(remote, hosts));
    await sayAll({ port: daemon.port, says: (pattern) => daemon.matches(pattern) }, hosts);
    await daemon.stop();
    for (const line of daemon.log.split("\n")) assertTame(line);
    assert.equal(await daemon.printed, "");
    assert.equal(daemon.lines.filter(({ event }) => event === "forged").length, 0);
    assert.ok(daemon.lines.every(({ time }) => time > "2026-02"));
    // What a client says without a bare line feed is told as it was said.
    for (const strange of STRANGER.filter((strange) => !/[\r\n]/.test(strange))) {
      const said = daemon.all("audit", { side: "C" }).some(({ text }) =>
        text === `NOOP ${strange}`
      );
      assert.ok(said, JSON.stringify(strange));
    }
  });
});

Deno.test("H7 as text each line is one, moves nothing, and has the time in front", async () => {
  await withHosts(async (hosts) => {
    await using remote = relay();
    await using daemon = await Daemon.start({ settings: settings(remote, hosts) });
    await sayAll({ port: daemon.port, says: (pattern) => daemon.says(pattern) }, hosts);
    daemon.signal("SIGTERM");
    assert.equal((await daemon.status).code, 0);
    await daemon.says(/ stopped\n/);
    const [told, others] = [daemon.output.split("\n"), [] as string[]];
    for (const line of told) {
      assertTame(line);
      if (!/^\d{4}-\d\d-\d\dT[\d:.]+Z /.test(line)) others.push(line);
    }
    assert.ok(told.every((line) => !/^2026-01-01/.test(line)));
    // What is printed at the start, and the end of the last line.
    const words = others.map((line) => line.split(" ")[0]);
    assert.deepEqual(words, ["Dinopost", "Send", "Look", "Kept", ""]);
  });
});

/** In what a setting says. */
const IN_SETTINGS = "\x1b[2J\u009b31m\u202e";
/** In names of files; others are not accepted. */
const IN_NAMES = "\u009b31m\u202e\u2028";

/** What it says at start and end of a spool that is called so. */
async function saysOf(format: string, name: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    const spool = `${folder}/${name}`;
    if (format === "json") {
      await using daemon = await LogDaemon.start({ SMTP_QUEUE_PATH: spool });
      await daemon.stop();
      const [{ spool: told }] = daemon.all("started");
      assert.equal(told, spool);
      return daemon.log + await daemon.printed;
    }
    await using daemon = await Daemon.start({ settings: { SMTP_QUEUE_PATH: spool } });
    daemon.signal("SIGTERM");
    await daemon.status;
    await daemon.says(/stopped\n/);
    return daemon.output;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const format of ["json", "text"]) {
  Deno.test(`H7 a folder that is called so moves nothing either, as ${format}`, async () => {
    const output = await saysOf(format, `spool${IN_NAMES}`);
    for (const line of output.split("\n")) assertTame(line);
    assert.match(output, /\\u009b31m\\u202e/);
  });
}

for (const format of ["json", "text"]) {
  Deno.test(`H7 a setting that is wrong moves nothing, as ${format}`, async () => {
    const settings = { SMTP_MAX_SIZE: `x${IN_SETTINGS}`, SMTP_LOG_FORMAT: format };
    const { code, stdout, stderr } = await runToEnd(SERVE_DEV, settings);
    assert.equal(code, 78);
    assert.equal(stdout, "");
    assert.match(stderr, /SMTP_MAX_SIZE/);
    for (const line of stderr.split("\n")) assertTame(line);
  });
}
