/** H8: no password is in a log line, an audit line, an error, a reply or a crash, in any form. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Authenticator } from "../../src/inbound/authentication.ts";
import { Session } from "../../src/smtp/session.ts";
import * as replies from "../../src/smtp/replies.ts";
import { Authentication } from "../../src/inbound/authentication.ts";
import { world } from "../../src/deno/world.ts";
import { Client } from "../fakes/client.ts";
import { Daemon, dinopost, runToEnd } from "../fakes/daemon.ts";
import { initialRules } from "../fakes/rules.ts";
import { base64, octets, plainMessage, ScramClient } from "../fakes/sasl.ts";
import { TestServer } from "../fakes/server.ts";

const RIGHT = "canary-Right-7f3a";
const WRONG = "canary-Wrong-91bc";
const CANARIES = [RIGHT, WRONG];

/** A canary as it is, and as it is somewhere in base64: that depends on what stands before it. */
function formsOf(canary: string): string[] {
  const inner = (before: number) =>
    base64("\0".repeat(before) + canary).slice(before === 0 ? 0 : 4);
  return [canary, ...[0, 1, 2].map((before) => inner(before).replace(/=+$/, "").slice(0, -2))];
}

const FORMS = CANARIES.flatMap(formsOf).map((form) => form.toLowerCase());

function assertSilent(text: string, where: string): void {
  const found = FORMS.find((form) => text.toLowerCase().includes(form));
  const line = text.split("\n").find((line) => line.toLowerCase().includes(found ?? "\0"));
  assert.equal(found, undefined, `${where}: ${line}`);
}

Deno.test("H8 the search finds a canary in whatever base64 it is in", () => {
  for (const before of ["", "a", "ab", "\0alice\0", "\0bo\0", "\0b\0"]) {
    for (const canary of CANARIES) {
      assert.throws(() => assertSilent(`x ${base64(before + canary + "more")}`, "here"));
      assert.throws(() => assertSilent(`x ${base64(before + canary)}`, "here"));
    }
  }
  assert.throws(() => assertSilent(`a\nb ${RIGHT}`, "here"));
});

const plain = (password: string, user = "alice", actsFor = "") =>
  base64(plainMessage({ user, password, actsFor }));

/** What clients say, well or badly, each on a connection of its own. */
const SAID: readonly (readonly string[])[] = CANARIES.flatMap((canary) => [
  [`AUTH PLAIN ${plain(canary)}`, "NOOP"],
  ["AUTH PLAIN", plain(canary)],
  ["AUTH LOGIN", base64("alice"), base64(canary)],
  [`AUTH LOGIN ${base64("alice")}`, base64(canary)],
  // A password in place of a name.
  [`AUTH LOGIN ${base64(canary)}`, base64("x")],
  [`AUTH PLAIN ${plain("x", canary)}`],
  [`AUTH PLAIN ${plain("x", "alice", canary)}`],
  // Malformed, and with the password in the wrong place.
  [`AUTH ${plain(canary)}`],
  [`AUTH  ${canary}`],
  [`AUTHPLAIN ${plain(canary)}`],
  [`AUTH=PLAIN ${plain(canary)}`],
  [`auth\tplain\t${plain(canary)}`],
  [` AUTH PLAIN ${plain(canary)}`],
  [`AUTH PLAIN ${plain(canary)} ${plain(canary)}`],
  [`AUTH PLAIN ${canary}`],
  [`AUTH PLAIN alice:${canary}`],
  [`AUTH PLAIN \x01${plain(canary)}`],
  [`AUTH CRAM-MD5 ${plain(canary)}`, base64(canary), canary],
  // Overlong.
  [`AUTH PLAIN ${base64(canary.repeat(1000))}`, base64(canary)],
  ["AUTH PLAIN", base64(canary.repeat(1000)), canary],
  // Out of step: the client does not see that it was refused.
  ["AUTH LOGIN", `alice`, canary],
  ["AUTH LOGIN", "*", base64(canary), canary],
  ["MAIL FROM:<a@example.com>", "AUTH LOGIN", base64("alice"), base64(canary)],
  ["HELO x", "AUTH LOGIN", base64("alice"), canary],
  ["AUTH LOGIN", `alice\0`, `${canary}\0`],
  ["AUTH LOGIN", `${canary}\n`],
  [`AUTH PLAIN\r\n${plain(canary)}`],
]);

