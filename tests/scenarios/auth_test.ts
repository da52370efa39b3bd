/**
 * Mail programs of others log in, and what follows from that for their mail. The users are kept
 * as `dinopost hash-password` makes them.
 */

import assert from "node:assert/strict";
import nodemailer from "nodemailer";
import { scryptOf, verifierOf, writePassword } from "../../src/auth/passwords.ts";
import { digests } from "../../src/deno/digests.ts";
import { world } from "../../src/deno/world.ts";
import { Authentication } from "../../src/inbound/authentication.ts";
import { received } from "../../src/mail/trace.ts";
import { certified, sourceOf } from "../fakes/certificate.ts";
import { Client } from "../fakes/client.ts";
import { Daemon, dinopost, runToEnd } from "../fakes/daemon.ts";
import { base64, plainMessage } from "../fakes/sasl.ts";
import { TestServer } from "../fakes/server.ts";
import { testWith } from "../fakes/tools.ts";

const SALT = Uint8Array.from({ length: 16 }, (_, i) => i);
const HASHED = { user: "hashed", password: "s3cret, with: signs" };
const VERIFIED = { user: "verified@example.com", password: "p\u00e4ssword" };
const WRONG = { ...VERIFIED, password: "guess" };
type Login = typeof WRONG;

const USERS = new Map([
  [HASHED.user, writePassword(await scryptOf(HASHED.password, SALT, digests))],
  [VERIFIED.user, writePassword(await verifierOf(VERIFIED.password, SALT, 4096, digests))],
]);

/** Offers AUTH under TLS alone; only who logs in may send as `elsewhere.example`. */
async function serve(): Promise<TestServer> {
  const { pair } = await certified();
  return new TestServer({
    tls: sourceOf(pair),
    auth: new Authentication(USERS, { ...world, log() {} }),
    senderDomains: new Set(["localhost"]),
  });
}

/** Who has sent, and with what protocol. */
function sent({ messages }: TestServer) {
  return messages.map((envelope) => {
    const line = received(envelope, { hostname: "localhost", hideClient: false });
    return [envelope.client.user, / with\s+(\S+)\s/.exec(line)![1]];
  });
}

const ESMTPSA = [HASHED.user, VERIFIED.user].map((user) => [user, "ESMTPSA"]);

testWith("swaks", "swaks logs in by PLAIN and LOGIN, under TLS alone", async (swaks) => {
  await using server = await serve();
  const run = ({ user, password }: Login, ...options: string[]) =>
    runToEnd([
      swaks,
      ...["--server", `127.0.0.1:${server.port}`, "--from", "a@elsewhere.example"],
      ...["--to", "b@example.net", "--auth-user", user, "--auth-password", password],
      ...options,
    ]);
  for (const mechanism of ["PLAIN", "LOGIN"]) {
    for (const each of [HASHED, VERIFIED]) {
      const { code, stdout, stderr } = await run(each, "-tls", "--auth", mechanism);
      assert.equal(code, 0, stdout.slice(-2000) + stderr);
      assert.match(stdout, /<~ {2}235 2\.7\.0 [^]*<~ {2}250 2\.0\.0 Message accepted/);
    }
  }
  // T6: without TLS it is not offered.
  const plain = await run(VERIFIED, "--auth", "PLAIN");
  assert.notEqual(plain.code, 0);
  assert.doesNotMatch(plain.stdout, /AUTH/);
  const failed = await run(WRONG, "-tls", "--auth", "PLAIN");
  assert.notEqual(failed.code, 0);
  assert.match(failed.stdout, /535 5\.7\.8 Authentication failed/);
  assert.deepEqual(sent(server), [...ESMTPSA, ...ESMTPSA]);
});

