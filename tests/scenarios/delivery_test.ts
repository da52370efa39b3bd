/** The daemon delivers: to hosts that a name server names, to a relay, and back to nobody. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { certified, sourceOf } from "../fakes/certificate.ts";
import { Daemon, dinopost, runToEnd } from "../fakes/daemon.ts";
import { NameServer } from "../fakes/name_server.ts";
import { Remote } from "../fakes/remote.ts";
import { TestServer } from "../fakes/server.ts";
import { testWith } from "../fakes/tools.ts";

const RELAY = { SMTP_MODE: "relay", SMTP_DEBUG: "false", SMTP_MIN_FREE: "0B" };

async function send(port: number, to: readonly string[]): Promise<string> {
  using client = await Client.greeted(port);
  await client.ask("EHLO client.example");
  await client.ask("MAIL FROM:<a@example.com>");
  for (const address of to) await client.ask(`RCPT TO:<${address}>`);
  await client.ask("DATA");
  const reply = await client.ask("Subject: hello\r\n\r\n..a line with a dot\r\n.");
  return /([0-9a-z]+)$/.exec(reply)![1];
}

Deno.test("mail goes to the hosts of its domains, each domain its own transaction", async () => {
  await using remote = new Remote((talk) => talk.serve());
  await using names = new NameServer({
    "one.example": { mx: [[10, "mx.one.example"]] },
    "mx.one.example": { a: ["127.0.0.1"] },
    "two.example": { a: ["127.0.0.1"] },
    "null.example": { mx: [[0, "."]] },
    "failing.example": "SERVFAIL",
  });
  await using daemon = await Daemon.start({
    settings: {
      ...RELAY,
      SMTP_RELAY_URL: "",
      SMTP_DNS_SERVERS: `127.0.0.1:${names.port}`,
      SMTP_DELIVERY_PORT: String(remote.port),
      SMTP_ALLOW_LOCAL_TARGETS: "true",
      SMTP_ROUTES: "held.example=hold,no.example=reject",
    },
  });
  const id = await send(daemon.port, [
    "b@one.example",
    "c@one.example",
    "d@two.example",
    "e@null.example",
    "f@nowhere.example",
    "g@failing.example",
    "h@held.example",
    "i@no.example",
  ]);
  for (
    const [kind, domain, words] of [
      ["delivered", "one.example", "250 2.0.0 taken"],
      ["delivered", "two.example", "250 2.0.0 taken"],
      ["failed", "null.example", "takes no mail"],
      ["failed", "nowhere.example", "does not exist"],
      ["deferred", "failing.example", "SERVFAIL"],
      ["held", "held.example", "held by a route"],
      ["failed", "no.example", "rejected by a route"],
    ]
  ) {
    await daemon.says(new RegExp(`message ${kind} id=${id} .* domain=${domain} .*${words}`));
  }
  const rcpts = remote.lines.filter((line) => line.startsWith("RCPT"));
  assert.deepEqual(rcpts.sort(), [
    "RCPT TO:<b@one.example>",
    "RCPT TO:<c@one.example>",
    "RCPT TO:<d@two.example>",
  ]);
  assert.equal(remote.lines.filter((line) => line.startsWith("MAIL")).length, 2);
  assert.ok(remote.lines.includes("..a line with a dot"));
  assert.ok(remote.lines.some((line) => line.startsWith("Received: from client.example")));
});

testWith(
  "smtp-sink",
  "B19 a relay takes all mail, over connections that are used again",
  async (sink) => {
    const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = free.addr;
    free.close();
    const user = Deno.uid() === 0 ? ["-u", "postfix"] : [];
    const receiver = new Deno.Command(sink, {
      args: [...user, "-c", `127.0.0.1:${port}`, "100"],
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      await using daemon = await Daemon.start({
        settings: { ...RELAY, SMTP_RELAY_URL: `smtp://127.0.0.1:${port}` },
      });
      const ids = [];
      for (let i = 0; i < 20; i++) ids.push(await send(daemon.port, [`b@d${i}.example`]));
      for (const id of ids) await daemon.says(new RegExp(`message delivered id=${id} `));
      assert.doesNotMatch(daemon.output, /message (failed|deferred)/);
    } finally {
      receiver.kill();
      await receiver.status;
    }
  },
);

Deno.test("B19 a token is read from its file at each use", async () => {
  const folder = await Deno.makeTempDir();
  const offering = { EHLO: "250-remote\r\n250 AUTH XOAUTH2\r\n", AUTH: "235 2.7.0 OK\r\n" };
  // Each message has a session of its own, so that each logs in.
  await using remote = new Remote((talk) => talk.serve({ ...offering, content: "421 taken\r\n" }));
  try {
    await Deno.writeTextFile(`${folder}/token`, "first\n");
    await using daemon = await Daemon.start({
      settings: {
        ...RELAY,
        SMTP_RELAY_URL: `smtp://alice@127.0.0.1:${remote.port}`,
        SMTP_RELAY_TOKEN_FILE: `${folder}/token`,
      },
    });
    for (const token of ["first", "second"]) {
      await Deno.writeTextFile(`${folder}/token`, `${token}\n`);
      const id = await send(daemon.port, ["b@d.example"]);
      await daemon.says(new RegExp(`message deferred id=${id} `));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const logins = remote.lines.filter((line) => line.startsWith("AUTH"));
  assert.deepEqual(logins.map((line) => atob(line.replace("AUTH XOAUTH2 ", ""))), [
    "user=alice\x01auth=Bearer first\x01\x01",
    "user=alice\x01auth=Bearer second\x01\x01",
  ]);
});

Deno.test("an attempt is shown with how it was protected, and what was doubted", async () => {
  const { pair } = await certified();
  await using receiver = new TestServer({ tls: sourceOf(pair) });
  const folder = await Deno.makeTempDir();
  const settings = {
    ...RELAY,
    SMTP_QUEUE_PATH: `${folder}/spool`,
    SMTP_RELAY_URL: `smtp://127.0.0.1:${receiver.port}`,
    SMTP_TLS_POLICY: "opportunistic",
  };
  try {
    await using daemon = await Daemon.start({ settings });
    const id = await send(daemon.port, ["b@d.example"]);
    await daemon.says(new RegExp(`message delivered id=${id} `));
    const { stdout } = await runToEnd(dinopost("messages", "show", id, "--dev"), settings);
    assert.match(
      stdout,
      /delivered {2}\[127\.0\.0\.1\] end of DATA: 250 .*\(TLSv1\.3 TLS_\w+, cert/,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("RFC 3461 what a sender wants to be told goes on, where that is offered", async () => {
  for (
    const [offers, mail, rcpt] of [
      [
        "250-remote\r\n250 DSN\r\n",
        " RET=HDRS ENVID=x+2By",
        " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@d.example",
      ],
      ["250 remote\r\n", "", ""],
    ]
  ) {
    await using remote = new Remote((talk) => talk.serve({ EHLO: offers }));
    await using daemon = await Daemon.start({
      settings: { ...RELAY, SMTP_RELAY_URL: `smtp://127.0.0.1:${remote.port}` },
    });
    using client = await Client.greeted(daemon.port);
    await client.ask("EHLO client.example");
    for (
      const line of [
        "MAIL FROM:<a@example.com> RET=HDRS ENVID=x+2By",
        "RCPT TO:<b@d.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@d.example",
      ]
    ) assert.match(await client.ask(line), /^250 /);
    await client.ask("DATA");
    assert.match(await client.ask("Subject: x\r\n\r\nx\r\n."), /^250 /);
    await daemon.says(/message delivered /);
    assert.deepEqual(remote.lines.slice(1, 3), [
      `MAIL FROM:<a@example.com>${mail}`,
      `RCPT TO:<b@d.example>${rcpt}`,
    ]);
  }
});

Deno.test("B20 a relay gets so many connections and no more, whatever the domains", async () => {
  let open = 0, most = 0;
  const all = Promise.withResolvers<void>();
  await using remote = new Remote(async (talk, session) => {
    most = Math.max(most, ++open);
    // The first wait until there are as many as there may be.
    if (session === 2) all.resolve();
    await all.promise;
    await talk.serve({ content: "421 2.0.0 taken elsewhere\r\n" });
    open--;
  });
  await using daemon = await Daemon.start({
    settings: {
      ...RELAY,
      SMTP_RELAY_URL: `smtp://127.0.0.1:${remote.port}`,
      SMTP_DESTINATION_CONNECTIONS: "2",
    },
  });
  const id = await send(daemon.port, Array.from({ length: 10 }, (_, i) => `b@d${i}.example`));
  await daemon.says(new RegExp(`(message deferred id=${id}[^]*){10}`));
  assert.deepEqual([most, remote.sessions], [2, 10]);
});

Deno.test("D9 whom a server has no room for goes at once, with a transaction of its own", async () => {
  let rcpts = 0;
  await using remote = new Remote(async (talk) => {
    await talk.say("220 remote\r\n");
    for (let line; (line = await talk.line()) !== undefined;) {
      if (line.startsWith("MAIL")) rcpts = 0;
      const isFull = line.startsWith("RCPT") && ++rcpts > 2;
      await talk.say(isFull ? "452 4.5.3 two\r\n" : line === "DATA" ? "354 go\r\n" : "250 OK\r\n");
      if (line !== "DATA") continue;
      await talk.content();
      await talk.say("250 taken\r\n");
    }
  });
  await using daemon = await Daemon.start({
    settings: { ...RELAY, SMTP_RELAY_URL: `smtp://127.0.0.1:${remote.port}` },
  });
  const id = await send(daemon.port, ["b", "c", "d", "e", "f"].map((name) => `${name}@d.example`));
  const told = (to: string) => `message delivered id=${id} to=${to} domain=d.example `;
  const two = told('"2 recipients"');
  await daemon.says(new RegExp(`${two}[^]*${two}[^]*${told("<f@d.example>")}`));
  assert.equal(remote.lines.filter((line) => line.startsWith("MAIL")).length, 3);
});

Deno.test("capture mode sends nothing, whatever the settings name", async () => {
  await using remote = new Remote((talk) => talk.serve());
  await using daemon = await Daemon.start({
    settings: { SMTP_RELAY_URL: `smtp://127.0.0.1:${remote.port}`, SMTP_DEBUG: "false" },
  });
  const id = await send(daemon.port, ["b@d.example"]);
  await daemon.says(new RegExp(`message accepted id=${id}`));
  // Whoever would send it had the time of another message.
  await daemon.says(new RegExp(`message accepted id=${await send(daemon.port, ["c@d.example"])}`));
  assert.equal(remote.sessions, 0);
});