/** Says it all, and gives what the server said. */
async function say(port: number, lines: readonly string[]): Promise<string> {
  using client = await Client.greeted(port);
  let heard = await client.ask("EHLO client.example");
  for (const line of lines) {
    try {
      heard += "\n" + await client.ask(line);
    } catch {
      // The server has closed.
    }
  }
  return heard;
}

async function sayScram(port: number, password: string): Promise<string> {
  using client = await Client.greeted(port);
  await client.ask("EHLO client.example");
  const scram = new ScramClient({ user: "alice", password });
  const challenge = await client.ask(`AUTH SCRAM-SHA-256 ${base64(scram.first)}`);
  const final = await client.ask(base64(scram.last(atob(challenge.slice(4)))));
  return `${challenge}\n${final}\n${await client.ask("")}`;
}

const SETTINGS = {
  SMTP_DEBUG: "true",
  SMTP_AUTH_USERS: `alice:${RIGHT}`,
  SMTP_AUTH_INSECURE: "true",
};

Deno.test("H8 with every session audited: wrong and right logins, malformed and overlong ones", async () => {
  await using daemon = await Daemon.start({ settings: SETTINGS });
  const heard = await Promise.all([
    ...SAID.map((lines) => say(daemon.port, lines)),
    ...CANARIES.map((password) => sayScram(daemon.port, password)),
  ]);
  assertSilent(heard.join("\n"), "a reply");
  const all = heard.join("\n");
  for (
    const code of ["235 2.7.0", "535 5.7.8", "501 5.5.2", "500 5.5.6", "504 5.5.4", "554 5.5.0"]
  ) {
    assert.ok(all.includes(code), `nobody was told ${code}`);
  }
  daemon.signal("SIGTERM");
  assert.equal((await daemon.status).code, 0);
  // Passwords are not shown, but everything else is.
  await daemon.says(/C: AUTH PLAIN \(hidden\)/);
  await daemon.says(/C: AUTH LOGIN\n/);
  await daemon.says(/C: \(hidden\)/);
  await daemon.says(/S: 334 \(hidden\)/);
  await daemon.says(/login failed user=alice client=127\.0\.0\.1/);
  await daemon.says(/login failed user="\(no such user\)"/);
  await daemon.says(/stopped/);
  assertSilent(daemon.output, "the log");
});

const WRONG_USERS = [
  RIGHT,
  `alice:x,${RIGHT}`,
  `alice:{SSHA}${RIGHT}`,
  `alice:$scrypt$ln=0,r=8,p=1$${base64(RIGHT)}$${base64(WRONG)}`,
  `alice:SCRAM-SHA-256$4096:${base64(RIGHT)}$${base64(WRONG)}:x`,
  `alice:${RIGHT},alice:${WRONG}`,
];

Deno.test("H8 wrong users at start are told of, without what was wrong", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const tell = async (settings: Record<string, string>, command: string[]) => {
      const spool = { SMTP_QUEUE_PATH: `${folder}/spool` };
      const { code, stdout, stderr } = await runToEnd(dinopost(...command), {
        ...spool,
        ...settings,
      });
      assert.notEqual(code, 0);
      assert.match(stderr, /SMTP_AUTH_USERS/);
      assertSilent(stdout + stderr, command.join(" "));
    };
    await Promise.all(WRONG_USERS.map(async (users, i) => {
      if (i % 2 === 0) return await tell({ SMTP_AUTH_USERS: users }, ["serve", "--dev"]);
      const file = `${folder}/users${i}`;
      await Deno.writeTextFile(file, users.replace(/,(?=alice|canary)/, "\n") + "\n");
      await tell({ SMTP_AUTH_USERS_FILE: file }, ["check"]);
    }));
    // Lines of the settings file that are none.
    const file = `${folder}/settings`;
    await Deno.writeTextFile(
      file,
      `SMTP_AUTH_USERS=alice:x,\n  bob:${RIGHT}\n${WRONG}\nSMTP_PORT=x\n`,
    );
    const { code, stdout, stderr } = await runToEnd(dinopost("serve"), { SMTP_ENV_FILE: file });
    assert.notEqual(code, 0);
    assertSilent(stdout + stderr, "the settings file");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("H8 users that have become wrong are told of on SIGHUP, without what is wrong", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, `alice:${RIGHT}\n`);
    await using daemon = await Daemon.start({
      settings: { SMTP_AUTH_USERS_FILE: file, SMTP_AUTH_INSECURE: "true", SMTP_DEBUG: "true" },
    });
    await Deno.writeTextFile(file, `alice:{SSHA}${WRONG}\n`);
    daemon.signal("SIGHUP");
    await daemon.says(/settings kept as they were/);
    assert.match(await say(daemon.port, [`AUTH PLAIN ${plain(RIGHT)}`]), /^235 /m);
    assertSilent(daemon.output, "the log");
  } finally {
    await Deno.remove(file);
  }
});

