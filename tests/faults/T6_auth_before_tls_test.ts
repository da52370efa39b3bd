/** T6: a password is neither asked for nor taken where it could be overheard. */

import assert from "node:assert/strict";
import { world } from "../../src/deno/world.ts";
import { Authentication } from "../../src/inbound/authentication.ts";
import type { ServerOptions } from "../../src/inbound/options.ts";
import { certified, sourceOf } from "../fakes/certificate.ts";
import { Client } from "../fakes/client.ts";
import { Daemon, runToEnd } from "../fakes/daemon.ts";
import { TestServer } from "../fakes/server.ts";
import { testWith } from "../fakes/tools.ts";

const ENCRYPT_FIRST = "538 5.7.11 AUTH needs TLS, send STARTTLS first";
const OFFERED = /^250-AUTH /m;
const PLAIN = `AUTH PLAIN ${btoa("\0alice\0secret")}`;

async function serve(options: Partial<ServerOptions> = {}) {
  const { ca, pair } = await certified();
  const auth = new Authentication(new Map([["alice", "secret"]]), world);
  return { ca, server: new TestServer({ auth, tls: sourceOf(pair), tlsPort: 0, ...options }) };
}

Deno.test("T6 AUTH before TLS is not offered, and told 538 5.7.11 whatever it says", async () => {
  await using server = (await serve()).server;
  using client = await Client.greeted(server.port);
  assert.doesNotMatch(await client.ask("EHLO x"), OFFERED);
  for (
    const line of [PLAIN, "AUTH PLAIN", "AUTH LOGIN", "AUTH LOGIN YWxpY2U=", "AUTH SCRAM-SHA-256"]
  ) {
    assert.equal(await client.ask(line), ENCRYPT_FIRST);
  }
  // It is no challenge: what follows is a command.
  assert.equal(await client.ask("NOOP"), "250 2.0.0 OK");
});

Deno.test("T6 AUTH behind the handshake is offered and taken, also where TLS was there first", async () => {
  const { ca, server: serving } = await serve();
  await using server = serving;
  for (const implicit of [false, true]) {
    const { port } = implicit ? server.server.tlsAddresses[0] : server;
    using client = implicit ? await Client.overTls(port, ca) : await Client.greeted(port);
    if (implicit) await client.reply();
    else {
      await client.ask("EHLO x");
      await client.ask("STARTTLS");
      await client.startTls(ca);
    }
    assert.match(await client.ask("EHLO x"), OFFERED);
    assert.equal(await client.ask(PLAIN), "235 2.7.0 Authentication succeeded");
    await client.ready();
    await client.ask("DATA");
    await client.ask("Subject: x\r\n\r\n.");
    assert.equal(server.messages.at(-1)!.client.user, "alice");
  }
});

Deno.test("S14 AUTH before TLS is offered and taken where the operator says so", async () => {
  await using server = (await serve({ authInsecure: true })).server;
  using client = await Client.greeted(server.port);
  assert.match(await client.ask("EHLO x"), OFFERED);
  assert.equal(await client.ask(PLAIN), "235 2.7.0 Authentication succeeded");
});

testWith("swaks", "T6 swaks logs in over TLS, and is not asked to without", async (swaks) => {
  await using daemon = await Daemon.start({
    settings: { SMTP_AUTH_USERS: "alice:secret", SMTP_TLS_DISABLE: "false" },
  });
  const log = async (...options: string[]) => {
    const { code, stdout } = await runToEnd([
      swaks,
      ...["--server", `127.0.0.1:${daemon.port}`, "--from", "alice@example.com"],
      ...["--to", "bob@example.net", "--auth", "PLAIN", "--auth-user", "alice"],
      ...["--auth-password", "secret", ...options],
    ]);
    return { code, stdout };
  };
  const plain = await log();
  // Its words for a server that offers no AUTH.
  assert.equal(plain.code, 28, plain.stdout);
  assert.doesNotMatch(plain.stdout, / -> AUTH/);
  const secure = await log("-tls");
  assert.equal(secure.code, 0, secure.stdout);
  assert.match(secure.stdout, /<~ {2}235 2\.7\.0 [^]*<~ {2}250 2\.0\.0 Message accepted/);
  await daemon.says(/message accepted/);
  assert.doesNotMatch(daemon.output, /secret/);
});
