/**
 * A hundred destinations, of which one takes connections and never says anything: how long the
 * messages to the others take from their 250 to their host, beside the same without it. Once at a
 * steady rate, once all at once. `deno task bench tarpit`
 */

import { Client } from "../fakes/client.ts";
import { Daemon, dinopost } from "../fakes/daemon.ts";
import { NameServer } from "../fakes/name_server.ts";
import { Remote, type Talk } from "../fakes/remote.ts";

const ROUNDS = 5;
const DESTINATIONS = 100;
const TARPIT = 37;
const SESSIONS = 20;
/** Messages for each destination. */
const EACH = 20;
/** Between two messages of all the sessions, where they are sent steadily. */
const PAUSE = 8;
/** Times the median without it. */
const AIM = 1.1;

const now = () => performance.now();
const body = "x".repeat(76) + "\r\n";

class Trial implements AsyncDisposable {
  readonly #remote: Remote;
  readonly #tarpit: Remote;
  readonly #sent = new Map<string, number>();
  readonly delays: number[] = [];
  #daemon: Daemon | undefined;
  #names: NameServer | undefined;

  private constructor() {
    this.#remote = new Remote((talk) => this.#take(talk));
    const silent = async (talk: Talk) => void await talk.line();
    this.#tarpit = new Remote(silent, "127.0.0.2", this.#remote.port);
  }

  static async start(hasTarpit: boolean): Promise<Trial> {
    const trial = new Trial();
    trial.#names = new NameServer(Object.fromEntries(
      Array.from({ length: DESTINATIONS }, (_, i) => [
        `d${i}.example`,
        { a: [hasTarpit && i === TARPIT ? "127.0.0.2" : "127.0.0.1"] },
      ]),
    ));
    trial.#daemon = await Daemon.start({
      command: dinopost("serve"),
      settings: {
        SMTP_LISTEN: "127.0.0.1",
        SMTP_HOSTNAME: "localhost",
        SMTP_ALLOW_NETWORKS: "127.0.0.0/8",
        SMTP_REQUIRE_LOCAL_DOMAIN: "false",
        SMTP_RELAY_URL: "",
        SMTP_DNS_SERVERS: `127.0.0.1:${trial.#names.port}`,
        SMTP_DELIVERY_PORT: String(trial.#remote.port),
        SMTP_ALLOW_LOCAL_TARGETS: "true",
        SMTP_MTA_STS: "false",
      },
    });
    return trial;
  }

  async #take(talk: Talk): Promise<void> {
    await talk.say("220 remote\r\n");
    for (let line; (line = await talk.line()) !== undefined;) {
      if (line.startsWith("EHLO")) await talk.say("250-remote\r\n250 PIPELINING\r\n");
      else if (line === "DATA") {
        await talk.say("354 go\r\n");
        const lines = await talk.content();
        const key = lines.find((each) => each.startsWith("X-Key: "))!.slice(7);
        const sent = this.#sent.get(key);
        if (sent !== undefined) this.delays.push(now() - sent);
        await talk.say("250 taken\r\n");
      } else await talk.say("250 OK\r\n");
    }
  }

  /** Each session sends its part of the messages, one after another. */
  async send(isSteady: boolean): Promise<void> {
    const total = DESTINATIONS * EACH;
    let next = 0;
    const start = now();
    await Promise.all(Array.from({ length: SESSIONS }, async () => {
      using client = await Client.greeted(this.#daemon!.port);
      await client.ask("EHLO client.example");
      for (let i = next++; i < total; i = next++) {
        const wait = isSteady ? start + i * PAUSE - now() : 0;
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        const domain = i % DESTINATIONS;
        await client.ask("MAIL FROM:<a@example.com>");
        await client.ask(`RCPT TO:<b@d${domain}.example>`);
        await client.ask("DATA");
        // What goes to the tarpit's domain is not looked at, with it or without.
        if (domain !== TARPIT) this.#sent.set(String(i), now());
        await client.ask(`X-Key: ${i}\r\n\r\n${body.repeat(50)}.`);
      }
    }));
    const awaited = total - EACH;
    for (let waits = 0; this.delays.length < awaited; waits++) {
      if (waits > 3000) throw new Error(`bench: ${this.delays.length} of ${awaited} arrived`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  get median(): number {
    return this.delays.sort((a, b) => a - b)[Math.floor(this.delays.length / 2)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon?.[Symbol.asyncDispose]();
    await this.#names?.[Symbol.asyncDispose]();
    await this.#tarpit[Symbol.asyncDispose]();
    await this.#remote[Symbol.asyncDispose]();
  }
}

async function median(hasTarpit: boolean, isSteady: boolean): Promise<number> {
  await using trial = await Trial.start(hasTarpit);
  await trial.send(isSteady);
  return trial.median;
}

for (const isSteady of [true, false]) {
  const ratios: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    // In turns: whatever the machine does, it does to both.
    const order = round % 2 === 0 ? [true, false] : [false, true];
    const medians = new Map<boolean, number>();
    for (const hasTarpit of order) medians.set(hasTarpit, await median(hasTarpit, isSteady));
    const [without, beside] = [medians.get(false)!, medians.get(true)!];
    ratios.push(beside / without);
    console.log(
      `${isSteady ? "steady" : "burst "} round ${round}   without ${without.toFixed(2)} ms   ` +
        `beside a tarpit ${beside.toFixed(2)} ms   ratio ${(beside / without).toFixed(3)}`,
    );
  }
  ratios.sort((a, b) => a - b);
  console.log(`median ratio ${ratios[Math.floor(ROUNDS / 2)].toFixed(3)}   aim: at most ${AIM}`);
}