/** Authenticators that fail where they have the password at hand. */
const FAILING: Record<string, () => Authenticator> = {
  "one that throws": () => ({
    mechanisms: ["PLAIN", "LOGIN"],
    answer: ({ said }) => {
      const password = new TextDecoder().decode(said.at(-1));
      if (said.length < 1) return Promise.resolve({ challenge: octets("Username:") });
      // deno-lint-ignore no-explicit-any -- what is not there cannot be called
      return (password as any).login();
    },
  }),
  "ours, whose digests fail": () =>
    new Authentication(new Map([["alice", RIGHT]]), {
      ...world,
      log() {},
      digests: {
        ...world.digests,
        sha256: () => {
          throw new TypeError("no such digest");
        },
      },
    }),
};

for (const [what, auth] of Object.entries(FAILING)) {
  Deno.test(`H8 an authenticator that fails with a password at hand: ${what}`, async () => {
    const audited: string[] = [];
    await using server = new TestServer({
      auth: auth(),
      authInsecure: true,
      audit: {
        wants: { lines: true, content: true },
        line: (_, side, text) => audited.push(`${side}: ${text}`),
      },
    });
    for (const canary of CANARIES) {
      const login = ["AUTH LOGIN", base64("alice"), base64(canary)];
      for (const lines of [[`AUTH PLAIN ${plain(canary)}`], login]) {
        const heard = await say(server.port, lines);
        assert.match(heard, /^454 4\.7\.0 /m);
        assertSilent(heard, "a reply");
      }
    }
    assertSilent(JSON.stringify(server.logged), "the log");
    assertSilent(audited.join("\n"), "the audit");
    assert.match(JSON.stringify(server.logged), /TypeError/);
  });
}

Deno.test("H8 however AUTH is said, and whatever is answered, its words are not shown", () => {
  const words = fc.constantFrom(...CANARIES.flatMap((each) => [each, base64(each), plain(each)]));
  const begun = fc.record({
    verb: fc.constantFrom("AUTH", "auth", " AUTH", "\tAuth", "AUTHPLAIN"),
    space: fc.constantFrom(" ", "  ", "\t", "=", ":"),
    mechanism: fc.constantFrom("PLAIN", "LOGIN", "plain", "XOAUTH2", "X-OTHER", "\x01", ""),
    more: fc.array(words, { maxLength: 2 }),
  }).map(({ verb, space, mechanism, more }) => [`${verb}${space}${mechanism}`, ...more].join(" "));
  const dialog = fc.tuple(begun, fc.array(words, { maxLength: 3 }), fc.boolean());
  fc.assert(fc.property(fc.array(dialog, { minLength: 1, maxLength: 3 }), (dialogs) => {
    const seen: string[] = [];
    const session = new Session(
      { ...initialRules, mechanisms: ["PLAIN", "LOGIN"], authInsecure: true },
      {
        wants: { lines: true, content: true },
        line: (side, text) => seen.push(`${side}: ${text}`),
        command: (verb) => seen.push(verb),
        replied: (to, reply) => seen.push(`${to}: ${reply.lines}`),
        over: () => {},
      },
    );
    session.tell({ kind: "opened", early: false });
    session.receive(octets("EHLO x\r\n") as Uint8Array<ArrayBuffer>);
    for (const [first, more, asks] of dialogs) {
      for (const line of [first, ...more]) {
        session.receive(octets(`${line}\r\n`) as Uint8Array<ArrayBuffer>);
        if (session.state.at !== "authenticating") continue;
        session.tell(
          asks
            ? { kind: "challenged", challenge: octets("more") }
            : { kind: "refused", reply: replies.loginFailed },
        );
      }
    }
    assertSilent(seen.join("\n"), "what is seen");
  }));
});
