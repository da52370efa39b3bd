/** SMTP_LOG_FORMAT: text for people, JSON for programs; and the last words of one that cannot start. */

import assert from "node:assert/strict";
import { Daemon, runToEnd, SERVE_DEV } from "../fakes/daemon.ts";
import { linesOf } from "../fakes/log_daemon.ts";
import { testWith } from "../fakes/tools.ts";

/** Has a daemon stop by itself as soon as it has started: it hears SIGTERM at once. */
const STOPS = `const listen = Deno.addSignalListener;
Deno.addSignalListener = (signal, call) =>
  signal === "SIGTERM" ? setTimeout(call, 0) : listen(signal, call);
`;

/** A folder for a spool, and the command of a daemon that stops at once. */
async function withFolder(
  work: (command: string, settings: Record<string, string>, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/stops.js`, STOPS);
    const command = SERVE_DEV.toSpliced(2, 0, `--preload=${folder}/stops.js`).join(" ");
    await work(command, { SMTP_PORT: "0", SMTP_QUEUE_PATH: `${folder}/spool` }, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** In `script` of util-linux a program has a terminal, and its lines end as there. */
const onTerminal = (script: string, command: string) => [script, "-qec", command, "/dev/null"];
const elsewhere = (command: string) => command.split(" ");

const LINE = /^(\S+Z) stopping, .*\r?\n(\S+Z) stopped\r?\n/m;

/** It says what people want to know, and then two lines. */
function assertText(output: string, { day }: { day: boolean }): void {
  const [, stopping, stopped] = LINE.exec(output) ?? assert.fail(output);
  for (const time of [stopping, stopped]) {
    assert.match(time, day ? /^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/ : /^[\d:]{8}\.\d{3}Z$/);
  }
}

function assertJson(log: string): void {
  const events = linesOf(log).map(({ level, event }) => `${level} ${event.split(",")[0]}`);
  assert.deepEqual(events, ["info started", "info stopping", "info stopped"]);
}

testWith("script", "auto: text on a terminal, without the day", async (script) => {
  await withFolder(async (command, settings) => {
    const auto = { ...settings, SMTP_LOG_FORMAT: "auto" };
    const { code, stdout } = await runToEnd(onTerminal(script, command), auto);
    assert.equal(code, 0);
    assert.match(stdout, /^Dinopost .*\r\nSend mail to /);
    assertText(stdout, { day: false });
  });
});

testWith("script", "auto: what counts is where standard error leads", async (script) => {
  await withFolder(async (command, settings, folder) => {
    const auto = { ...settings, SMTP_LOG_FORMAT: "auto" };
    const parted = onTerminal(script, `${command} 2>${folder}/errors`);
    const { code, stdout } = await runToEnd(parted, auto);
    assert.equal(code, 0);
    assert.equal(stdout, "");
    assertJson(await Deno.readTextFile(`${folder}/errors`));
  });
});

testWith("script", "json and text are so on a terminal as well", async (script) => {
  await withFolder(async (command, settings) => {
    const said = async (format: string) => {
      const asked = { ...settings, SMTP_LOG_FORMAT: format };
      return (await runToEnd(onTerminal(script, command), asked)).stdout;
    };
    assertJson((await said("json")).replaceAll("\r\n", "\n"));
    assertText(await said("text"), { day: false });
  });
});

Deno.test("auto: JSON where nobody sits before it, and nothing on standard output", async () => {
  await withFolder(async (command, settings) => {
    const auto = { ...settings, SMTP_LOG_FORMAT: "auto" };
    const { code, stdout, stderr } = await runToEnd(elsewhere(command), auto);
    assert.equal(code, 0);
    assert.equal(stdout, "");
    assertJson(stderr);
  });
});

for (const [what, format] of [["text", "text"], ["in development it is text, which", ""]]) {
  Deno.test(`${what} goes to a file with the day`, async () => {
    await withFolder(async (command, settings) => {
      const asked = { ...settings, SMTP_LOG_FORMAT: format };
      const { stdout, stderr } = await runToEnd(elsewhere(command), asked);
      assert.match(stdout, /^Dinopost .*\nSend mail to /);
      assertText(stderr, { day: true });
    });
  });
}

/** Why there is no daemon, in JSON: the status it ends with, and its last event. */
async function lastOf(settings: Record<string, string>) {
  const { code, stdout, stderr } = await runToEnd(SERVE_DEV, {
    SMTP_PORT: "0",
    SMTP_LOG_FORMAT: "json",
    ...settings,
  });
  assert.equal(stdout, "");
  const lines = linesOf(stderr);
  return { code, last: lines[lines.length - 1], lines };
}

Deno.test("JSON: what is misspelt, and the last words of a daemon whose port another one has", async () => {
  const folder = await Deno.makeTempDir();
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    const { code, last, lines } = await lastOf({
      SMTP_LISTEN: "127.0.0.1",
      SMTP_PORT: String(other.addr.port),
      SMTP_QUEUE_PATH: `${folder}/spool`,
      SMTP_TSL_PORT: "465",
    });
    assert.equal(code, 1);
    assert.deepEqual(lines.map(({ level }) => level), ["warning", "error"]);
    assert.match(lines[0].event, /^SMTP_TSL_PORT: .*SMTP_TLS_PORT/);
    assert.equal(last.event, "not started");
    assert.match(String(last.error), /^listen on 127\.0\.0\.1 port \d+: in use: /);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("JSON: the last words of a daemon whose spool another one serves", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const spool = { SMTP_QUEUE_PATH: `${folder}/spool` };
    await using _ = await Daemon.start({ settings: spool });
    const { code, last } = await lastOf(spool);
    assert.equal(code, 78);
    assert.deepEqual([last.level, last.event], ["error", "not started"]);
    assert.match(String(last.error), /another Dinopost serves it/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("JSON: the last words of a daemon whose spool is none", async () => {
  const file = await Deno.makeTempFile();
  try {
    const { code, last } = await lastOf({ SMTP_QUEUE_PATH: file });
    assert.equal(code, 78);
    assert.deepEqual([last.level, last.event], ["error", "not started"]);
    assert.ok(String(last.error).includes(file));
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("JSON: the last words of a daemon whose settings are wrong, each with its name", async () => {
  const { code, lines } = await lastOf({ SMTP_MAX_SIZE: "x", SMTP_MAX_CLIENTS: "y" });
  assert.equal(code, 78);
  for (const name of ["SMTP_MAX_SIZE", "SMTP_MAX_CLIENTS"]) {
    assert.ok(lines.some((line) => JSON.stringify(line).includes(name)), name);
  }
  assert.ok(lines.every(({ level }) => level === "error"));
});

Deno.test("JSON: the last words of a daemon whose form of log is none, too", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, stderr } = await runToEnd(SERVE_DEV, {
      SMTP_QUEUE_PATH: `${folder}/spool`,
      SMTP_LOG_FORMAT: "xml",
    });
    assert.equal(code, 78);
    assert.match(stderr, /SMTP_LOG_FORMAT: \\?"xml\\?" is not accepted/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("JSON: the last words of a daemon that breaks are one line", async () => {
  const folder = await Deno.makeTempDir();
  try {
    // Nothing of that is foreseen.
    const fault =
      'globalThis.Worker = class { constructor() { throw new Error("no\\nthread"); } };';
    await Deno.writeTextFile(`${folder}/fault.js`, fault);
    const command = SERVE_DEV.toSpliced(2, 0, `--preload=${folder}/fault.js`);
    const { code, stdout, stderr } = await runToEnd(command, {
      SMTP_PORT: "0",
      SMTP_QUEUE_PATH: `${folder}/spool`,
      SMTP_LOG_FORMAT: "json",
    });
    assert.equal(code, 70);
    assert.equal(stdout, "");
    const lines = linesOf(stderr);
    assert.deepEqual(lines.map(({ level }) => level), ["error"]);
    assert.match(JSON.stringify(lines[0]), /no\\nthread/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
