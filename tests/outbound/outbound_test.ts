/** The way out against servers that do what they should, and such that do not. */

import assert from "node:assert/strict";
import { claimOf, deliver, outboundTo, type Way } from "../fakes/outbound.ts";
import { Remote, type Talk } from "../fakes/remote.ts";

const encode = (text: string) => new TextEncoder().encode(text);

async function once(
  talk: (talk: Talk, session: number) => Promise<void>,
  way: Way = {},
  to: readonly string[] = ["b", "c"],
) {
  await using remote = new Remote(talk);
  const outbound = outboundTo(remote.port, way);
  const outcomes = await deliver(outbound, claimOf(to));
  outbound.close();
  return { outcomes, lines: remote.lines, sessions: remote.sessions };
}

Deno.test("a message is handed over, and its recipients share the transaction", async () => {
  const { outcomes, lines } = await once((talk) => talk.serve());
  assert.deepEqual(outcomes, [
    "delivered recipient end of DATA: 2.0.0 250 2.0.0 taken",
    "delivered recipient end of DATA: 2.0.0 250 2.0.0 taken",
  ]);
  assert.deepEqual(lines.slice(0, 9), [
    "EHLO relay.example",
    "MAIL FROM:<a@example.com>",
    "RCPT TO:<b@d.example>",
    "RCPT TO:<c@d.example>",
    "DATA",
    "Subject: x",
    "",
    "x",
    ".",
  ]);
});

Deno.test("a connection is used again, but a hundred times at most", async () => {
  await using remote = new Remote((talk) => talk.serve());
  const outbound = outboundTo(remote.port);
  for (let i = 0; i < 101; i++) {
    assert.match((await deliver(outbound, claimOf(["b"])))[0], /^delivered/);
  }
  assert.equal(remote.sessions, 2);
  outbound.close();
});

Deno.test("an idle connection that the server has closed costs nothing", async () => {
  await using remote = new Remote(async (talk, session) => {
    if (session > 1) return await talk.serve();
    await talk.say("220 remote\r\n");
    for (const answer of ["250-x\r\n250 PIPELINING\r\n", "250 OK\r\n250 OK\r\n354 go\r\n"]) {
      await talk.line();
      await talk.say(answer);
    }
    while (await talk.line() !== "DATA");
    await talk.content();
    await talk.say("250 taken\r\n");
  });
  const outbound = outboundTo(remote.port);
  assert.match((await deliver(outbound, claimOf(["b"])))[0], /^delivered/);
  assert.match((await deliver(outbound, claimOf(["b"])))[0], /^delivered/);
  assert.equal(remote.sessions, 2);
  outbound.close();
});

Deno.test("B22 each recipient has its own outcome", async () => {
  const { outcomes } = await once((talk) =>
    talk.serve({ "RCPT TO:<b@d.example>": "550-5.1.1 no such\r\n550 5.1.1 user\r\n" })
  );
  assert.deepEqual(outcomes, [
    "failed recipient RCPT TO: 5.1.1 550 5.1.1 no such user",
    "delivered recipient end of DATA: 2.0.0 250 2.0.0 taken",
  ]);
});

Deno.test("B22 what a server says of sender or content is of the message", async () => {
  const of = async (answers: Record<string, string>) =>
    (await once((talk) => talk.serve(answers))).outcomes[0];
  assert.equal(await of({ MAIL: "451 later\r\n" }), "deferred message MAIL FROM: 4.0.0 451 later");
  assert.equal(
    await of({ content: "554 5.7.1 spam\r\n" }),
    "failed message end of DATA: 5.7.1 554 5.7.1 spam",
  );
});

Deno.test("D9 one recipient too many goes with a transaction of its own, behind this one", async () => {
  let rcpts = 0;
  await using remote = new Remote(async (talk) => {
    await talk.say("220 remote\r\n");
    for (let line; (line = await talk.line()) !== undefined;) {
      if (line.startsWith("EHLO")) await talk.say("250-x\r\n250 PIPELINING\r\n");
      else if (line.startsWith("MAIL")) {
        rcpts = 0;
        await talk.say("250 OK\r\n");
      } else if (line.startsWith("RCPT")) {
        await talk.say(++rcpts > 2 ? "452 4.5.3 too many\r\n" : "250 OK\r\n");
      } else if (line === "DATA") {
        await talk.say("354 go\r\n");
        await talk.content();
        await talk.say("250 taken\r\n");
      } else if (line === "QUIT") return await talk.say("221 bye\r\n");
    }
  });
  const outbound = outboundTo(remote.port);
  let left = ["b", "c", "d", "e", "f"];
  for (const taken of [2, 2, 1]) {
    const outcomes = await deliver(outbound, claimOf(left));
    assert.ok(outcomes.slice(0, taken).every((outcome) => outcome.startsWith("delivered")));
    assert.deepEqual(outcomes.slice(taken), left.slice(taken).map(() => "not tried"));
    left = left.slice(taken);
  }
  outbound.close();
  assert.equal(remote.lines.filter((line) => line.startsWith("MAIL")).length, 3);
  assert.equal(remote.sessions, 1);
});

