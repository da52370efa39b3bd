/** The command line: what it prints, and the statuses it ends with. */

import assert from "node:assert/strict";
import { Daemon, dinopost, runToEnd } from "../fakes/daemon.ts";

Deno.test("a second start on the same port ends with a clear line and status 1", async () => {
  await using daemon = await Daemon.start();
  const folder = await Deno.makeTempDir();
  const settings = { SMTP_PORT: String(daemon.port), SMTP_QUEUE_PATH: `${folder}/spool` };
  const { code, stdout, stderr } = await runToEnd(dinopost("serve", "--dev"), settings);
  await Deno.remove(folder, { recursive: true });
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.equal(
    stderr,
    `dinopost: listen on 127.0.0.1 port ${daemon.port}: in use: another program has it, ` +
      "perhaps another Dinopost; set SMTP_PORT\n",
  );
});

Deno.test("wrong settings end with status 78, all of them listed", async () => {
  const settings = {
    SMTP_PORT: "smtp",
    SMTP_DEBUG: "perhaps",
    SMTP_FAULTS: "anything",
  };
  const { code, stdout, stderr } = await runToEnd(dinopost(), settings);
  assert.equal(code, 78);
  assert.equal(stdout, "");
  assert.equal(
    stderr,
    "dinopost: settings are wrong:\n" +
      '  SMTP_PORT: "smtp" is not accepted: give a port from 0 to 65535\n' +
      '  SMTP_DEBUG: "perhaps" is not accepted: give true, false, 1 or 0\n' +
      "  SMTP_FAULTS: not yet in this version: leave it unset\n",
  );
});

Deno.test("check shows every setting, its value and where it comes from, but no secret", async () => {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, "SMTP_MAX_RECIPIENTS=7\nSMTP_PORT=1\nSMTP_PROT=1\n");
  const settings = {
    SMTP_ENV_FILE: file,
    SMTP_PORT: "2600",
    SMTP_AUTH_USERS: "alice:canary-7c1e",
    SMTP_AUTH_INSECURE: "true",
  };
  const { code, stdout, stderr } = await runToEnd(dinopost("check", "--dev"), settings);
  await Deno.remove(file);
  assert.equal(code, 0);
  assert.equal(stderr, "warning: SMTP_PROT: not a setting: did you mean SMTP_PORT?\n");
  const lines = stdout.split("\n");
  assert.ok(lines.includes("SMTP_PORT=2600  # environment"), stdout);
  assert.ok(lines.includes(`SMTP_MAX_RECIPIENTS=7  # ${file}`), stdout);
  assert.ok(lines.includes("SMTP_MODE=capture  # development"), stdout);
  assert.ok(lines.includes("SMTP_BANNER=Dinopost ready"), stdout);
  assert.ok(lines.includes("SMTP_AUTH_USERS=(not shown)  # environment"), stdout);
  assert.ok(!stdout.includes("canary"), stdout);
  assert.ok(lines.includes("SMTP_FAULTS=  # not yet"), stdout);
});

Deno.test("version, help, and what is neither", async () => {
  const version = await runToEnd(dinopost("version"));
  assert.match(version.stdout, /^dinopost \d+\.\d+\.\d+\n$/);
  assert.equal((await runToEnd(dinopost("--version"))).stdout, version.stdout);
  const help = await runToEnd(dinopost("help"));
  assert.equal((await runToEnd(dinopost("--help"))).stdout, help.stdout);
  for (const command of ["serve", "check", "version", "help"]) {
    assert.match(help.stdout, new RegExp(`^  ${command}`, "m"));
  }
  for (
    const [args, said] of [
      [["frobnicate"], 'dinopost: unknown command "frobnicate": see dinopost help\n'],
      [["serve", "--fast"], 'dinopost serve: unknown option "--fast": see dinopost help\n'],
      [
        ["check", "extra"],
        'dinopost check: "extra" is too much: it takes no argument: see dinopost help\n',
      ],
      [["--fast"], 'dinopost serve: unknown option "--fast": see dinopost help\n'],
    ] as const
  ) {
    const { code, stdout, stderr } = await runToEnd(dinopost(...args));
    assert.deepEqual([code, stdout, stderr], [64, "", said]);
  }
});

Deno.test("in production nobody may use the server until somebody is allowed, and it says so", async () => {
  await using daemon = await Daemon.start({
    command: dinopost("serve"),
    settings: { SMTP_LISTEN: "127.0.0.1" },
  });
  await daemon.says(/warning: no client may use this server: set SMTP_ALLOW_NETWORKS/);
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: daemon.port });
  const buffer = new Uint8Array(1000);
  const count = await connection.read(buffer);
  assert.match(new TextDecoder().decode(buffer.subarray(0, count ?? 0)), /^554 5\.7\.1 /);
});
