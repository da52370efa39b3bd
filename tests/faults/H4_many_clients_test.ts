/**
 * H4: many clients of HTTP at once: no more than some of one address, and of all, are served;
 * where descriptors run out HTTP and mail are both served again; mail flows all the while.
 */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon, runToEnd } from "../fakes/daemon.ts";
import {
  type Answered,
  answerIn,
  ask,
  curl as curlOf,
  httpPortOf,
  requestFor,
  WITH_HTTP,
} from "../fakes/http.ts";
import { HttpRelay, mail } from "../fakes/http_relay.ts";
import { settled } from "../fakes/settled.ts";
import { testWith } from "../fakes/tools.ts";

const SECOND = 1_000;
const OF_ONE = 32, OF_ALL = 128;

const FLOOD = `
import json, select, socket, sys

def connected(address):
    client = socket.socket()
    client.bind((address, 0))
    client.connect(("127.0.0.1", int(sys.argv[1])))
    return client

def told(address):
    """What one more is answered."""
    client = connected(address)
    try:
        client.sendall(b"GET /livez HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n")
        heard = b""
        while some := client.recv(4096): heard += some
    except ConnectionError: heard = b""
    client.close()
    return heard.decode().split("\\r\\n")[0]

def kept(clients):
    """Those that are not closed; a client that says nothing is closed after ten seconds."""
    left = set(clients)
    while True:
        closed, _, _ = select.select(list(left), [], [], 1)
        if not closed: return list(left)
        for client in closed: left.discard(client)

clients = [connected(address) for address in sys.argv[2].split(",") for _ in range(int(sys.argv[3]))]
left = kept(clients)
others = {address: told(address) for address in sys.argv[4].split(",")}
for client in clients: client.close()
again = ""
while not again: again = told("127.0.0.1")
print(json.dumps({"kept": len(left), "others": others, "again": again}))
`;

const OK = "HTTP/1.1 200 OK";
const SERVED = { settings: { ...WITH_HTTP, SMTP_DEBUG: "false" } };

interface Flooded {
  readonly kept: number;
  readonly others: Readonly<Record<string, string>>;
  readonly again: string;
}

