/**
 * O2: mail whose sender is forged comes back to somebody who has not sent it. What can be refused in
 * the session is, and then nothing comes back; what does come back is small, and never many times
 * what was sent.
 */

import assert from "node:assert/strict";
import { type Answers, Mailbox, told } from "../fakes/bounce_mailbox.ts";
import { BounceRelay } from "../fakes/bounce_relay.ts";
import type { Client } from "../fakes/client.ts";

const KIB = 1024;
/** Most that a message comes back with. */
const RETURNED = 64 * KIB;
/** Of a bounce, beside what it returns; of a recipient, whose refusal stands there twice. */
const AROUND = 2 * KIB, EACH = 3 * KIB;
const FORGED = "MAIL FROM:<victim@example.com>";

/** A relay that sends to the forged sender's server, and to one that refuses everybody. */
async function scattering(
  answers: Answers,
  settings: Record<string, string> = {},
): Promise<{ relay: BounceRelay; victim: Mailbox } & AsyncDisposable> {
  await using all = new AsyncDisposableStack();
  const victim = all.use(new Mailbox()), refusing = all.use(new Mailbox(answers));
  const routes = Object.entries({ "example.com": victim, "refusing.example": refusing })
    .map(([domain, { port }]) => `${domain}=smtp://127.0.0.1:${port}`);
  const relay = all.use(await BounceRelay.start({ SMTP_ROUTES: routes.join(","), ...settings }));
  const opened = all.move();
  return { relay, victim, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

const message = (size: number) => `Subject: x\r\n\r\n${`${"x".repeat(62)}\r\n`.repeat(size / 64)}`;

async function send(client: Client, to: readonly string[], content: string): Promise<void> {
  const lines = [FORGED, ...to.map((address) => `RCPT TO:<${address}>`)];
  for (const line of lines) assert.match(await client.ask(line), /^250 /, line);
  assert.match(await client.ask("DATA"), /^354 /);
  assert.match(await client.ask(`${content}.`), /^250 /);
}

const nobody: Answers = (line) => line.startsWith("RCPT") ? "550 5.1.1 nobody" : undefined;

Deno.test("O2 what is refused in the session comes back to nobody", async () => {
  await using scene = await scattering(nobody, {
    SMTP_MAX_SIZE: "2KiB",
    SMTP_MAX_RECIPIENTS: "2",
    SMTP_LOCAL_DOMAINS: "example.com",
    SMTP_REQUIRE_LOCAL_DOMAIN: "true",
  });
  const { relay, victim } = scene;
  const refusals: [RegExp, ...string[]][] = [
    [/^553 /, "MAIL FROM:<victim@example.org>"],
    [/^552 /, `${FORGED} SIZE=3000`],
    [/^50[0-9] /, FORGED, "RCPT TO:<no address>"],
    [/^50[0-9] /, FORGED, "RCPT TO:<b@refusing.example> NOTIFY=SOMETIMES"],
    [/^452 /, FORGED, ...["b", "c", "d"].map((local) => `RCPT TO:<${local}@refusing.example>`)],
    ...[
      message(4 * KIB),
      "Subject: x\r\n\r\na\nb\r\n",
      `${"Received: x\r\n".repeat(60)}\r\nx\r\n`,
    ].map((content): [RegExp, ...string[]] => [
      /^55[0-9] /,
      FORGED,
      "RCPT TO:<b@refusing.example>",
      "DATA",
      `${content}.`,
    ]),
  ];
  for (const [expected, ...lines] of refusals) {
    using client = await relay.client();
    await client.ask("EHLO client.example");
    let said = "";
    for (const line of lines) said = await client.ask(line);
    assert.match(said, expected, `${said} to ${lines.join("\n").slice(0, 200)}`);
  }
  const { accepted, generated } = await relay.store.stats();
  assert.deepEqual([accepted, generated], [0, 0]);
  assert.ok(!relay.happened.some(({ event }) => event === "sender is told"));
  assert.deepEqual(victim.lines, []);
});

Deno.test("O2 a large message comes back by its header alone, however large", async () => {
  await using scene = await scattering(nobody);
  const { relay, victim } = scene;
  using client = await relay.client();
  await client.ask("EHLO client.example");
  for (const [i, size] of [RETURNED, 1024 * KIB, 8 * 1024 * KIB].entries()) {
    await send(client, ["b@refusing.example"], message(size));
    const letter = (await victim.until(i + 1))[i];
    assert.ok(letter.content.length < AROUND, `${letter.content.length} octets`);
    assert.match(told(letter).returned!, /^\r\nContent-Type: text\/rfc822-headers\r\n/);
  }
});

Deno.test("O2 many failures of an attempt are one bounce, whose size is that of what was said", async () => {
  const lines = Array.from({ length: 3 }, () => `550-5.1.1 ${"n".repeat(400)}\r\n`).join("");
  const wordy: Answers = (line) => line.startsWith("RCPT") ? `${lines}550 5.1.1 nobody` : undefined;
  await using scene = await scattering(wordy);
  const { relay, victim } = scene;
  using client = await relay.client();
  await client.ask("EHLO client.example");
  const to = Array.from({ length: 100 }, (_, i) => `r${i}@refusing.example`);
  await send(client, to, message(KIB));
  const [letter, ...more] = await victim.until(1);
  assert.deepEqual(more, []);
  assert.equal(told(letter).perRecipient.length, 100);
  assert.ok(letter.content.length < 100 * EACH, `${letter.content.length} octets`);
});

Deno.test("O2 what comes back is no more than what came in, for each domain", async () => {
  await using scene = await scattering(nobody);
  const { relay, victim } = scene;
  using client = await relay.client();
  await client.ask("EHLO client.example");
  let expected = 0;
  for (const size of [64, KIB, 16 * KIB, 60 * KIB, 70 * KIB, 500 * KIB]) {
    for (const domains of [1, 5, 20]) {
      const content = message(size);
      const to = Array.from({ length: domains }, (_, i) => `b@nowhere${i}.example`);
      await send(client, to, content);
      const before = expected;
      expected += domains;
      const letters = (await victim.until(expected)).slice(before);
      const out = letters.reduce((sum, letter) => sum + letter.content.length, 0);
      const most = domains * (Math.min(content.length, RETURNED) + AROUND);
      assert.ok(out <= most, `${out} octets for ${content.length} to ${domains} domains`);
    }
  }
  const { generated, bounced } = await relay.store.stats();
  assert.deepEqual([generated, bounced], [expected, expected]);
});