Deno.test("RFC 9422 no more recipients are named than a server takes", async () => {
  const EHLO = "250-remote\r\n250 LIMITS RCPTMAX=2\r\n";
  const { outcomes, lines } = await once((talk) => talk.serve({ EHLO }), {}, ["b", "c", "d"]);
  assert.deepEqual(outcomes.map((outcome) => outcome.split(" ")[0]), [
    "delivered",
    "delivered",
    "not",
  ]);
  assert.equal(lines.filter((line) => line.startsWith("RCPT")).length, 2);
});

Deno.test("S26 a host that fails leaves the message to the next", async () => {
  await using good = new Remote((talk) => talk.serve(), "127.0.0.3");
  // Nobody listens at the first; the second greets with a refusal.
  const bad = Deno.listen({ hostname: "127.0.0.2", port: good.port });
  const refusing = (async () => {
    using connection = await bad.accept();
    await connection.write(encode("554 5.3.2 not now\r\n"));
    await connection.read(new Uint8Array(1));
  })();
  const outbound = outboundTo(good.port, { addresses: ["127.0.0.2", "127.0.0.3", "127.0.0.4"] });
  const outcomes = await deliver(outbound, claimOf(["b"]));
  bad.close();
  await refusing.catch(() => {});
  outbound.close();
  assert.match(outcomes[0], /^delivered/);
});

Deno.test("O8 a 421 in mid-session defers, and the next message has a new session", async () => {
  await using remote = new Remote((talk, session) =>
    talk.serve(session === 1 ? { MAIL: "421 4.3.2 going\r\n" } : {})
  );
  const outbound = outboundTo(remote.port);
  assert.match((await deliver(outbound, claimOf(["b"])))[0], /^deferred session MAIL FROM: 4.3.2/);
  assert.match((await deliver(outbound, claimOf(["b"])))[0], /^delivered/);
  outbound.close();
});

Deno.test("a server that knows no EHLO is told HELO", async () => {
  const { outcomes, lines } = await once((talk) => talk.serve({ EHLO: "500 what\r\n" }));
  assert.match(outcomes[0], /^delivered/);
  assert.equal(lines[1], "HELO relay.example");
});

Deno.test("O4 what is no reply ends the session, and defers", async () => {
  for (
    const [greeting, said] of [
      ["HTTP/1.1 400 Bad Request\r\n", /not a reply of SMTP/],
      ["220-one\r\n250 two\r\n", /not a reply of SMTP/],
      ["x".repeat(10_000), /a line of more than 4096/],
      ["220-more\r\n".repeat(1000), /a reply of more than 200 lines/],
      ["", /server closed the connection/],
    ] as const
  ) {
    const { outcomes, sessions } = await once(async (talk) => {
      await talk.say(greeting);
      if (greeting !== "") await talk.line();
    });
    assert.match(outcomes[0], /^deferred session /);
    assert.match(outcomes[0], said);
    assert.equal(sessions, 1);
  }
});

Deno.test("O4 control characters of a reply are nothing but spaces further on", async () => {
  const { outcomes } = await once((talk) =>
    talk.serve({ MAIL: "550 5.7.1 a\x1b[2Jb\x00c\u2028d\r\n" })
  );
  assert.equal(outcomes[0], "failed message MAIL FROM: 5.7.1 550 5.7.1 a [2Jb c d");
});

Deno.test("a session that ends behind the content is not tried elsewhere: it may have been taken", async () => {
  const { outcomes, sessions } = await once(async (talk) => {
    await talk.say("220 remote\r\n");
    await talk.line();
    await talk.say("250-x\r\n250 PIPELINING\r\n");
    while (await talk.line() !== "DATA");
    await talk.say("250 OK\r\n250 OK\r\n250 OK\r\n354 go\r\n");
    await talk.content();
  }, { addresses: ["127.0.0.1", "127.0.0.1"] });
  assert.match(outcomes[0], /^deferred session end of DATA: 4.4.2 server closed the connection/);
  assert.equal(sessions, 1);
});

Deno.test("a bare newline is never sent: the message fails whole", async () => {
  await using remote = new Remote((talk) => talk.serve());
  const outbound = outboundTo(remote.port);
  const outcomes = await deliver(outbound, claimOf(["b"]), "Subject: x\r\n\r\na\nb\r\n");
  outbound.close();
  assert.match(outcomes[0], /^failed message undefined: 5.6.0 content has a bare LF/);
  assert.ok(!remote.lines.includes("a"));
});

Deno.test("a host that is not there costs no reading of the message", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const outbound = outboundTo(port, { addresses: ["127.0.0.1", "127.0.0.2"] });
  let reads = 0;
  const content = () => {
    reads++;
    return Promise.resolve({ chunks: [], size: 0 });
  };
  const [outcome] = await outbound.deliver(claimOf(["b"]), content, new AbortController().signal);
  assert.deepEqual([outcome?.kind, outcome?.reply, reads], ["deferred", "connection refused", 0]);
});
