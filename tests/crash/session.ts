/**
 * One session of the sink: a server as RFC 5321 has it, with pipelining (RFC 2920), for as many
 * messages as the daemon gives. By chance it puts off recipients or messages, or ends the
 * session, with 421 or without a word; each is rare.
 *
 * Promises: what it has recorded as taken it answers with 250, unless the daemon is killed; it
 * fails nothing for good. What a client must not say is told to whoever runs the sink.
 */

import type { Chance } from "./chance.ts";
import { Gone, Incoming } from "./incoming.ts";
import { examine } from "./letter.ts";

/** A message that the sink has taken for some of its recipients. */
export interface Receipt {
  /** Which start of the daemon. */
  readonly run: number;
  readonly key: string | undefined;
  readonly sum: string;
  readonly recipients: readonly string[];
  /** How the sink killed the daemon that gave it, if it did. */
  killed?: "before 250" | "upon 250";
}

/** When the daemon may be killed: its content has come, and counts for nothing yet; and so on. */
export type Moment = "before it is taken" | "before 250" | "upon 250";

/** What befell transactions; those that were just taken are receipts. */
export interface Tally {
  sessions: number;
  /** Recipients. */
  putOff: number;
  tooMany: number;
  /** Behind the last dot. */
  deferred: number;
  /** Answered 421. */
  ended: number;
  /** Without a word. */
  broken: number;
}

/** What a session needs of the sink. */
export interface Surroundings {
  readonly chance: Chance;
  /** Nothing but 250 is ever said. */
  readonly isCalm: boolean;
  readonly tally: Tally;
  /** The sink is not idle until the returned function is called. */
  begin(): () => void;
  take(receipt: Receipt): void;
  /** Kills the daemon if it was to be killed at this moment; whether it was. */
  reach(moment: Moment, run: number): Promise<boolean>;
  complain(of: string): void;
}

const WITHOUT_PIPELINING = 0.1;
const PUT_OFF = 0.07, TOO_MANY = 0.05;
const DEFERRED = 0.02, ENDED = 0.01, BROKEN = 0.01;
/** Milliseconds until it answers a message: meanwhile the daemon may be killed. */
const SLOWEST = 15;
const LARGEST = 10 * 1024 * 1024;

/** What chance has planned for a transaction, and upon which command. */
interface Fate {
  readonly is: "taken" | "deferred" | "ended" | "broken";
  readonly at?: "MAIL" | "RCPT" | "DATA" | "content";
}

interface Transaction {
  readonly fate: Fate;
  readonly recipients: string[];
  readonly end: () => void;
}

/** The session is over. */
class Over extends Error {}

export class Session {
  readonly #connection: Deno.Conn;
  readonly #incoming: Incoming;
  readonly #sink: Surroundings;
  #run: number | undefined;
  #transaction: Transaction | undefined;
  #replies = "";

  constructor(connection: Deno.Conn, sink: Surroundings) {
    this.#connection = connection;
    this.#incoming = new Incoming(connection);
    this.#sink = sink;
  }

  /** Until one of the two ends it. */
  async serve(): Promise<void> {
    this.#sink.tally.sessions++;
    try {
      this.#reply("220 sink.example ESMTP");
      for (;;) {
        // What was said together is answered together (RFC 2920 §3.2).
        if (!this.#incoming.hasMore) await this.#flush();
        await this.#obey(await this.#incoming.line());
      }
    } catch (error) {
      if (!(error instanceof Gone || error instanceof Over)) throw error;
    } finally {
      this.#forget();
    }
  }

  async #obey(line: string): Promise<void> {
    switch (line.slice(0, 4)) {
      case "EHLO":
        return this.#hello(line);
      case "MAIL":
        return await this.#mail(line);
      case "RCPT":
        return await this.#rcpt(line);
      case "DATA":
        return await this.#data();
      case "RSET":
        this.#forget();
        return this.#reply("250 2.0.0 forgotten");
      case "QUIT":
        this.#reply("221 2.0.0 bye");
        await this.#flush();
        throw new Over();
      default:
        return this.#refuse(line);
    }
  }

