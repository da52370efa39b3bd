/** A daemon, a server that refuses some of those whom it is given, and that of the sender. */

import assert from "node:assert/strict";
import { type Answers, type Letter, Mailbox } from "./bounce_mailbox.ts";
import { Client } from "./client.ts";
import { Daemon, dinopost, runToEnd } from "./daemon.ts";
import { NameServer, type Told as Zone } from "./name_server.ts";

const MESSAGE = "Subject: hello\r\nMessage-ID: <m1@example.com>\r\n\r\nthe body\r\n.";

/** Each recipient with its parameters; how the message was answered. */
export async function send(
  client: Client,
  to: readonly string[],
  { from = "alice@example.com", mail = "" } = {},
): Promise<string> {
  await client.ask("EHLO client.example");
  const lines = [`MAIL FROM:<${from}>${mail}`, ...to.map((each) => `RCPT TO:${each}`)];
  for (const line of lines) assert.match(await client.ask(line), /^250 /, line);
  await client.ask("DATA");
  return await client.ask(MESSAGE);
}

const host = (name: string): Record<string, Zone> => ({
  [name]: { mx: [[10, `mx.${name}`]] },
  [`mx.${name}`]: { a: ["127.0.0.1"] },
});

export interface Sum {
  readonly [name: string]: number | boolean;
}

export class House implements AsyncDisposable {
  private constructor(
    readonly sender: Mailbox,
    readonly refuser: Mailbox,
    readonly daemon: Daemon,
    readonly settings: Readonly<Record<string, string>>,
    readonly all: AsyncDisposableStack,
  ) {}

  /** A daemon, a server that refuses some, and that of the sender. */
  static async build(answers: Answers, settings: Record<string, string> = {}): Promise<House> {
    await using all = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir();
    all.defer(() => Deno.remove(folder, { recursive: true }));
    const sender = all.use(new Mailbox()), refuser = all.use(new Mailbox(answers));
    const names = all.use(
      new NameServer({
        ...host("refusing.example"),
        "null.example": { mx: [[0, "."]] },
        "failing.example": "SERVFAIL",
      }),
    );
    const used = {
      SMTP_MODE: "relay",
      SMTP_DEBUG: "false",
      SMTP_MIN_FREE: "0B",
      SMTP_RELAY_URL: "",
      SMTP_HOSTNAME: "relay.example",
      SMTP_QUEUE_PATH: `${folder}/spool`,
      SMTP_DNS_SERVERS: `127.0.0.1:${names.port}`,
      SMTP_DELIVERY_PORT: String(refuser.port),
      SMTP_ALLOW_LOCAL_TARGETS: "true",
      SMTP_ROUTES: `example.com=smtp://127.0.0.1:${sender.port}`,
      ...settings,
    };
    const daemon = all.use(await Daemon.start({ settings: used }));
    return new House(sender, refuser, daemon, used, all.move());
  }

  async send(to: readonly string[], { from = "alice@example.com", mail = "" } = {}) {
    using client = await Client.greeted(this.daemon.port);
    return /([0-9a-z]+)$/.exec(await send(client, to, { from, mail }))![1];
  }

  /** What the sender was told of a message, in the order of the attempts' domains. */
  async told(about: string, count: number): Promise<readonly Letter[]> {
    const line = `sender is told id=(\\w+) about=${about} `;
    await this.daemon.says(new RegExp(Array(count).fill(line).join("[^]*")));
    for (const [, id] of this.daemon.output.matchAll(new RegExp(line, "g"))) {
      await this.daemon.says(new RegExp(`message delivered id=${id} `));
    }
    return this.sender.letters;
  }

  async sum(): Promise<Sum> {
    const { code, stdout, stderr } = await runToEnd(
      dinopost("queue", "count", "--json", "--dev"),
      this.settings,
    );
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.all.disposeAsync();
  }
}
