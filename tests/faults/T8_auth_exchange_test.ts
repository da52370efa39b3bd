/** T8: exchanges of AUTH over a socket, as they should be and as they should not. */

import assert from "node:assert/strict";
import { received } from "../../src/mail/trace.ts";
import type { ServerOptions } from "../../src/inbound/options.ts";
import { TestAuthentication } from "../fakes/authentication.ts";
import { certified, sourceOf } from "../fakes/certificate.ts";
import { Client } from "../fakes/client.ts";
import { base64, plainMessage, ScramClient } from "../fakes/sasl.ts";
import { TestServer } from "../fakes/server.ts";

const RIGHT = { user: "alice", password: "secret" };
const PLAIN = base64(plainMessage(RIGHT));
const OK = "235 2.7.0 Authentication succeeded";
const CANCELLED = "501 5.7.0 Authentication cancelled";
const NO_BASE64 = "501 5.5.2 Cannot decode the response, it must be base64";
const AGAIN = "503 5.5.1 You are authenticated already";

async function serve(options: Partial<ServerOptions> = {}) {
  const test = await TestAuthentication.of("scram");
  const server = new TestServer({ auth: test.authentication, authInsecure: true, ...options });
  return { server, test, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

async function hello(server: TestServer): Promise<Client> {
  const client = await Client.greeted(server.port);
  await client.ask("EHLO client.example");
  return client;
}

/** Each line and the reply to it. */
const EXCHANGES: [what: string, lines: [said: string, reply: string][]][] = [
  ["PLAIN in one line", [[`AUTH PLAIN ${PLAIN}`, OK]]],
  ["PLAIN in two", [["AUTH PLAIN", "334"], [PLAIN, OK]]],
  ["LOGIN", [
    ["AUTH LOGIN", "334 VXNlcm5hbWU6"],
    ["YWxpY2U=", "334 UGFzc3dvcmQ6"],
    ["c2VjcmV0", OK],
  ]],
  ["LOGIN that begins with the user", [
    ["AUTH LOGIN YWxpY2U=", "334 UGFzc3dvcmQ6"],
    ["c2VjcmV0", OK],
  ]],
  ["a second login", [[`AUTH PLAIN ${PLAIN}`, OK], [`AUTH PLAIN ${PLAIN}`, AGAIN], [
    "AUTH LOGIN",
    AGAIN,
  ]]],
  ["cancelled at the first challenge, at the second, then not", [
    ["AUTH LOGIN", "334 VXNlcm5hbWU6"],
    ["*", CANCELLED],
    ["AUTH LOGIN YWxpY2U=", "334 UGFzc3dvcmQ6"],
    ["*", CANCELLED],
    [`AUTH PLAIN ${PLAIN}`, OK],
  ]],
  ["no base64, then base64", [
    [`AUTH PLAIN ${PLAIN}=`, NO_BASE64],
    ["AUTH LOGIN", "334 VXNlcm5hbWU6"],
    ["alice@example.com", NO_BASE64],
    ["AUTH PLAIN", "334"],
    ["AUTH PLAIN", NO_BASE64],
    [`AUTH PLAIN ${PLAIN}`, OK],
  ]],
  ["responses that no mechanism asks for", [
    ["AUTH PLAIN =", "501 5.5.2 Response is not what the mechanism asks for"],
    ["AUTH SCRAM-SHA-256 =", "501 5.5.2 Response is not what the mechanism asks for"],
    ["AUTH PLAIN", "334"],
    ["", "501 5.5.2 Response is not what the mechanism asks for"],
  ]],
  ["a response that is too long", [
    ["AUTH PLAIN", "334"],
    ["A".repeat(20_000), "500 5.5.6 Authentication exchange line is too long"],
    [`AUTH PLAIN ${PLAIN}`, OK],
  ]],
];

for (const [what, lines] of EXCHANGES) {
  Deno.test(`T8 ${what}`, async () => {
    await using served = await serve();
    using client = await hello(served.server);
    for (const [said, reply] of lines) {
      assert.equal(await client.ask(said), reply, said.slice(0, 60));
    }
    assert.match(await client.ask("NOOP"), /^250 /);
  });
}

for (const atOnce of [true, false]) {
  Deno.test(`T8 SCRAM-SHA-256, ${atOnce ? "begun with AUTH" : "asked to begin"}`, async () => {
    await using served = await serve();
    using client = await hello(served.server);
    const scram = new ScramClient(RIGHT);
    const decoded = (reply: string) => {
      assert.match(reply, /^334 [A-Za-z0-9+/=]+$/);
      return atob(reply.slice(4));
    };
    if (!atOnce) assert.equal(await client.ask("AUTH SCRAM-SHA-256"), "334");
    const first = (atOnce ? "AUTH SCRAM-SHA-256 " : "") + base64(scram.first);
    const last = scram.last(decoded(await client.ask(first)), served.test.digests.derive);
    assert.ok(scram.believes(decoded(await client.ask(base64(last)))));
    assert.equal(await client.ask(""), OK);
    assert.equal(await client.ask(`AUTH PLAIN ${PLAIN}`), AGAIN);
  });
}

Deno.test("T8 what is pipelined behind AUTH was not said by who is known: 554 and close", async () => {
  await using served = await serve();
  using client = await hello(served.server);
  await client.send(`AUTH PLAIN ${PLAIN}\r\nMAIL FROM:<a@example.com>\r\n`);
  assert.equal(await client.rest(), "554 5.5.0 Wait for the reply before sending more\r\n");
  assert.deepEqual(served.test.digests.calls, []);
});

async function send(client: Client): Promise<void> {
  await client.ask("MAIL FROM:<a@example.net>");
  await client.ask("RCPT TO:<b@example.net>");
  await client.ask("DATA");
  assert.match(await client.ask("Subject: x\r\n\r\n."), /^250 /);
}

Deno.test("S14 who has proved who it is: its envelopes say so, and Received, and S13 is not for it", async () => {
  const { ca, pair } = await certified();
  const senderDomains = new Set(["example.com"]);
  await using served = await serve({ tls: sourceOf(pair), authInsecure: false, senderDomains });
  const { server } = served;
  using client = await hello(server);
  assert.match(await client.ask(`AUTH PLAIN ${PLAIN}`), /^538 5\.7\.11 /);
  await client.ask("STARTTLS");
  await client.startTls(ca);
  assert.match(await client.ask("EHLO client.example"), /^250-AUTH SCRAM-SHA-256 PLAIN LOGIN$/m);
  assert.match(await client.ask("MAIL FROM:<a@example.net>"), /^553 5\.7\.1 /);
  assert.equal(await client.ask(`AUTH PLAIN ${PLAIN}`), OK);
  await send(client);
  const [envelope] = server.messages;
  assert.equal(envelope.client.user, "alice");
  const by = { hostname: "localhost", hideClient: false };
  assert.match(received(envelope, by), /\swith\s+ESMTPSA\s/);
});

Deno.test("S14 without TLS, where that may be: ESMTPA", async () => {
  await using served = await serve();
  using client = await hello(served.server);
  await send(client);
  assert.equal(await client.ask(`AUTH PLAIN ${PLAIN}`), OK);
  await send(client);
  const by = { hostname: "localhost", hideClient: false };
  const protocols = served.server.messages.map((envelope) =>
    /\swith\s+(\S+)\s/.exec(received(envelope, by))![1]
  );
  assert.deepEqual(protocols, ["ESMTP", "ESMTPA"]);
  assert.deepEqual(served.server.messages.map(({ client }) => client.user), [undefined, "alice"]);
});

Deno.test("an authenticator that fails: 454 4.7.0, and the session goes on", async () => {
  const failing = [
    () => Promise.reject(new Error("the authenticator is broken")),
    () => {
      throw new Error("the authenticator is broken");
    },
  ];
  for (const answer of failing) {
    await using server = new TestServer({
      auth: { mechanisms: ["PLAIN"], answer },
      authInsecure: true,
    });
    using client = await hello(server);
    for (let i = 0; i < 5; i++) {
      const said = await client.ask(`AUTH PLAIN ${PLAIN}`);
      assert.equal(said, "454 4.7.0 Cannot authenticate now, try again later");
    }
    assert.match(String(server.told[0].fields.error), /the authenticator is broken/);
    await send(client);
    assert.equal(server.messages[0].client.user, undefined);
  }
});

Deno.test("B4 users that are changed while the server runs count for sessions under way", async () => {
  await using served = await serve();
  using client = await hello(served.server);
  served.test.authentication.update(new Map([["alice", "changed"]]));
  const changed = base64(plainMessage({ ...RIGHT, password: "changed" }));
  assert.equal(await client.ask(`AUTH PLAIN ${changed}`), OK);
});
