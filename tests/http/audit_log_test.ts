/** S30, S3: the audit log as its readers have it, over real sockets, while mail flows. */

import assert from "node:assert/strict";
import type { AuditLine } from "../../src/audit.ts";
import { auditText } from "../../src/logging/lines.ts";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";
import { ask, Follower, httpPortOf, requestFor, WITH_HTTP } from "../fakes/http.ts";
import { HttpRelay, mail } from "../fakes/http_relay.ts";
import { settled } from "../fakes/settled.ts";
import { testWith } from "../fakes/tools.ts";

const AUDITED = { settings: { ...WITH_HTTP, SMTP_DEBUG: "true" } };
const MINUTE = 60_000;
/** Lines that come within this time go in one piece. */
const GATHERED = 25;

const put = (port: number, on: boolean) =>
  ask(port, "/api/audit", { method: "PUT", body: JSON.stringify({ on }) });

const HOUR = "S30 an hour of mail, a message a minute: curl and others have every line, in order";

testWith("curl", HOUR, async (curl) => {
  await using relay = await HttpRelay.start({ settings: { SMTP_DEBUG: "true" } });
  const { clock } = relay;
  await using follows = new Deno.Command(curl, {
    args: ["-q", "-sN", "--noproxy", "*", `http://127.0.0.1:${relay.httpPort}/healthz`],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const curled = follows.stdout.pipeThrough(new TextDecoderStream()).getReader();
  assert.equal((await curled.read()).value, "OK\n");
  await using follower = await Follower.open(relay.httpPort);
  await follower.until(/^OK\n/);
  const lines: string[] = [];
  relay.relay.auditLog.read({
    line: (line: AuditLine) => lines.push(auditText(line, { short: false })),
  });
  const start = clock.monotonic();
  for (let minute = 1; minute <= 60; minute++) {
    assert.match(await relay.mail(`message ${minute}`), /^250 /);
    while (!lines.at(-1)!.endsWith(" *: disconnected")) await settled();
    while (follower.lines.length < lines.length) {
      clock.turn(GATHERED);
      await settled();
    }
    // It is not forgotten while nothing happens.
    for (let half = 0; half < 2; half++) {
      const { length } = follower.text;
      clock.turn(MINUTE / 2);
      await follower.until(new RegExp(`^[^]{${length}}\n$`));
    }
  }
  assert.ok(clock.monotonic() - start >= 60 * MINUTE);
  assert.ok(lines.length >= 60 * 10);
  assert.deepEqual(follower.lines, lines);
  relay.relay.audit(false);
  let text = "";
  for (let read = curled.read();;) {
    clock.turn(GATHERED);
    const { value, done } = await read;
    if (done) break;
    text += value;
    read = curled.read();
  }
  assert.deepEqual(text.split("\n").filter((line) => line !== ""), [...lines, "(audit log off)"]);
});

Deno.test("S30 readers do not keep a daemon from its end, and read up to it", async () => {
  await using daemon = await Daemon.start(AUDITED);
  await using follower = await Follower.open(httpPortOf(daemon));
  await follower.until(/^OK\n/);
  await mail(daemon.port, { from: "last@example.com" });
  await follower.until(/MAIL FROM:<last@example\.com>\n/);
  daemon.signal("SIGTERM");
  assert.equal((await daemon.status).code, 0);
  // It has no end, as it would have when the audit log is switched off.
  assert.doesNotMatch(await follower.rest(), /audit log off/);
  assert.equal(follower.cut, true);
});

testWith("curl", "S30 curl follows it, until SIGUSR1 ends it", async (curl) => {
  await using daemon = await Daemon.start(AUDITED);
  const command = new Deno.Command(curl, {
    args: ["-q", "-sN", "--noproxy", "*", `http://127.0.0.1:${httpPortOf(daemon)}/healthz`],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  });
  await using follower = command.spawn();
  const reader = follower.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const until = async (pattern: RegExp) => {
    while (!pattern.test(text)) {
      const { value, done } = await reader.read();
      assert.ok(!done, text);
      text += value;
    }
  };
  await until(/^OK\n/);
  for (let i = 0; i < 3; i++) {
    assert.match(await mail(daemon.port, { from: `sender-${i}@example.com` }), /^250 /);
    await until(new RegExp(` C: MAIL FROM:<sender-${i}@example\\.com>\n`));
  }
  daemon.signal("SIGUSR1");
  await until(/\n\(audit log off\)\n$/);
  assert.equal((await reader.read()).done, true);
  assert.equal((await follower.status).code, 0);
});

Deno.test("S30 S3 it begins and ends at run time, for readers under way as well", async () => {
  await using daemon = await Daemon.start({ settings: { ...WITH_HTTP, SMTP_DEBUG: "false" } });
  const port = httpPortOf(daemon);
  assert.equal((await ask(port, "/healthz")).body, "OK\n");
  using client = await Client.greeted(daemon.port);
  await client.ask("EHLO unheard");
  for (let round = 0; round < 3; round++) {
    assert.deepEqual(JSON.parse((await put(port, true)).body), { on: true });
    await using one = await Follower.open(port);
    await using other = await Follower.open(port);
    await one.until(/^OK\n/);
    await other.until(/^OK\n/);
    await client.ask(`EHLO heard-${round}`);
    await one.until(new RegExp(` C: EHLO heard-${round}\n`));
    if (round === 1) daemon.signal("SIGUSR1");
    else await put(port, false);
    for (const follower of [one, other]) {
      const text = await follower.rest();
      assert.match(text, new RegExp(` C: EHLO heard-${round}\n[^]*\\(audit log off\\)\n$`));
      assert.doesNotMatch(text, /unheard/);
    }
    await client.ask("EHLO unheard-again");
    assert.equal((await ask(port, "/healthz")).body, "OK\n");
  }
  assert.doesNotMatch(daemon.output, /unheard/);
});

Deno.test("S30 SIGUSR1 begins it for whoever asks from then on", async () => {
  await using daemon = await Daemon.start({ settings: { ...WITH_HTTP, SMTP_DEBUG: "false" } });
  daemon.signal("SIGUSR1");
  await daemon.says(/audit log on\n/);
  await using follower = await Follower.open(httpPortOf(daemon));
  await mail(daemon.port);
  await follower.until(/ C: EHLO client\.example\n/);
});

Deno.test("S30 in HTTP/1.0 it goes on as well, to the end of the connection", async () => {
  await using daemon = await Daemon.start(AUDITED);
  const port = httpPortOf(daemon);
  using old = await Client.connect(port);
  await old.send(requestFor("/healthz", { minor: 0 }));
  let heard = "";
  while (!/\r\n\r\nOK\n/.test(heard)) heard += await old.some();
  assert.doesNotMatch(heard, /transfer-encoding/i);
  await mail(daemon.port, { from: "old@example.com" });
  await put(port, false);
  assert.match(await old.rest(), /MAIL FROM:<old@example\.com>\n[^]*\(audit log off\)\n$/);
});

Deno.test("S30 sixteen readers; one that goes away makes room for the next", async () => {
  await using daemon = await Daemon.start(AUDITED);
  const port = httpPortOf(daemon);
  const begun = async () => {
    const client = await Client.connect(port);
    await client.send(requestFor("/healthz"));
    let heard = "";
    while (!/OK\n\r\n/.test(heard)) heard += await client.some();
    return client;
  };
  const isFull = async () => {
    const follower = await Follower.open(port);
    await follower.until(/^OK\n/);
    await mail(daemon.port);
    const isStream = await follower.goesOn(/ C: /);
    await follower.leave();
    return !isStream;
  };
  const clients: Client[] = [];
  for (let i = 0; i < 16; i++) clients.push(await begun());
  assert.equal(await isFull(), true);
  // How the client goes is all the same.
  clients[0].close();
  await clients[1].closeWrite();
  while (await isFull());
  for (const client of clients) client.close();
  // Whoever has gone is missed soon, not only when the next line comes.
  for (;;) {
    const again: Follower[] = [];
    for (let i = 0; i < 16; i++) again.push(await Follower.open(port));
    await mail(daemon.port);
    const go = await Promise.all(again.map((each) => each.goesOn(/ C: /)));
    for (const each of again) await each.leave();
    if (go.every(Boolean)) break;
  }
});

Deno.test("S30 readers that go while nothing happens are missed all the same", async () => {
  await using relay = await HttpRelay.start({ settings: { SMTP_DEBUG: "true" } });
  /** What each hears at once: a plain OK has an end. */
  const sixteen = async () => {
    const clients = await Promise.all(Array.from({ length: 16 }, async () => {
      const client = await Client.connect(relay.httpPort);
      await client.send(requestFor("/healthz"));
      return client;
    }));
    const heard = await Promise.all(clients.map(async (client) => {
      let text = "";
      while (!text.includes("OK\n\r\n")) text += await client.some();
      return text;
    }));
    for (const client of clients) client.close();
    await settled();
    return heard;
  };
  for (let round = 0; round < 3; round++) {
    let heard: string[] = [];
    const areStreams = () => heard.length > 0 && heard.every((text) => text.endsWith("OK\n\r\n"));
    for (let i = 0; i < 50 && !areStreams(); i++) heard = await sixteen();
    assert.ok(areStreams(), heard.join("\n"));
  }
});

const SLOW = `
import socket, sys
reader = socket.socket()
# Little of what is not read waits in the system.
reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
reader.connect(("127.0.0.1", int(sys.argv[1])))
reader.sendall(b"GET /healthz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n")
heard = b""
while not heard.endswith(b"\\r\\n\\r\\nOK\\n"): heard += reader.recv(1)
print("reading", flush=True)
sys.stdin.readline()
while True:
    some = reader.recv(65536)
    if not some: break
    sys.stdout.write(some.decode("utf-8"))
`;

testWith(
  "python3",
  "S30 a reader that is slow is told how many lines it lost; mail and others lose nothing",
  async (python) => {
    await using daemon = await Daemon.start(AUDITED);
    const port = httpPortOf(daemon);
    await using slow = new Deno.Command(python, {
      args: ["-c", SLOW, String(port)],
      env: { PYTHONIOENCODING: "utf-8" },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const output = slow.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const more = async () => {
      const { value, done } = await output.read();
      text += value ?? "";
      return !done;
    };
    while (text !== "reading\n") assert.ok(await more(), text);
    text = "";
    await using quick = await Follower.open(port);
    await quick.until(/^OK\n/);
    // Much more than may wait for a reader, or in the system.
    const words = "word ".repeat(100);
    let sent = 0;
    for (let size = 0; size < 4 * 1024 * 1024; sent++) {
      using client = await Client.greeted(daemon.port);
      for (let i = 0; i < 40; i++) {
        assert.match(await client.ask(`HELP ${i} ${words}`), /^214-/);
        size += words.length;
      }
      assert.match(await mail(daemon.port, { subject: `message ${sent}` }), /^250 /);
    }
    await quick.until(new RegExp(`Subject: message ${sent - 1}\n`));
    await slow.stdin.getWriter().close();
    while (!/ lines lost\)\n/.test(text)) assert.ok(await more(), text.slice(-200));
    await mail(daemon.port, { from: "last@example.com" });
    await put(port, false);
    while (await more());
    await slow.status;
    const all = await quick.rest();
    assert.doesNotMatch(all, /lines lost/);
    const LOST = /^\((\d+) lines lost\)\n/gm;
    const lost = [...text.matchAll(LOST)].reduce((sum, [, count]) => sum + Number(count), 0);
    const got = text.replace(LOST, "").split("\n").filter((line) => line !== "");
    const whole = all.split("\n").slice(1).filter((line) => line !== "");
    assert.ok(lost > 0);
    assert.equal(got.length + lost, whole.length);
    // What it got is part of the whole, in its order, to the end.
    let at = -1;
    for (const line of got) assert.ok((at = whole.indexOf(line, at + 1)) >= 0, line);
    assert.equal(at, whole.length - 1);
    const { body } = await ask(port, "/metrics");
    assert.equal(JSON.parse(body).smtp_audit_lines_lost_total, lost);
  },
);
