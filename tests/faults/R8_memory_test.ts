/** R8: the largest messages on every connection at once: what does not fit is told to come later. */

import assert from "node:assert/strict";
import type { ServerOptions } from "../../src/inbound/options.ts";
import { Budget } from "../../src/smtp/budget.ts";
import * as replies from "../../src/smtp/replies.ts";
import { Client } from "../fakes/client.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { Daemon } from "../fakes/daemon.ts";
import { TestServer } from "../fakes/server.ts";
import { settled } from "../fakes/settled.ts";

const LINE = "x".repeat(78) + "\r\n";

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !holds(); i++) await settled();
  assert.ok(holds());
}

Deno.test("R8 those that do not fit are refused with 452 4.3.1, stay in step, and send later", async () => {
  const memory = new Budget(20_000);
  await using server = new TestServer({ memory, maxSize: 10_000 });
  const clients = await Promise.all([1, 2, 3, 4, 5].map(() => Client.greeted(server.port)));
  try {
    for (const client of clients) await client.ready();
    const sends = async (client: Client, taken: number) => {
      await client.send(LINE.repeat(60));
      await until(() => memory.taken === taken);
    };
    const [late, ...four] = clients;
    for (const [i, client] of four.entries()) {
      assert.match(await client.ask("DATA"), /^354 /);
      await sends(client, 4800 * (i + 1));
    }
    await late.send("BDAT 4800 LAST\r\n" + LINE.repeat(60));
    assert.equal(await late.reply(), "452 4.3.1 Too much mail at once, try again later");
    // What one over it had taken is free for the next.
    for (const [i, taken] of [14_400, 19_200, 14_400, 19_200].entries()) {
      await sends(four[i], taken);
    }
    const answers: string[] = [];
    for (const client of four) answers.push((await client.ask(".")).slice(0, 9));
    assert.deepEqual(answers, ["452 4.3.1", "250 2.0.0", "452 4.3.1", "250 2.0.0"]);
    assert.equal(memory.taken, 0);
    assert.equal(server.messages.length, 2);
    for (const client of clients) {
      await client.ready();
      assert.match(await client.ask("DATA"), /^354 /);
      assert.match(await client.ask(LINE.repeat(100) + "."), /^250 /);
    }
    assert.deepEqual(server.messages.slice(2).map(({ content }) => content.size), [
      ...Array(5).fill(8000),
    ]);
  } finally {
    for (const client of clients) client.close();
  }
});

Deno.test("R8 SIZE tells beforehand what would not fit", async () => {
  const memory = new Budget(20_000);
  memory.take(15_000);
  await using server = new TestServer({ memory, maxSize: 10_000 });
  using client = await Client.greeted(server.port);
  await client.ask("EHLO x");
  for (const [size, answer] of [[6000, /^452 4\.3\.1 Too much mail at once/], [5000, /^354 /]]) {
    await client.ask(`MAIL FROM:<a@example.com> SIZE=${size}`);
    await client.ask("RCPT TO:<b@example.net>");
    assert.match(await client.ask("DATA"), answer as RegExp);
    await client.ask(size === 6000 ? "RSET" : ".");
  }
});

interface Held {
  readonly client: Client;
  readonly server: TestServer;
  readonly clock: TurnedClock;
  readonly memory: Budget;
}

const BODY = LINE.repeat(10);
const HOLD: Record<string, (client: Client) => Promise<unknown>> = {
  "in DATA": async (client) => {
    await client.ask("DATA");
    await client.send(BODY);
  },
  "in a chunk": (client) => client.send(`BDAT 5000\r\n${BODY}`),
  "between chunks": async (client) => {
    await client.send(`BDAT 800\r\n${BODY}`);
    assert.match(await client.reply(), /^250 /);
  },
};

/** A server with one client that holds memory, and how it loses it. */
async function losing(
  where: string,
  lose: (held: Held) => unknown,
  options: Partial<ServerOptions> = {},
): Promise<void> {
  const memory = new Budget(20_000);
  const clock = new TurnedClock();
  await using server = new TestServer({ memory, ...options }, { clock });
  using client = await Client.greeted(server.port);
  await client.ready();
  await HOLD[where](client);
  await until(() => memory.taken === 800);
  await lose({ client, server, clock, memory });
  await until(() => memory.taken === 0);
}