testWith("msmtp", "msmtp logs in by SCRAM-SHA-256, PLAIN and LOGIN", async (msmtp) => {
  await using server = await serve();
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/message`, "Subject: x\n\nHello\n");
    const run = async ({ user, password }: Login, mechanism: string) => {
      await Deno.writeTextFile(`${folder}/password`, password + "\n");
      const command = [
        ...[msmtp, "--file=/dev/null", "--host=127.0.0.1", `--port=${server.port}`],
        ...["--tls=on", "--tls-starttls=on", "--tls-certcheck=off", "--timeout=20"],
        ...[`--auth=${mechanism}`, `--user=${user}`, `--passwordeval=cat ${folder}/password`],
        ...["--from=a@elsewhere.example", "b@example.net"],
      ];
      const words = command.map((word) => `'${word}'`).join(" ");
      return await runToEnd(["sh", "-c", `${words} <'${folder}/message'`]);
    };
    for (const mechanism of ["scram-sha-256", "plain", "login"]) {
      const { code, stderr } = await run(VERIFIED, mechanism);
      assert.equal(code, 0, stderr);
    }
    const { code, stderr } = await run(WRONG, "scram-sha-256");
    assert.notEqual(code, 0);
    assert.match(stderr, /535 5\.7\.8 Authentication failed/);
    assert.deepEqual(sent(server), Array(3).fill([VERIFIED.user, "ESMTPSA"]));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

testWith("python3", "Python's smtplib logs in, and learns when it cannot", async (python) => {
  await using server = await serve();
  const script = `
import smtplib, ssl, sys
port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl._create_unverified_context()

def send(smtp):
    smtp.sendmail("a@elsewhere.example", ["b@example.net"], "Subject: x\\n\\nx\\n")

for mechanism in "PLAIN", "LOGIN":
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        try:
            smtp.login(user, password)
            raise AssertionError("logged in without TLS")
        except smtplib.SMTPNotSupportedError:
            pass
        smtp.starttls(context=context)
        smtp.ehlo()
        smtp.user, smtp.password = user, password
        said = smtp.auth(mechanism, getattr(smtp, "auth_" + mechanism.lower()))
        assert said == (235, b"2.7.0 Authentication succeeded"), said
        send(smtp)
with smtplib.SMTP("127.0.0.1", port) as smtp:
    smtp.starttls(context=context)
    try:
        smtp.login("nobody", "guess")
        raise AssertionError("logged in with a guess")
    except smtplib.SMTPAuthenticationError as error:
        assert error.smtp_code == 535, error
    smtp.login(user, password)
    send(smtp)
`;
  const words = [String(server.port), HASHED.user, HASHED.password];
  const { code, stderr } = await runToEnd([python, "-c", script, ...words]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(sent(server), Array(3).fill([HASHED.user, "ESMTPSA"]));
});

async function sendWithNodemailer(port: number, login: Login, method: string, isPlain: boolean) {
  const transport = nodemailer.createTransport({
    host: "127.0.0.1",
    port,
    auth: { user: login.user, pass: login.password },
    authMethod: method,
    ignoreTLS: isPlain,
    requireTLS: !isPlain,
    tls: { rejectUnauthorized: false },
  });
  const mail = { from: "a@elsewhere.example", to: "b@example.net", text: "Hello" };
  const { response } = await transport.sendMail(mail);
  return / ([0-9a-z]+)$/.exec(response)![1];
}

Deno.test("nodemailer logs in by PLAIN and LOGIN", async () => {
  await using server = await serve();
  for (const method of ["PLAIN", "LOGIN"]) {
    for (const each of [HASHED, VERIFIED]) {
      await sendWithNodemailer(server.port, each, method, false);
    }
  }
  await assert.rejects(sendWithNodemailer(server.port, WRONG, "PLAIN", false), /535 5\.7\.8/);
  assert.deepEqual(sent(server), [...ESMTPSA, ...ESMTPSA]);
});

/** The daemon, with the users in a file. */
async function withDaemon(
  more: Record<string, string>,
  run: (daemon: Daemon, settings: Record<string, string>) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const lines = [...USERS].map(([user, kept]) => `${user}:${kept}\n`);
    await Deno.writeTextFile(`${folder}/users`, `# users\n${lines.join("")}`, { mode: 0o600 });
    const settings = {
      SMTP_AUTH_USERS_FILE: `${folder}/users`,
      SMTP_AUTH_INSECURE: "true",
      SMTP_QUEUE_PATH: `${folder}/spool`,
      SMTP_REQUIRE_LOCAL_DOMAIN: "true",
      ...more,
    };
    await using daemon = await Daemon.start({ settings });
    await run(daemon, settings);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("S14 what the daemon keeps says how it came: ESMTPSA, or ESMTPA where that may be", async () => {
  await withDaemon({ SMTP_TLS_DISABLE: "false" }, async ({ port }, settings) => {
    for (const isPlain of [false, true]) {
      const id = await sendWithNodemailer(port, VERIFIED, "LOGIN", isPlain);
      const { stdout } = await runToEnd(dinopost("messages", "export", id), settings);
      const [, protocol] = /^Received: [^;]*? with\s+(\S+)\s/.exec(stdout)!;
      assert.equal(protocol, isPlain ? "ESMTPA" : "ESMTPSA");
    }
  });
});

async function loggedIn(port: number, login?: Login): Promise<Client> {
  const client = await Client.greeted(port);
  await client.ask("EHLO client.example");
  if (login === undefined) return client;
  const said = await client.ask(`AUTH PLAIN ${base64(plainMessage(login))}`);
  assert.equal(said, "235 2.7.0 Authentication succeeded");
  return client;
}

async function send(client: Client, recipients: number): Promise<string> {
  assert.match(await client.ask("MAIL FROM:<a@localhost>"), /^250 /);
  for (let i = 0; i < recipients; i++) await client.ask(`RCPT TO:<b${i}@example.net>`);
  const go = await client.ask("DATA");
  return go.startsWith("354") ? await client.ask("Subject: x\r\n\r\n.") : go;
}

Deno.test("S13, S18: who logs in may send as anyone, and has a limit of its own in the queue", async () => {
  const settings = { SMTP_MODE: "relay", SMTP_MAX_QUEUED_PER_CLIENT: "2" };
  await withDaemon(settings, async ({ port }) => {
    using one = await loggedIn(port, VERIFIED);
    using same = await loggedIn(port, VERIFIED);
    using other = await loggedIn(port, HASHED);
    using nobody = await loggedIn(port);
    assert.match(await nobody.ask("MAIL FROM:<a@elsewhere.example>"), /^553 5\.7\.1 /);
    assert.match(await one.ask("MAIL FROM:<a@elsewhere.example>"), /^250 /);
    await one.ask("RSET");
    assert.match(await send(one, 2), /^250 /);
    const full = "452 4.3.1 Too many of your recipients are queued, try again later";
    for (const client of [one, same]) assert.equal(await send(client, 1), full);
    for (const client of [other, nobody]) {
      assert.match(await send(client, 2), /^250 /);
      assert.equal(await send(client, 1), full);
    }
  });
});