  #hello(line: string): void {
    const run = /^EHLO run-(\d+)\.crash\.example$/.exec(line)?.[1];
    if (run === undefined) return this.#refuse(line);
    this.#run = Number(run);
    this.#forget();
    this.#reply("250-sink.example");
    const isPlain = this.#sink.chance.happens(WITHOUT_PIPELINING);
    if (!isPlain) this.#reply("250-PIPELINING");
    this.#reply("250-8BITMIME");
    this.#reply(`250 SIZE ${LARGEST}`);
  }

  async #mail(line: string): Promise<void> {
    const isMail = /^MAIL FROM:<[^<>]*>(?: (?:SIZE=\d+|BODY=8BITMIME))*$/.test(line);
    if (!isMail || this.#run === undefined || this.#transaction !== undefined) {
      return this.#refuse(line);
    }
    this.#transaction = { fate: this.#fate(), recipients: [], end: this.#sink.begin() };
    await this.#meet("MAIL");
    this.#reply("250 2.1.0 go on");
  }

  async #rcpt(line: string): Promise<void> {
    const address = /^RCPT TO:<([^<>]+)>$/.exec(line)?.[1];
    if (address === undefined || this.#transaction === undefined) return this.#refuse(line);
    const { chance, isCalm, tally } = this.#sink;
    // Perhaps one of those behind it, perhaps none.
    if (chance.happens(0.5)) await this.#meet("RCPT");
    if (!isCalm && chance.happens(PUT_OFF)) {
      tally.putOff++;
      return this.#reply("451 4.2.1 not now");
    }
    const { recipients } = this.#transaction;
    // RFC 5321 §4.5.3.1.10: the others are to come with another transaction.
    if (!isCalm && recipients.length > 0 && chance.happens(TOO_MANY)) {
      tally.tooMany++;
      return this.#reply("452 4.5.3 too many");
    }
    recipients.push(address);
    this.#reply("250 2.1.5 go on");
  }

  async #data(): Promise<void> {
    const transaction = this.#transaction;
    if (transaction === undefined) return this.#refuse("DATA");
    await this.#meet("DATA");
    const hasNobody = transaction.recipients.length === 0;
    // RFC 2920 §3.1: a server may ask for content though there is nobody to have it.
    if (hasNobody && this.#sink.chance.happens(0.5)) {
      this.#reply("554 5.5.1 nobody is there to have it");
      return this.#forget();
    }
    if (this.#incoming.hasMore) this.#sink.complain("content came before it was asked for");
    this.#reply("354 go on");
    await this.#flush();
    const octets = await this.#incoming.content();
    if (hasNobody) {
      if (octets.length > 0) this.#sink.complain("content came for nobody");
      this.#reply("554 5.5.1 nobody is there to have it");
    } else await this.#content(transaction, octets);
    this.#forget();
  }

  async #content({ recipients, fate }: Transaction, octets: Uint8Array): Promise<void> {
    const { chance, tally } = this.#sink;
    const run = this.#run!;
    await pass(chance.between(0, SLOWEST));
    await this.#meet("content");
    if (await this.#sink.reach("before it is taken", run)) throw new Over();
    if (fate.is === "deferred") {
      tally.deferred++;
      return this.#reply("451 4.3.0 not now");
    }
    const { key, sum } = examine(octets);
    const receipt: Receipt = { run, key, sum, recipients };
    this.#sink.take(receipt);
    await pass(chance.between(0, SLOWEST));
    if (await this.#sink.reach("before 250", run)) receipt.killed = "before 250";
    this.#reply("250 2.0.0 taken");
    await this.#flush();
    if (await this.#sink.reach("upon 250", run)) receipt.killed = "upon 250";
  }

  #fate(): Fate {
    const { chance, isCalm } = this.#sink;
    const at = chance.one(["MAIL", "RCPT", "DATA", "content"] as const);
    const kind = chance.next();
    if (isCalm || kind >= DEFERRED + ENDED + BROKEN) return { is: "taken" };
    if (kind < DEFERRED) return { is: "deferred" };
    return { is: kind < DEFERRED + ENDED ? "ended" : "broken", at };
  }

  /** Ends the session here, if that is what was planned. */
  async #meet(at: Fate["at"]): Promise<void> {
    const { fate } = this.#transaction!;
    if (fate.at !== at) return;
    if (fate.is === "ended") {
      this.#sink.tally.ended++;
      this.#reply("421 4.3.2 no more of this");
      await this.#flush();
    } else this.#sink.tally.broken++;
    throw new Over();
  }

  #refuse(line: string): void {
    this.#sink.complain(`${JSON.stringify(line)} is not to be said here`);
    this.#reply("503 5.5.1 what");
  }

  #forget(): void {
    this.#transaction?.end();
    this.#transaction = undefined;
  }

  #reply(line: string): void {
    this.#replies += `${line}\r\n`;
  }

  async #flush(): Promise<void> {
    let left = new TextEncoder().encode(this.#replies);
    this.#replies = "";
    try {
      while (left.length > 0) left = left.subarray(await this.#connection.write(left));
    } catch {
      throw new Gone();
    }
  }
}

function pass(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