for (const where of Object.keys(HOLD)) {
  Deno.test(`R8 a client that goes ${where} leaves no memory taken`, () =>
    losing(where, ({ client }) => client.close()));

  Deno.test(`R8 a client that ends its side ${where} leaves no memory taken`, () =>
    losing(where, ({ client }) => client.closeWrite()));

  Deno.test(`R8 a client that goes quiet ${where} holds memory no longer than its time`, () =>
    losing(where, async ({ client, clock }) => {
      clock.turn(15 * 60_000 + 1);
      assert.match(await client.rest(), /^421 4\.4\.2 /);
    }));

  Deno.test(`R8 a server that stops has no memory taken by a client ${where}`, () =>
    losing(where, async ({ client, clock, server: { server } }) => {
      const stopped = server.shutdown({ within: 1000 });
      await settled();
      clock.turn(1000);
      assert.match(await client.rest(), /^421 4\.3\.2 /);
      clock.turn(5000);
      await stopped;
    }));
}

Deno.test("R8 RSET between chunks gives back what they took", () =>
  losing("between chunks", async ({ client }) => {
    assert.equal(await client.ask("RSET"), "250 2.0.0 OK");
  }));

Deno.test("R8 a handler that fails gives back what its message took", () => {
  const handler = () => Promise.reject(new Error("the handler is broken"));
  return losing("in DATA", async ({ client }) => {
    assert.match(await client.ask("."), /^451 /);
  }, { handler });
});

Deno.test("R8 a message that is being made safe holds its memory, though its client has gone", () => {
  const safe = Promise.withResolvers<void>();
  const handler: ServerOptions["handler"] = async ({ id }) => {
    await safe.promise;
    return replies.accepted(id);
  };
  return losing("in DATA", async ({ client, memory }) => {
    await client.send(".\r\n");
    await settled();
    client.close();
    await settled();
    assert.equal(memory.taken, 800);
    safe.resolve();
  }, { handler });
});

const BLOCK = new TextEncoder().encode(LINE.repeat(819));
const HEADER = "Subject: x\r\n\r\n";
/** Ten MiB, and never more. */
const BLOCKS = 160;
const SIZE = HEADER.length + BLOCKS * BLOCK.length;
/** What the daemon has at most for messages under way, and how many of those there is room for. */
const BUDGET = 256 * 1024 * 1024;
const ROOM = Math.floor(BUDGET / SIZE);

async function sendContent(client: Client): Promise<void> {
  await client.send(HEADER);
  for (let i = 0; i < BLOCKS; i++) await client.send(BLOCK);
}

/** The most memory that a process ever had; elsewhere than on Linux nobody knows. */
function mostMemory(pid: number): number {
  if (Deno.build.os !== "linux") return 0;
  const [, kibibytes] = /VmHWM:\s*(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))!;
  return Number(kibibytes) * 1024;
}

Deno.test("R8 ten MiB on each of sixty connections: the daemon takes what it has room for", async () => {
  const settings = { SMTP_DEBUG: "false", SMTP_MIN_FREE: "0B" };
  await using daemon = await Daemon.start({ settings });
  const before = mostMemory(daemon.pid);
  const clients = await Promise.all([...Array(60)].map(() => Client.greeted(daemon.port)));
  try {
    await Promise.all(clients.map((client) => client.ready()));
    // A chunk is answered when it is there, and stays there until the last one comes.
    const holding: Client[] = [];
    await Promise.all(
      clients.slice(0, 30).map(async (client) => {
        await client.send(`BDAT ${SIZE}\r\n`);
        await sendContent(client);
        const said = await client.reply();
        if (said === `250 2.0.0 ${SIZE} octets received`) holding.push(client);
        else assert.equal(said, "452 4.3.1 Too much mail at once, try again later");
      }),
    );
    assert.equal(holding.length, ROOM);
    const others = clients.slice(30);
    for (const client of others) assert.match(await client.ask("DATA"), /^354 /);
    await Promise.all(
      others.map(async (client) => {
        await sendContent(client);
        assert.equal(await client.ask("."), "452 4.3.1 Too much mail at once, try again later");
      }),
    );
    for (const client of holding) await client.send("BDAT 0 LAST\r\n");
    for (const client of holding) {
      assert.match(await client.reply(), /^250 2\.0\.0 Message accepted/);
    }
    // What is on its way to the disk, and unused room, is not counted.
    const most = mostMemory(daemon.pid) - before;
    assert.ok(most < 2 * BUDGET, `${most} octets`);
    for (const client of clients) {
      await client.ready();
      assert.match(await client.ask("DATA"), /^354 /);
      assert.match(await client.ask("Subject: small\r\n\r\n."), /^250 /);
    }
  } finally {
    for (const client of clients) client.close();
  }
});
