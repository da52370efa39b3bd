/** B23: what `/readyz` says of a relay that something is really wrong with. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";
import { Authority, writePair } from "../fakes/certificate.ts";
import { ask, httpPortOf, WITH_HTTP } from "../fakes/http.ts";
import { HttpRelay, mail } from "../fakes/http_relay.ts";
import { ScriptedDelivery } from "../fakes/delivery.ts";
import { testAsRoot } from "../fakes/tools.ts";

const SECOND = 1_000, MINUTE = 60 * SECOND, DAY = 24 * 60 * MINUTE;

interface Ready {
  readonly ready: boolean;
  readonly status: number;
  /** What is not well. */
  readonly ill: readonly string[];
}

async function readyAt(port: number): Promise<Ready> {
  const { status, body } = await ask(port, "/readyz");
  const { ready, checks } = JSON.parse(body);
  const ill = [];
  for (const { name, state, detail } of checks) {
    if (state !== "ok") ill.push(`${name} ${state}: ${detail}`);
  }
  return { ready, status, ill };
}

const WELL: Ready = { ready: true, status: 200, ill: [] };

/** Looked at anew: what was found is remembered for a second. */
function readyOf(relay: HttpRelay): Promise<Ready> {
  relay.clock.turn(SECOND);
  return readyAt(relay.httpPort);
}

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("B23 a daemon is ready once it says where it listens, and not while it stops", async () => {
  await using daemon = await Daemon.start({ settings: { ...WITH_HTTP, SMTP_DEBUG: "false" } });
  const port = httpPortOf(daemon);
  assert.deepEqual(await readyAt(port), WELL);
  using client = await Client.greeted(daemon.port);
  await client.ready();
  await client.ask("DATA");
  daemon.signal("SIGTERM");
  await daemon.says(/stopping/);
  let found;
  do found = await readyAt(port); while (found.ready);
  assert.deepEqual(found, { ready: false, status: 503, ill: ["listeners failing: stopping"] });
  // It lives on until then.
  assert.equal((await ask(port, "/livez")).body, "OK\n");
  assert.match(await client.ask("Subject: x\r\n\r\nx\r\n."), /^250 /);
  client.close();
  assert.equal((await daemon.status).code, 0);
});

Deno.test("B23 where less is free than SMTP_MIN_FREE it is not ready, and mail is refused", async () => {
  const settings = { ...WITH_HTTP, SMTP_DEBUG: "false", SMTP_MIN_FREE: "1024TiB" };
  await using daemon = await Daemon.start({ settings });
  const { ready, status, ill } = await readyAt(httpPortOf(daemon));
  assert.deepEqual([ready, status, ill.length], [false, 503, 1]);
  const what = /^space failing: (\d+) octets are free, SMTP_MIN_FREE is 1125899906842624: mail /;
  assert.match(ill[0], what);
  using client = await Client.greeted(daemon.port);
  await client.ask("EHLO x");
  await client.ask("MAIL FROM:<a@example.com>");
  await client.ask("RCPT TO:<b@example.net>");
  assert.match(await client.ask("DATA"), /^452 4\.3\.1 /);
});

Deno.test("B23 a certificate that ends soon, has ended, or cannot be read is a warning", async () => {
  await withFolder(async (folder) => {
    const authority = await Authority.make();
    const clock = Date.UTC(2026, 0, 1);
    const until = (days: number) =>
      authority.certify({ from: clock - 90 * DAY, until: clock + days * DAY });
    const [cert, key] = [`${folder}/cert.pem`, `${folder}/key.pem`];
    await writePair(folder, await until(30));
    const files = {
      [cert]: await Deno.readTextFile(cert),
      [key]: await Deno.readTextFile(key),
    };
    const settings = { SMTP_TLS_CERT: cert, SMTP_TLS_KEY: key };
    await using relay = await HttpRelay.start({ settings, files });
    assert.deepEqual(await readyOf(relay), WELL);

    await writePair(folder, await until(13));
    relay.clock.turn(10 * SECOND);
    const warned = (detail: string) => ({ ...WELL, ill: [`certificate warning: ${detail}`] });
    assert.deepEqual(
      await readyOf(relay),
      warned("certificate ends on 2026-01-14T00:00:00.000Z"),
    );

    await writePair(folder, await until(-1));
    relay.clock.turn(10 * SECOND);
    assert.deepEqual(
      await readyOf(relay),
      warned("certificate has ended on 2025-12-31T00:00:00.000Z"),
    );

    await writePair(folder, await until(30));
    relay.clock.turn(10 * SECOND);
    assert.deepEqual(await readyOf(relay), WELL);

    await Deno.writeTextFile(cert, "nonsense");
    relay.clock.turn(10 * SECOND);
    const { ready, ill } = await readyOf(relay);
    assert.equal(ready, true);
    assert.match(ill.join(), /^certificate warning: ./);
    // What serves meanwhile is the one of before.
    assert.match(await relay.mail(), /^250 /);

    await Deno.remove(key);
    relay.clock.turn(10 * SECOND);
    const gone = await readyOf(relay);
    assert.match(gone.ill.join(), /^certificate warning: ./);
  });
});

