/**
 * B26: of a run in which everything happens, each line is an event in JSON, and nothing of a
 * message lacks its id; with SMTP_LOG_REDACT no address is in it.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Client } from "../fakes/client.ts";
import { type Line, linesOf, LogDaemon } from "../fakes/log_daemon.ts";
import { LOCAL, type Ran, run } from "../fakes/log_run.ts";
import { testWith } from "../fakes/tools.ts";

const EVERYTHING = { SMTP_DEBUG: "true", SMTP_LOG_LEVEL: "debug" };

/** One for each test would take long. */
let plain: Promise<Ran> | undefined;
const plainly = () => plain ??= run(EVERYTHING);

const JQ = `split("\\n") | .[-1] == "" and (.[:-1] | length > 100 and all(fromjson |
  (.time | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[.][0-9]{3}Z$")) and
  (.level | IN("debug", "info", "warning", "error")) and
  (.event | type == "string" and length > 0)))`;

testWith("jq", "B26 each line of standard error is an event for jq (package jq)", async (jq) => {
  const { log, printed } = await plainly();
  assert.equal(printed, "");
  const program = new Deno.Command(jq, {
    args: ["--raw-input", "--slurp", "--exit-status", JQ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = program.stdin.getWriter();
  await writer.write(new TextEncoder().encode(log));
  await writer.close();
  const { code, stdout } = await program.output();
  assert.equal(new TextDecoder().decode(stdout), "true\n", log);
  assert.equal(code, 0);
});

/** What a run in which everything happens tells of. */
const TOLD = [
  "SMTP_TSL_POLICY: not a setting: did you mean SMTP_TLS_POLICY?",
  "attempt begins",
  "audit",
  "audit log off",
  "audit log on",
  "certificate read",
  "client connected",
  "client logged in",
  "login failed",
  "message accepted",
  "message begins",
  "message deferred",
  "message delivered",
  "message failed",
  "no TLS with client",
  "refused",
  "sender is told",
  "session with host",
  "settings kept as they were",
  "settings read again",
  "settings that want a new start",
  "started",
  "stopped",
  "stopping, signal again to end at once",
  "TLS with client",
];

Deno.test("B26 everything that happens is an event, in the order of time", async () => {
  const lines = linesOf((await plainly()).log);
  const told = new Set(lines.map(({ event }) => event));
  assert.deepEqual(TOLD.filter((event) => !told.has(event)), []);
  assert.equal(lines[lines.length - 1].event, "stopped");
  const times = lines.map(({ time }) => time);
  assert.deepEqual(times, times.toSorted());
});

/** Events of a session, or of the daemon; each other one is of a message. */
const OF_NO_MESSAGE = new Set([
  ...TOLD.filter((event) =>
    /^(SMTP_|audit|certificate|settings|started|stop|TLS|no TLS)/.test(event)
  ),
  "client connected",
  "client disconnected",
  "client logged in",
  "login failed",
  "SMTP_TSL_PORT: not a setting: did you mean SMTP_TLS_PORT?",
]);

Deno.test("B26 no event of a message is without its id", async () => {
  const lines = linesOf((await plainly()).log);
  const without = lines.filter(({ event, id }) => id === undefined && !OF_NO_MESSAGE.has(event));
  // What was refused before there was a message is of a session.
  const messages = without.filter(({ event, what }) =>
    event !== "refused" || /^(RCPT|DATA|\(bare)/.test(String(what))
  );
  assert.deepEqual(messages, []);
  for (const { event, session, client, host } of lines) {
    if (event === "refused") assert.ok(typeof session === "number" && client !== undefined);
    if (event === "session with host") assert.ok(typeof host === "string");
  }
});

/** As the names in the spool have it. */
const hashOf = (address: string) =>
  createHash("sha256").update(address.toLowerCase()).digest("hex").slice(0, 16);

const SHOWN = [
  `<${hashOf(`${LOCAL}-refused@Example.net`)}@Example.net>`,
  `<${hashOf(`${LOCAL}-refused@example.net`)}@EXAMPLE.NET>: no such user`,
  `<${hashOf(`${LOCAL}-deferred@example.net`)}@example.net>`,
  `${hashOf(`${LOCAL}-help@example.net`)}@example.net`,
  `${hashOf(`${LOCAL}-user@example.com`)}@example.com`,
  `<${hashOf(`${LOCAL}.sender@example.com`)}@example.com>`,
];

Deno.test("B26 SMTP_LOG_REDACT: no address is in anything it says, and hashes are those of the spool", async () => {
  const { log, printed, names, id } = await run({ ...EVERYTHING, SMTP_LOG_REDACT: "true" });
  const lines = log.split("\n");
  assert.deepEqual(lines.filter((line) => line.toLowerCase().includes(LOCAL)), []);
  assert.equal(printed, "");
  for (const shown of SHOWN) assert.ok(log.includes(shown), shown);
  // Where there is one recipient, its hash and the id are the name of the message in the spool.
  const bounces = new Set(linesOf(log).filter(({ about }) => about === id).map(({ id }) => id));
  const named = linesOf(log).filter(({ event, id, to }) =>
    /^message (accepted|delivered|deferred|failed)$/.test(event) && String(to).startsWith("<") &&
    !bounces.has(id)
  );
  assert.ok(named.length >= 6);
  for (const { id, to } of named) {
    const [, hash] = /^<([0-9a-f]{16})@[^<>]+>$/.exec(String(to)) ?? assert.fail(String(to));
    assert.ok(names.includes(`${id}_${hash}.eml`), `${id} ${to}: ${names}`);
  }
  // The same happens, and is told as otherwise.
  const kinds = (log: string, id: string) => {
    const isMessage = (line: Line) => line.id === id && line.event.startsWith("message ");
    return linesOf(log).filter(isMessage).map(({ event }) => event).toSorted();
  };
  const other = await plainly();
  assert.deepEqual(kinds(log, id), kinds(other.log, other.id));
});

Deno.test("B26 SMTP_LOG_REDACT: contents that a capture shows hold no address either", async () => {
  const capture = { SMTP_MODE: "capture", SMTP_DEBUG: "true", SMTP_LOG_REDACT: "true" };
  await using daemon = await LogDaemon.start(capture);
  using client = await Client.greeted(daemon.port);
  for (
    const line of [
      "EHLO client.example",
      `MAIL FROM:<${LOCAL}@example.com>`,
      `RCPT TO:<${LOCAL}@example.net>`,
      "DATA",
    ]
  ) await client.ask(line);
  const head = `From: "A. Person" <${LOCAL}@example.com>\r\nTo: ${LOCAL}@example.net,\r\n ` +
    `<${LOCAL}@example.org>\r\nMessage-ID: <${LOCAL}@example.com>\r\nSubject: seen\r\n`;
  const answer = await client.ask(`${head}\r\nWrite to mailto:${LOCAL}@example.net.\r\n.`);
  assert.match(answer, /^250 /);
  await daemon.stop();
  assert.match(daemon.log, /Subject: seen/);
  assert.ok(daemon.log.includes(`From: \\"A. Person\\" <${hashOf(`${LOCAL}@example.com`)}@`));
  assert.deepEqual(daemon.log.split("\n").filter((line) => line.includes(LOCAL)), []);
});

Deno.test("B4 SIGHUP switches SMTP_LOG_REDACT and SMTP_LOG_LEVEL, for sessions under way as well", async () => {
  await using daemon = await LogDaemon.start({ SMTP_MODE: "capture" }, { SMTP_DEBUG: "false" });
  using client = await Client.greeted(daemon.port);
  await client.ask("EHLO client.example");
  const seen: string[] = [];
  for (
    const [level, redact] of [
      ["info", "false"],
      ["debug", "true"],
      ["warning", "true"],
      ["debug", "false"],
      // Kept as it was, both.
      ["nonsense", "true"],
    ]
  ) {
    await daemon.reload({
      SMTP_DEBUG: "false",
      SMTP_LOG_LEVEL: level,
      SMTP_LOG_REDACT: redact,
      // Told of as a warning.
      SMTP_BANNER: `${level} ${redact}`,
    });
    for (const line of [`MAIL FROM:<${LOCAL}@example.com>`, "RCPT TO:<b@example.net>", "DATA"]) {
      await client.ask(line);
    }
    const [id] = (await client.ask("Subject: x\r\n\r\n.")).split(" ").slice(-1);
    // What was said before it has been read.
    await client.ask("NOOP");
    seen.push(id);
  }
  await daemon.stop();
  const shown = seen.map((id) =>
    daemon.lines.filter((line) => line.id === id).map(({ event, from }) =>
      `${event} ${String(from).replace(hashOf(`${LOCAL}@example.com`), "(hash)")}`
    )
  );
  const accepted = (from: string) => `message accepted <${from}@example.com>`;
  const begins = (from: string) => `message begins <${from}@example.com>`;
  assert.deepEqual(shown, [
    [accepted(LOCAL)],
    [begins("(hash)"), accepted("(hash)")],
    [],
    [begins(LOCAL), accepted(LOCAL)],
    [begins(LOCAL), accepted(LOCAL)],
  ]);
});
