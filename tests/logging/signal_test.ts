/**
 * S3: the signal for the audit log does that and nothing else: it opens no door for a debugger,
 * and nobody but Dinopost writes among its events.
 */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { AUDIT_SIGNAL, LogDaemon } from "../fakes/log_daemon.ts";

/** Where the runtime lets debuggers in, unless told otherwise. */
const DEBUGGER = { hostname: "127.0.0.1", port: 9229 };
/** A runtime that listens to signals of its own does so only after a while; in milliseconds. */
const A_WHILE = 1_000;

/** The inodes of sockets on which a process listens. */
function listening(pid: number): Set<string> {
  const all = ["tcp", "tcp6"].flatMap((name) =>
    Deno.readTextFileSync(`/proc/${pid}/net/${name}`).split("\n").slice(1)
  ).map((line) => line.trim().split(/\s+/));
  const listens = new Set(all.filter(([, , , state]) => state === "0A").map((row) => row[9]));
  const own = [...Deno.readDirSync(`/proc/${pid}/fd`)].flatMap(({ name }) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(Deno.readLinkSync(`/proc/${pid}/fd/${name}`))?.[1] ?? [];
    } catch {
      return [];
    }
  });
  return new Set(own.filter((inode) => listens.has(inode)));
}

/** Mail, until a while has passed since it was started. */
async function mailFor(daemon: LogDaemon, milliseconds: number): Promise<void> {
  using client = await Client.greeted(daemon.port);
  await client.ask("EHLO client.example");
  const [{ time }] = daemon.all("started");
  do {
    for (const line of ["MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>", "DATA"]) {
      await client.ask(line);
    }
    assert.match(await client.ask("Subject: x\r\n\r\n."), /^250 2\.0\.0 /);
  } while (Date.now() - Date.parse(time) < milliseconds);
}

async function toggled(daemon: LogDaemon): Promise<void> {
  for (const state of ["on", "off"]) {
    daemon.signal(AUDIT_SIGNAL);
    await daemon.says(`audit log ${state}`);
  }
}

const SETTINGS = { SMTP_MODE: "capture", SMTP_DEBUG: "false" };
const isLinux = Deno.build.os === "linux";

Deno.test({
  name: `S3 the signal for the audit log opens no port${isLinux ? "" : " (skipped: no /proc)"}`,
  ignore: !isLinux,
  async fn() {
    await using daemon = await LogDaemon.start(SETTINGS);
    await mailFor(daemon, A_WHILE);
    const before = listening(daemon.pid);
    assert.ok(before.size > 0);
    await toggled(daemon);
    await mailFor(daemon, 0);
    assert.deepEqual(listening(daemon.pid), before);
    await daemon.stop();
  },
});

Deno.test({
  name: `S3 what SIGUSR1 opens is shut at once${isLinux ? "" : " (skipped: no /proc)"}`,
  ignore: !isLinux,
  async fn() {
    await using daemon = await LogDaemon.start(SETTINGS);
    await mailFor(daemon, A_WHILE);
    const before = listening(daemon.pid);
    daemon.signal("SIGUSR1");
    await daemon.says("audit log on");
    // When it is opened nobody tells.
    await mailFor(daemon, 2 * A_WHILE);
    assert.deepEqual(listening(daemon.pid), before);
  },
});

Deno.test("S3 nobody else says anything at the signal for the audit log", async () => {
  // Somebody else debugs something.
  using _ = listenUnless();
  await using daemon = await LogDaemon.start(SETTINGS);
  await mailFor(daemon, A_WHILE);
  await toggled(daemon);
  await mailFor(daemon, 0);
  await daemon.stop();
  // Each is an event.
  assert.equal(daemon.lines.at(-1)!.event, "stopped");
  assert.equal(await daemon.printed, "");
});

/** Nothing, where somebody has it already. */
function listenUnless(): Disposable {
  try {
    return Deno.listen(DEBUGGER);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    return { [Symbol.dispose]() {} };
  }
}