async function keyIn(folder: string): Promise<string> {
  const keys = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  const key = await crypto.subtle.exportKey("pkcs8", (keys as CryptoKeyPair).privateKey);
  const text = new Uint8Array(key).toBase64();
  const path = `${folder}/key.pem`;
  await Deno.writeTextFile(
    path,
    `-----BEGIN PRIVATE KEY-----\n${text}\n-----END PRIVATE KEY-----\n`,
  );
  return path;
}

Deno.test("B23 a key for DKIM that cannot be read again is a warning, until it can be", async () => {
  await withFolder(async (folder) => {
    const path = await keyIn(folder);
    const settings = { SMTP_DKIM_SELECTOR: "s", SMTP_DKIM_KEY_PATH: path };
    const parts = { settings, files: { [path]: "x" } };
    await using relay = await HttpRelay.start(parts);
    assert.match(await relay.mail(), /^250 /);
    assert.deepEqual(await readyOf(relay), WELL);
    await Deno.writeTextFile(path, "nonsense");
    relay.reload(parts);
    // Signing waits for it.
    assert.match(await relay.mail(), /^250 /);
    const { ready, ill } = await readyOf(relay);
    assert.equal(ready, true);
    assert.match(ill.join(), /^dkim warning: ./);
    await keyIn(folder);
    relay.reload(parts);
    assert.match(await relay.mail(), /^250 /);
    assert.deepEqual(await readyOf(relay), WELL);
  });
});

Deno.test("B23 a daemon that is to read a bad key for DKIM on SIGHUP warns of it, until it can", async () => {
  await withFolder(async (folder) => {
    const path = await keyIn(folder);
    await using daemon = await Daemon.start({
      settings: {
        ...WITH_HTTP,
        SMTP_DEBUG: "false",
        SMTP_DKIM_SELECTOR: "s",
        SMTP_DKIM_KEY_PATH: path,
      },
    });
    await Deno.writeTextFile(path, "nonsense");
    daemon.signal("SIGHUP");
    await daemon.says(/error: .*(?:DKIM|KEY_PATH)/);
    const { ready, ill } = await readyAt(httpPortOf(daemon));
    assert.equal(ready, true);
    // Nothing that was to be read anew with it was taken.
    assert.match(ill.join(), /^settings warning: SMTP_DKIM_KEY_PATH: ./);
    await keyIn(folder);
    daemon.signal("SIGHUP");
    await daemon.says(/settings read again/);
    assert.deepEqual(await untilChanged(httpPortOf(daemon), ({ ill }) => ill.length === 0), WELL);
  });
});

Deno.test("B23 a queue in which something is due and nothing moves is not ready", async () => {
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  const delivery = new ScriptedDelivery(() => ended.promise);
  const settings = { SMTP_QUEUE_WORKERS: "1", SMTP_WORKER_CONNECTIONS: "1" };
  await using relay = await HttpRelay.start({ settings, delivery });
  // The second has to wait for the first, which never comes to its end.
  await relay.mail();
  await delivery.until(({ length }) => length === 1);
  await relay.mail();
  relay.clock.turn(15 * MINUTE - SECOND);
  assert.deepEqual(await readyOf(relay), WELL);
  relay.clock.turn(MINUTE);
  const { ready, status, ill } = await readyOf(relay);
  assert.deepEqual([ready, status, ill.length], [false, 503, 1]);
  assert.match(
    ill[0],
    /^queue failing: nothing was begun or ended for 96\d s, though something is due for 96\d s$/,
  );
  ended.reject(new Error("over"));
});

testAsRoot(
  "strace",
  "B23 a store whose writes fail is not ready, and is again after",
  async (strace) => {
    await using daemon = await Daemon.start({ settings: { ...WITH_HTTP, SMTP_DEBUG: "false" } });
    const port = httpPortOf(daemon);
    assert.deepEqual(await readyAt(port), WELL);
    const inject = "inject=fsync,fdatasync:error=EIO";
    const tracer = new Deno.Command(strace, {
      args: ["-f", "-o", "/dev/null", "-e", inject, "-p", String(daemon.pid)],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const told = tracer.stderr.pipeThrough(new TextDecoderStream()).getReader();
    for (let said = ""; !/ attached /.test(said);) said += (await told.read()).value;
    // Nobody need send mail for it to be found.
    const { status, ill } = await untilChanged(port, ({ ready }) => !ready);
    assert.equal(status, 503);
    assert.match(ill.join(), /^store failing: ./);
    assert.match(await mail(daemon.port), /^451 4\.3\.0 /);
    tracer.kill("SIGINT");
    while (!(await told.read()).done);
    await tracer.status;
    assert.deepEqual(await untilChanged(port, ({ ready }) => ready), WELL);
    assert.match(await mail(daemon.port), /^250 /);
  },
);

/** No longer than answers are remembered, and a little. */
async function untilChanged(port: number, is: (ready: Ready) => boolean): Promise<Ready> {
  let found = await readyAt(port);
  const end = performance.now() + 3_000;
  while (!is(found) && performance.now() < end) found = await readyAt(port);
  return found;
}
