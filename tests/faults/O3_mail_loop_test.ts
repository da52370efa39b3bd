/**
 * O3: two daemons each believe that the other has a domain. A message goes to and fro until it has
 * passed too many, then its sender is told, once, and both queues are empty.
 */

import assert from "node:assert/strict";
import { Mailbox, told } from "../fakes/bounce_mailbox.ts";
import { Client } from "../fakes/client.ts";
import { Daemon, dinopost, runToEnd } from "../fakes/daemon.ts";
import { freePort } from "../fakes/program.ts";

const MOST_HOPS = 50;

interface Sum {
  readonly accepted: number;
  readonly generated: number;
  readonly delivered: number;
  readonly failed: number;
  readonly bounced: number;
  readonly unbounced: number;
  readonly queued: number;
  readonly held: number;
}

/** Two that send `loop.example` to each other, and a server of the sender's. */
class Pair implements AsyncDisposable {
  private constructor(
    readonly home: Mailbox,
    readonly daemons: readonly Daemon[],
    readonly settings: readonly Readonly<Record<string, string>>[],
    readonly all: AsyncDisposableStack,
  ) {}

  static async start(): Promise<Pair> {
    await using all = new AsyncDisposableStack();
    const home = all.use(new Mailbox());
    const ports = [freePort(), freePort()];
    const daemons: Daemon[] = [], settings: Record<string, string>[] = [];
    for (const [i, port] of ports.entries()) {
      const folder = await Deno.makeTempDir();
      all.defer(() => Deno.remove(folder, { recursive: true }));
      const other = ports[1 - i];
      settings.push({
        SMTP_MODE: "relay",
        SMTP_DEBUG: "false",
        SMTP_MIN_FREE: "0B",
        SMTP_HOSTNAME: `relay${i}.example`,
        SMTP_LISTEN: "127.0.0.1",
        SMTP_PORT: String(port),
        SMTP_QUEUE_PATH: `${folder}/spool`,
        SMTP_ROUTES:
          `loop.example=smtp://127.0.0.1:${other},example.com=smtp://127.0.0.1:${home.port}`,
      });
      daemons.push(all.use(await Daemon.start({ settings: settings[i] })));
    }
    return new Pair(home, daemons, settings, all.move());
  }

  async send(
    from: string,
    content: string,
    { to = "b@loop.example", daemon = this.daemons[0] } = {},
  ): Promise<void> {
    using client = await Client.greeted(daemon.port);
    await client.ask("EHLO client.example");
    for (const line of [`MAIL FROM:<${from}>`, `RCPT TO:<${to}>`]) {
      assert.match(await client.ask(line), /^250 /);
    }
    await client.ask("DATA");
    assert.match(await client.ask(`${content}.`), /^250 /);
  }

  /** Resolves once so many have failed, and nothing is left in either queue. */
  async emptied(failed: number): Promise<Sum[]> {
    for (;;) {
      const sums = await this.sums();
      const isEmpty = sums.every(({ queued }) => queued === 0);
      // The one was read before the other: now nothing moves any more.
      if (total(sums, "failed") >= failed && isEmpty) return await this.sums();
    }
  }

  async sums(): Promise<Sum[]> {
    return await Promise.all(this.settings.map(async (settings) => {
      const { code, stdout, stderr } = await runToEnd(
        dinopost("queue", "count", "--json", "--dev"),
        settings,
      );
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout);
    }));
  }

  /** Whoever would send one more had the time of another message by each. */
  async assertQuiet(before: readonly Sum[], letters: number): Promise<void> {
    for (const [i, daemon] of this.daemons.entries()) {
      await this.send("alice@example.com", MESSAGE, { daemon, to: "somebody@example.com" });
      await this.home.until(letters + i + 1);
    }
    const after = await this.emptied(0);
    assert.equal(total(after, "accepted"), total(before, "accepted") + 2);
    assert.equal(total(after, "generated"), total(before, "generated"));
    assert.equal(this.home.letters.length, letters + 2);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.all.disposeAsync();
  }
}

const MESSAGE = "Subject: x\r\nMessage-ID: <m1@example.com>\r\n\r\nx\r\n";

/** Of both. */
function summary(sums: readonly Sum[]): Omit<Sum, "queued"> {
  const names = ["accepted", "generated", "delivered", "failed", "bounced", "unbounced", "held"];
  const values = names.map((name) => [name, total(sums, name as keyof Sum)]);
  return Object.fromEntries(values);
}

const total = (sums: readonly Sum[], name: keyof Sum) =>
  sums.reduce((sum, each) => sum + each[name], 0);

Deno.test("O3 who hands over what has gone in circles is told in the session", async () => {
  await using pair = await Pair.start();
  for (
    const [fields, expected] of [[MOST_HOPS, /^554 5\.4\.6 /], [MOST_HOPS - 1, /^250 /]] as const
  ) {
    using client = await Client.greeted(pair.daemons[0].port);
    await client.ask("EHLO client.example");
    await client.ask("MAIL FROM:<alice@example.com>");
    await client.ask("RCPT TO:<somebody@example.com>");
    await client.ask("DATA");
    const content = `${"Received: by x; y\r\n".repeat(fields)}${MESSAGE}`;
    assert.match(await client.ask(`${content}.`), expected);
  }
  await pair.home.until(1);
  const sums = await pair.emptied(0);
  assert.deepEqual([total(sums, "accepted"), total(sums, "generated")], [1, 0]);
});

Deno.test("O3 a message that goes in circles ends with 554 5.4.6, and one bounce", async () => {
  await using pair = await Pair.start();
  await pair.send("alice@example.com", MESSAGE);
  const [letter] = await pair.home.until(1);
  const { perRecipient, returned } = told(letter);
  assert.equal(perRecipient.length, 1);
  const [{ "Final-Recipient": recipient, Status, "Diagnostic-Code": code }] = perRecipient;
  assert.deepEqual([recipient, Status], ["rfc822; b@loop.example", "5.4.6"]);
  assert.match(code, /^smtp; 554 5\.4\.6 Message goes in circles/);
  assert.equal(returned!.match(/^Received: /gm)!.length, MOST_HOPS);
  const sums = await pair.emptied(1);
  assert.deepEqual(summary(sums), {
    accepted: MOST_HOPS,
    generated: 1,
    // To the next, and the bounce.
    delivered: MOST_HOPS - 1 + 1,
    failed: 1,
    bounced: 1,
    unbounced: 0,
    held: 0,
  });
  await pair.assertQuiet(sums, 1);
});

Deno.test("O3 neither the null sender nor one whose own mail goes in circles is told for ever", async () => {
  await using pair = await Pair.start();
  await pair.send("", MESSAGE);
  const first = await pair.emptied(1);
  assert.deepEqual(summary(first), {
    accepted: MOST_HOPS,
    generated: 0,
    delivered: MOST_HOPS - 1,
    failed: 1,
    bounced: 0,
    unbounced: 1,
    held: 0,
  });
  // Its bounce takes the same way, and has one field before it leaves.
  await pair.send("alice@loop.example", MESSAGE);
  const sums = await pair.emptied(3);
  assert.deepEqual(summary(sums), {
    accepted: MOST_HOPS + MOST_HOPS + (MOST_HOPS - 1),
    generated: 1,
    delivered: 2 * (MOST_HOPS - 1) + MOST_HOPS - 1,
    failed: 3,
    bounced: 1,
    unbounced: 2,
    held: 0,
  });
  await pair.assertQuiet(sums, 0);
});
