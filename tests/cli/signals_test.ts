/** B4, S3: what a running daemon is told by signals, and what it tells systemd. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";
import { testWith } from "../fakes/tools.ts";

async function withFile(run: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await run(path);
  } finally {
    await Deno.remove(path);
  }
}

async function mail(port: number, domain: string): Promise<string> {
  using client = await Client.connect(port);
  const greeting = await client.reply();
  if (!greeting.startsWith("220")) return greeting;
  await client.ask("EHLO x");
  return await client.ask(`MAIL FROM:<a@${domain}>`);
}

Deno.test("B4 SIGHUP takes over what may change; sessions begun before keep their rules", async () => {
  await withFile(async (path) => {
    const local = "SMTP_REQUIRE_LOCAL_DOMAIN=true\nSMTP_DEBUG=false\n";
    await Deno.writeTextFile(path, local);
    await using daemon = await Daemon.start({ settings: { SMTP_ENV_FILE: path } });
    const { port } = daemon;
    assert.match(await mail(port, "example.com"), /^553 5\.7\.1 /);
    using before = await Client.greeted(port);
    await before.ask("EHLO x");

    await Deno.writeTextFile(path, local + "SMTP_LOCAL_DOMAINS=example.com\nSMTP_BANNER=other\n");
    daemon.signal("SIGHUP");
    await daemon.says(/settings read again changed=SMTP_LOCAL_DOMAINS\n/);
    await daemon.says(/warning: settings that want a new start changed=SMTP_BANNER\n/);
    assert.match(await mail(port, "example.com"), /^250 /);
    assert.match(await before.ask("MAIL FROM:<a@example.com>"), /^553 5\.7\.1 /);

    await Deno.writeTextFile(path, local + "SMTP_ALLOW_NETWORKS=192.0.2.1\n");
    daemon.signal("SIGHUP");
    await daemon.says(/settings read again changed=SMTP_LOCAL_DOMAINS,SMTP_ALLOW_NETWORKS\n/);
    assert.match(await mail(port, "localhost"), /^554 5\.7\.1 /);
    assert.match(await before.ask("NOOP"), /^250 /);
  });
});

Deno.test("B4 a bad new value keeps the old one, and says so", async () => {
  await withFile(async (path) => {
    await Deno.writeTextFile(path, "SMTP_REQUIRE_LOCAL_DOMAIN=true\n");
    await using daemon = await Daemon.start({ settings: { SMTP_ENV_FILE: path } });
    await Deno.writeTextFile(path, "SMTP_REQUIRE_LOCAL_DOMAIN=perhaps\nSMTP_ALLOW_NETWORKS=x\n");
    daemon.signal("SIGHUP");
    await daemon.says(/settings kept as they were problem="SMTP_ALLOW_NETWORKS: /);
    await daemon.says(/settings kept as they were problem="SMTP_REQUIRE_LOCAL_DOMAIN: .*perhaps/);
    assert.match(await mail(daemon.port, "example.com"), /^553 5\.7\.1 /);
    assert.match(await mail(daemon.port, "localhost"), /^250 /);
  });
});

Deno.test("S3 SIGUSR1 begins and ends the audit log, for sessions under way as well", async () => {
  await using daemon = await Daemon.start({ settings: { SMTP_DEBUG: "false" } });
  using client = await Client.greeted(daemon.port);
  await client.ask("EHLO unheard");
  daemon.signal("SIGUSR1");
  await daemon.says(/audit log on\n/);
  await client.ask("EHLO heard");
  await daemon.says(/1 C: EHLO heard\n/);
  daemon.signal("SIGUSR1");
  await daemon.says(/audit log off\n/);
  await client.ask("EHLO unheard-again");
  assert.doesNotMatch(daemon.output, /unheard/);
});

const LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(30)
print("bound", flush=True)
while True:
    message = s.recv(4096).decode()
    print(message.replace("\\n", " "), flush=True)
    if "STOPPING=1" in message: break
`;

testWith("python3", "B30 systemd is told ready, alive, reloading and stopping", async (python) => {
  const folder = await Deno.makeTempDir();
  const socket = `${folder}/systemd`;
  const manager = new Deno.Command(python, {
    args: ["-c", LISTENER, socket],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const told = manager.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let heard = "";
  const hears = async (pattern: RegExp) => {
    while (!pattern.test(heard)) {
      const { done, value } = await told.read();
      assert.ok(!done, `not told ${pattern}: ${heard}`);
      heard += value;
    }
  };
  try {
    await hears(/bound/);
    await using daemon = await Daemon.start({
      command: [
        Deno.execPath(),
        "run",
        "--quiet",
        "--allow-net",
        "--allow-env",
        "--allow-sys=hostname,statfs,uid,networkInterfaces",
        `--allow-read=.,/dev/null,${folder}`,
        `--allow-write=${folder}`,
        "src/main.ts",
        "serve",
        "--dev",
      ],
      settings: {
        NOTIFY_SOCKET: socket,
        RUNTIME_DIRECTORY: folder,
        WATCHDOG_USEC: "200000",
        SMTP_QUEUE_PATH: `${folder}/spool`,
      },
    });
    await hears(/READY=1 STATUS=accepting mail\n/);
    await hears(/(WATCHDOG=1\n[^]*){2}/);
    daemon.signal("SIGHUP");
    await hears(/RELOADING=1 MONOTONIC_USEC=\d+\n[^]*READY=1/);
    daemon.signal("SIGTERM");
    await hears(/STOPPING=1 STATUS=waiting for 0 sessions\n/);
    assert.equal((await daemon.status).code, 0);
  } finally {
    await told.cancel();
    await manager.status;
    await Deno.remove(folder, { recursive: true });
  }
});
