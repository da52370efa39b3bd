/**
 * Clients that send as fast as they are answered and the sink follows, and the ledger of what
 * was answered 250.
 *
 * A client whose connection breaks comes again when the next daemon is there, with another
 * message: what was not acknowledged counts for nothing.
 */

import { Client } from "../fakes/client.ts";
import type { Chance } from "./chance.ts";
import { joined, type Letter, letterOf } from "./letter.ts";
import type { Run } from "./run.ts";
import type { Sink } from "./sink.ts";

/** Recipients that the sink may be behind: a backlog without end shows nothing more. */
const MOST_BEHIND = 500;

export interface Acknowledged {
  readonly key: string;
  /** What the daemon called it. */
  readonly id: string;
  readonly recipients: readonly string[];
  readonly octets: number;
}

export class Load {
  readonly ledger: Acknowledged[] = [];
  /** Checksums of all that was ever sent, by key. */
  readonly sums = new Map<string, string>();
  /** Answers that no client should have had. */
  readonly surprises: string[] = [];
  readonly #chance: Chance;
  readonly #sink: Sink;
  #accepted = 0;
  readonly #clients: Promise<void>[];
  #stopped = false;
  #run: Run | undefined;
  #changed = Promise.withResolvers<void>();
  #next = Promise.withResolvers<void>();

  constructor(chance: Chance, sink: Sink, clients: number) {
    this.#chance = chance;
    this.#sink = sink;
    this.#clients = Array.from({ length: clients }, (_, i) => this.#client(i));
  }

  /** Goes on with this daemon. */
  use(run: Run): void {
    this.#run = run;
    // What was lost, should something be, is not waited for.
    this.#accepted = this.#sink.taken;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Resolves at the next 250, in the same turn in which a client reads it. */
  acknowledged(): Promise<void> {
    return this.#next.promise;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#changed.resolve();
    await Promise.all(this.#clients);
  }

  /** None: that was the last. */
  async #runAfter(after: Run | undefined): Promise<Run | undefined> {
    while (this.#run === after && !this.#stopped) await this.#changed.promise;
    return this.#stopped ? undefined : this.#run;
  }

  async #client(number: number): Promise<void> {
    let sent = 0;
    let run: Run | undefined;
    while ((run = await this.#runAfter(run)) !== undefined) {
      try {
        using client = await Client.greeted(await run.ready);
        await client.ask("EHLO client.example");
        while (await this.#mayGoOn()) {
          const letter = letterOf(`key-${number}-${sent++}`, this.#chance);
          if (!await this.#send(client, letter)) break;
        }
      } catch {
        // Its connection broke.
      }
    }
  }

  async #mayGoOn(): Promise<boolean> {
    while (!this.#stopped && this.#accepted - this.#sink.taken > MOST_BEHIND) {
      await Promise.race([this.#sink.progress(), this.#changed.promise]);
    }
    return !this.#stopped;
  }

  /** Whether it has been acknowledged. */
  async #send(client: Client, letter: Letter): Promise<boolean> {
    const { key, recipients, octets, sum } = letter;
    this.sums.set(key, sum);
    const answer = await handIn(client, letter);
    if ("refusal" in answer) {
      // Nothing at all is what a killed daemon answers.
      const { refusal } = answer;
      if (refusal !== "") this.surprises.push(`answered ${JSON.stringify(refusal)}`);
      return false;
    }
    this.ledger.push({ key, id: answer.id, recipients, octets: octets.length });
    this.#accepted += recipients.length;
    this.#next.resolve();
    this.#next = Promise.withResolvers();
    return true;
  }
}

/** Gives a daemon one message: what it calls it, or the reply that is not as it should be. */
export async function handIn(
  client: Client,
  { recipients, octets }: Pick<Letter, "recipients" | "octets">,
): Promise<{ readonly id: string } | { readonly refusal: string }> {
  const commands = ["MAIL FROM:<sender@local.example>"]
    .concat(recipients.map((address) => `RCPT TO:<${address}>`), "DATA");
  await client.send(commands.map((command) => `${command}\r\n`).join(""));
  for (const command of commands) {
    const reply = await client.reply();
    if (!reply.startsWith(command === "DATA" ? "354" : "250")) return { refusal: reply };
  }
  await client.send(stuffed(octets));
  await client.send(".\r\n");
  const reply = await client.reply();
  const id = /^250 2\.0\.0 .* ([0-9a-z]{20})$/.exec(reply)?.[1];
  return id === undefined ? { refusal: reply } : { id };
}

const LF = 10, DOT = 46;

/** A dot before each that begins a line (RFC 5321 §4.5.2). */
function stuffed(octets: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (let at = octets.indexOf(LF); at >= 0; at = octets.indexOf(LF, at + 1)) {
    if (octets[at + 1] !== DOT) continue;
    pieces.push(octets.subarray(from, at + 2));
    from = at + 1;
  }
  return joined(...pieces, octets.subarray(from));
}
