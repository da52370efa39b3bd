/**
 * The executable: it holds the same dialogues as the interpreted daemon, and may do nothing
 * but what it was granted.
 *
 * It is the one that DINOPOST_EXECUTABLE names, compiled with
 * `--read /etc/dinopost` and `--write` of the folder for temporary files, or it is
 * compiled here; where no runtime base can be had, these tests are skipped by name.
 */

import assert from "node:assert/strict";
import { hold, readDialogs } from "../dialogs/dialog.ts";
import { Client } from "../fakes/client.ts";
import { Daemon, runToEnd } from "../fakes/daemon.ts";
import type { Rules } from "../../src/smtp/state.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const TEMPORARY = (await Deno.makeTempFile({ prefix: "dinopost" })).replace(/\/[^/]*$/, "");
const executable = Deno.env.get("DINOPOST_EXECUTABLE") ?? await compile();

/** Compiles in a copy, so that what somebody has in dist/ stays. */
async function compile(): Promise<string | undefined> {
  const copy = await Deno.makeTempDir();
  globalThis.addEventListener("unload", () => Deno.removeSync(copy, { recursive: true }));
  for (const name of ["src", "tests", "scripts", "systemd", "deno.json", "deno.lock"]) {
    assert.equal((await runToEnd(["cp", "-r", ROOT + name, copy])).code, 0);
  }
  const command = [
    Deno.execPath(),
    "task",
    "compile",
    "--read",
    "/etc/dinopost",
    "--write",
    TEMPORARY,
  ];
  const { code, stderr } = await runToEnd(command, {}, copy);
  if (code === 69) return undefined;
  assert.equal(code, 0, stderr);
  return `${copy}/dist/dinopost`;
}

function test(name: string, run: (executable: string) => Promise<void>): void {
  if (executable === undefined) {
    const why = "skipped: the runtime base cannot be fetched here";
    Deno.test({ name: `executable: ${name} (${why})`, ignore: true, fn() {} });
  } else Deno.test(`executable: ${name}`, () => run(executable));
}

function settingsFor(rules: Rules): Record<string, string> {
  return {
    SMTP_MAX_SIZE: String(rules.maxSize),
    SMTP_MAX_RECIPIENTS: String(rules.maxRecipients),
    SMTP_MAX_UNKNOWN_COMMANDS: String(rules.maxUnknownCommands),
    SMTP_BARE_NEWLINE: rules.bareNewline,
    SMTP_REQUIRE_LOCAL_DOMAIN: String(rules.senderDomains !== undefined),
    SMTP_LOCAL_DOMAINS: [...rules.senderDomains ?? []].join(),
  };
}

for (const dialog of readDialogs()) {
  test(`dialogue ${dialog.name}`, async (executable) => {
    await using daemon = await Daemon.start({
      command: [executable, "serve", "--dev"],
      settings: { ...settingsFor(dialog.rules), SMTP_ENV_FILE: "" },
    });
    using client = await Client.connect(daemon.port);
    await hold(dialog, client);
  });
}

test("a path that it was not granted is refused", async (executable) => {
  const { code, stderr } = await runToEnd([executable, "check"], {
    SMTP_ENV_FILE: "/etc/hostname",
  });
  assert.equal(code, 78);
  assert.match(stderr, /SMTP_ENV_FILE: cannot read "\/etc\/hostname": the process was not granted/);
});

test("a spool where it was not granted to write is refused", async (executable) => {
  const settings = { SMTP_ENV_FILE: "", SMTP_QUEUE_PATH: "/var/lib/dinopost-not-granted" };
  const { code, stderr } = await runToEnd([executable, "serve", "--dev"], settings, "/");
  assert.equal(code, 78);
  assert.match(stderr, /^dinopost: spool \/var\/lib\/dinopost-not-granted: cannot be made or read/);
});

test("what it accepts is in its spool and there again at the next start", async (executable) => {
  const folder = await Deno.makeTempDir();
  const settings = { SMTP_ENV_FILE: "", SMTP_QUEUE_PATH: `${folder}/spool` };
  const start = () => Daemon.start({ command: [executable, "serve", "--dev"], settings });
  let id: string;
  {
    await using daemon = await start();
    using client = await Client.greeted(daemon.port);
    await client.ready();
    await client.ask("DATA");
    const reply = await client.ask("Subject: kept\r\n\r\nx\r\n.");
    id = /^250 .* (\w+)$/.exec(reply)![1];
  }
  await using _again = await start();
  const listed = await runToEnd([executable, "messages", "list", "--json"], settings, "/");
  assert.match(listed.stdout, new RegExp(id));
  await Deno.remove(folder, { recursive: true });
});

test("its database engine runs, its unit is in it", async (executable) => {
  const check = await runToEnd([executable, "check"], { SMTP_ENV_FILE: "" }, "/");
  assert.match(check.stdout, /^# SQLite \d+\.\d+\.\d+$/m);
  const unit = await runToEnd([executable, "unit"], { SMTP_ENV_FILE: "" }, "/");
  const source = await Deno.readTextFile(`${ROOT}systemd/dinopost.service`);
  assert.equal(unit.stdout, source);
});

test("signals stop it in good order", async (executable) => {
  await using daemon = await Daemon.start({
    command: [executable, "serve", "--dev"],
    settings: { SMTP_ENV_FILE: "" },
  });
  using client = await Client.greeted(daemon.port);
  daemon.signal("SIGTERM");
  assert.match(await client.rest(), /^421 4\.3\.2 /);
  client.close();
  assert.equal((await daemon.status).code, 0);
});

test("wrong uses end as they do when interpreted", async (executable) => {
  assert.equal((await runToEnd([executable, "frobnicate"])).code, 64);
  const settings = { SMTP_ENV_FILE: "", SMTP_PORT: "x" };
  const { code, stderr } = await runToEnd([executable], settings, "/");
  assert.equal(code, 78);
  assert.match(stderr, /SMTP_PORT: "x" is not accepted/);
});