async function flood(
  python: string,
  daemon: Daemon,
  { from, each, others }: { from: string[]; each: number; others: string[] },
): Promise<Flooded> {
  const port = String(httpPortOf(daemon));
  const args = ["-c", FLOOD, port, from.join(), String(each), others.join()];
  let isOver = false;
  const running = runToEnd([python, ...args]).finally(() => isOver = true);
  // Mail flows all the while.
  while (!isOver) assert.match(await mail(daemon.port), /^250 /);
  const { code, stdout, stderr } = await running;
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

testWith(
  "python3",
  "H4 200 clients of one address: 32 are kept, others are served",
  async (python) => {
    await using daemon = await Daemon.start(SERVED);
    const others = ["127.0.0.1", "127.0.0.2"];
    const flooded = await flood(python, daemon, { from: ["127.0.0.1"], each: 200, others });
    assert.deepEqual(flooded, {
      kept: OF_ONE,
      others: { "127.0.0.1": "", "127.0.0.2": OK },
      again: OK,
    });
  },
);

testWith("python3", "H4 clients of many addresses: 128 are kept", async (python) => {
  await using daemon = await Daemon.start(SERVED);
  const from = Array.from({ length: 8 }, (_, i) => `127.0.0.${i + 1}`);
  const others = ["127.0.0.200"];
  assert.deepEqual(await flood(python, daemon, { from, each: 20, others }), {
    kept: OF_ALL,
    others: { "127.0.0.200": "" },
    again: OK,
  });
});

testWith(
  "curl",
  "H4 what 200 silent clients held is free when their time is over",
  async (curl) => {
    await using relay = await HttpRelay.start();
    const { timers } = relay.clock;
    let closed = 0;
    const clients = await Promise.all(Array.from({ length: 200 }, async () => {
      const client = await Client.connect(relay.httpPort);
      void client.rest().catch(() => "").then(() => closed++);
      return client;
    }));
    while (closed < 200 - OF_ONE) await settled();
    assert.equal(closed, 200 - OF_ONE);
    await assert.rejects(ask(relay.httpPort, "/livez"));
    const livez = `http://127.0.0.1:${relay.httpPort}/livez`;
    assert.equal((await curlOf(curl, "--interface", "127.0.0.2", livez)).body, "OK\n");
    assert.match(await relay.mail(), /^250 /);
    relay.clock.turn(10 * SECOND);
    while (closed < 200) await settled();
    assert.equal((await ask(relay.httpPort, "/livez")).body, "OK\n");
    assert.match(await relay.mail(), /^250 /);
    for (const client of clients) client.close();
    while (relay.clock.timers > timers) await settled();
  },
);

testWith("prlimit", "H4 EMFILE: HTTP and mail are both served again", async (prlimit) => {
  await using daemon = await Daemon.start({
    under: [prlimit, "--nofile=64"],
    ...SERVED,
  });
  const port = httpPortOf(daemon);
  // Some of HTTP that were there before, and have not asked yet.
  const pages = ["/readyz", "/metrics", "/metrics/prometheus", "/livez"];
  const early: Client[] = [];
  for (const page of pages) {
    const client = await Client.connect(port);
    early.push(client);
    await client.send(requestFor(page).slice(0, 10));
  }
  // Once it is accepted, those before are.
  assert.equal((await ask(port, "/livez")).body, "OK\n");
  const clients: Client[] = [];
  for (let i = 0; i < 80; i++) clients.push(await Client.connect(daemon.port));
  const waiting: Client[] = [];
  for (let i = 0; i < 10; i++) {
    const client = await Client.connect(port);
    waiting.push(client);
    await client.send(requestFor("/livez"));
  }
  await daemon.says(/cannot accept connections .*os error 24/);
  const answers: Record<string, Answered> = {};
  for (const [i, page] of pages.entries()) {
    await early[i].send(requestFor(page).slice(10));
    answers[page] = answerIn(await early[i].rest());
    early[i].close();
  }
  assert.equal(answers["/livez"].body, "OK\n");
  const { status, body } = answers["/readyz"];
  assert.equal(status, 503);
  assert.match(body, /"listeners","state":"failing","detail":"port \d+: cannot accept connections/);
  for (const client of clients) client.close();
  // Those that waited are served, and whoever comes now.
  for (const client of waiting) {
    assert.equal(answerIn(await client.rest()).body, "OK\n");
    client.close();
  }
  assert.equal((await ask(port, "/livez")).body, "OK\n");
  assert.match(await mail(daemon.port), /^250 /);
  await daemon.says(/accepting connections again/);
  // What could not be opened then is now; what was found is remembered for a second.
  for (const page of pages) {
    const end = performance.now() + 10_000;
    let answer;
    do answer = await ask(port, page); while (answer.status !== 200 && performance.now() < end);
    assert.equal(answer.status, 200, `${page}: ${answer.body}`);
  }
});

testWith("prlimit", "H4 EMFILE by clients of HTTP alone: mail is served again", async (prlimit) => {
  await using daemon = await Daemon.start({ under: [prlimit, "--nofile=58"], ...SERVED });
  const port = httpPortOf(daemon);
  const clients: Client[] = [];
  for (let i = 0; i < OF_ONE; i++) clients.push(await Client.connect(port));
  using waiting = await Client.connect(daemon.port);
  await daemon.says(/cannot accept connections .*os error 24/);
  for (const client of clients) client.close();
  assert.match(await waiting.reply(), /^220 /);
  assert.match(await mail(daemon.port), /^250 /);
  assert.equal((await ask(port, "/livez")).body, "OK\n");
});
