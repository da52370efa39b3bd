/**
 * O1: a message of the null sender fails, or comes late, or a bounce itself does: nobody is told of
 * that, and nothing follows from it. The sums hold.
 */

import assert from "node:assert/strict";
import { type Answers, Mailbox } from "../fakes/bounce_mailbox.ts";
import { BounceRelay } from "../fakes/bounce_relay.ts";

const HOUR = 3_600_000, DAY = 24 * HOUR;

/** What the servers answer; that of the senders takes everything where it has no answers. */
interface Sinks {
  readonly failing: Answers;
  readonly home?: Answers;
}

class Sink implements AsyncDisposable {
  private constructor(
    readonly relay: BounceRelay,
    readonly home: Mailbox,
    readonly failing: Mailbox,
    readonly all: AsyncDisposableStack,
  ) {}

  static async open(sinks: Sinks): Promise<Sink> {
    await using all = new AsyncDisposableStack();
    const home = all.use(new Mailbox(sinks.home)), failing = all.use(new Mailbox(sinks.failing));
    const routes = Object.entries({ "example.com": home, "example.net": failing });
    const relay = all.use(
      await BounceRelay.start({
        SMTP_ROUTES: routes.map(([domain, { port }]) => `${domain}=smtp://127.0.0.1:${port}`)
          .join(","),
      }),
    );
    return new Sink(relay, home, failing, all.move());
  }

  async send(from: string, to = "b@example.net", parameters = ""): Promise<void> {
    using client = await this.relay.client();
    await client.ask("EHLO client.example");
    assert.match(await client.ask(`MAIL FROM:<${from}>`), /^250/);
    assert.match(await client.ask(`RCPT TO:<${to}>${parameters}`), /^250/);
    await client.ask("DATA");
    assert.match(await client.ask("Subject: x\r\n\r\nx\r\n."), /^250/);
  }

  /** Whoever would send one more had the time of another message, and of many days. */
  async assertQuiet(delivered: number): Promise<void> {
    this.relay.clock.turn(10 * DAY);
    await this.send("a@example.com", "somebody@example.com");
    await this.relay.until("message delivered", delivered + 1);
    assert.equal((await this.relay.store.stats()).queued, 0);
  }

  get told(): number {
    return this.relay.happened.filter(({ event }) => event === "sender is told").length;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.all.disposeAsync();
  }
}

const refusing: Answers = (line) =>
  /^RCPT TO:<(?!somebody)/.test(line) ? "550 5.1.1 nobody" : undefined;
const late: Answers = (line) => line.startsWith("RCPT") ? "451 4.3.0 later" : undefined;
const WISHES = ["", " NOTIFY=FAILURE,DELAY", " NOTIFY=SUCCESS,FAILURE,DELAY"];

Deno.test("O1 mail of the null sender that is refused makes no bounce, whatever was wished", async () => {
  await using sink = await Sink.open({ failing: refusing });
  for (const wish of WISHES) await sink.send("", "b@example.net", wish);
  await sink.relay.untilFailed(WISHES.length);
  await sink.assertQuiet(0);
  assert.equal(sink.told, 0);
  const { generated, failed, bounced, unbounced } = await sink.relay.store.stats();
  assert.deepEqual([generated, failed, bounced, unbounced], [0, 3, 0, 3]);
});

Deno.test("O1 nobody is told that it is late, that its time is over, or that it was handed on", async () => {
  await using sink = await Sink.open({ failing: late });
  for (const wish of WISHES) await sink.send("", "b@example.net", wish);
  await sink.send("", "somebody@example.com", " NOTIFY=SUCCESS");
  await sink.relay.until("message delivered", 1);
  await sink.relay.until("message deferred", WISHES.length);
  sink.relay.clock.turn(5 * HOUR);
  await sink.relay.until("message deferred", 2 * WISHES.length);
  sink.relay.clock.turn(5 * DAY);
  await sink.relay.untilFailed(WISHES.length);
  await sink.assertQuiet(1);
  assert.equal(sink.told, 0);
  const { generated, failed, bounced, unbounced } = await sink.relay.store.stats();
  assert.deepEqual([generated, failed, bounced, unbounced], [0, 3, 0, 3]);
});

for (
  const [how, home, turns] of [
    ["is refused", refusing, 0],
    ["cannot be delivered in time", late, 5 * DAY],
  ] as const
) {
  Deno.test(`O1 a bounce that ${how} makes no other`, async () => {
    let isClosed = true;
    const atHome: Answers = (line) => isClosed ? home(line) : undefined;
    await using sink = await Sink.open({ failing: refusing, home: atHome });
    await sink.send("a@example.com");
    await sink.relay.until("sender is told", 1);
    if (turns > 0) {
      await sink.relay.until("message deferred", 1);
      sink.relay.clock.turn(5 * HOUR);
      await sink.relay.until("message deferred", 2);
      sink.relay.clock.turn(turns);
    }
    await sink.relay.untilFailed(2);
    isClosed = false;
    await sink.assertQuiet(0);
    assert.equal(sink.told, 1);
    assert.ok(sink.home.lines.some((line) => line.startsWith("MAIL FROM:<>")));
    assert.deepEqual(sink.home.letters.map(({ to }) => to), [["somebody@example.com"]]);
    const { accepted, generated, delivered, failed, bounced, unbounced } = await sink.relay.store
      .stats();
    assert.deepEqual(
      { accepted, generated, delivered, failed, bounced, unbounced },
      { accepted: 2, generated: 1, delivered: 1, failed: 2, bounced: 1, unbounced: 1 },
    );
  });
}
