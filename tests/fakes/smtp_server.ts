/**
 * Receivers of others, told alike what to take; this one is smtp-server of npm, in this process.
 * What a client said is taken from their logs, so that nothing it said can be missed.
 */

import { Buffer } from "node:buffer";
import {
  SMTPServer,
  type SMTPServerAddress,
  type SMTPServerOptions,
  type SMTPServerSession,
} from "smtp-server";
import type { KeyPair } from "../../src/ports/tls.ts";

export interface Rules {
  /** STARTTLS is offered. */
  readonly pair?: KeyPair;
  /** The largest message, in octets. */
  readonly size?: number;
  /** That is not told before. */
  readonly hidesSize?: boolean;
  /** What is refused, and with which code: senders, recipients, words of a content. */
  readonly refused?: Readonly<Record<string, number>>;
  readonly lacks8BitMime?: boolean;
  readonly lacksSmtpUtf8?: boolean;
}

export interface Received {
  readonly from: string;
  readonly to: readonly string[];
  /** Those of MAIL, in the order of the alphabet. */
  readonly parameters: readonly string[];
  /** A character for each octet. */
  readonly content: string;
  /** The same for all that came over one connection. */
  readonly session: string;
  /** Version and cipher. */
  readonly tls: string | null;
}

export interface Receiver extends AsyncDisposable {
  readonly port: number;
  /** Ends it, and tells what came: messages, and each line of a client that was none of theirs. */
  end(): Promise<Heard>;
}

export interface Heard {
  readonly messages: readonly Received[];
  readonly commands: readonly string[];
}

/** Beyond what the other can. */
export interface MoreRules extends Rules {
  /** DSN is offered. */
  readonly dsn?: boolean;
  /** Mail is taken only of who logs in so. */
  readonly login?: { readonly method: string; readonly user: string; readonly secret: string };
}

type Answer = (error?: Error | null) => void;

export class SmtpServer implements Receiver {
  /** What each message came with, in its own words. */
  readonly sessions: SMTPServerSession[] = [];
  readonly #rules: MoreRules;
  readonly #messages: Received[] = [];
  readonly #commands: string[] = [];
  readonly #server: SMTPServer;
  #ended = false;

  private constructor(rules: MoreRules) {
    this.#rules = rules;
    this.#server = new SMTPServer(this.#options());
  }

  /** Resolves once it listens. */
  static async start(rules: MoreRules = {}): Promise<SmtpServer> {
    const receiver = new SmtpServer(rules);
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  get port(): number {
    return (this.#server.server.address() as { port: number }).port;
  }

  #options(): SMTPServerOptions {
    const { pair, size, hidesSize, lacks8BitMime, lacksSmtpUtf8, dsn, login } = this.#rules;
    const byAddress = ({ address }: SMTPServerAddress, _: unknown, answer: Answer) =>
      answer(this.#refusal(address));
    return {
      ...pair,
      disabledCommands: [...(pair ? [] : ["STARTTLS"]), ...(login ? [] : ["AUTH"])],
      disableReverseLookup: true,
      size,
      hideSize: hidesSize,
      rejectOversized: true,
      hide8BITMIME: lacks8BitMime,
      hideSMTPUTF8: lacksSmtpUtf8,
      hideENHANCEDSTATUSCODES: false,
      hideDSN: !dsn,
      authMethods: login && [login.method],
      onAuth({ username, password, accessToken }, _, answer) {
        const isKnown = username === login?.user && login?.secret === (password ?? accessToken);
        answer(null, isKnown ? { user: username } : { data: { status: "401" } });
      },
      onMailFrom: byAddress,
      onRcptTo: byAddress,
      onData: (stream, session, answer) => {
        const pieces: Uint8Array[] = [];
        stream.on("data", (piece: Uint8Array) => pieces.push(piece));
        stream.on(
          "end",
          () => answer(this.#take(Buffer.concat(pieces).toString("latin1"), session)),
        );
      },
      logger: {
        ...SILENT,
        debug: (_: unknown, what: string, line: string) => {
          if (what === "C:") this.#commands.push(line);
        },
      },
    };
  }

  #take(content: string, session: SMTPServerSession): Error | undefined {
    const { size = Infinity, refused = {} } = this.#rules;
    const word = Object.keys(refused).find((word) => content.includes(word));
    if (word !== undefined) return this.#refusal(word);
    // It refuses by itself.
    if (content.length > size) return undefined;
    const { envelope: { mailFrom, rcptTo }, tlsOptions, id } = session;
    const parameters = Object.entries(mailFrom && mailFrom.args || {});
    this.sessions.push({ ...session });
    this.#messages.push({
      from: mailFrom ? mailFrom.address : "",
      to: rcptTo.map(({ address }) => address),
      parameters: parameters.map(([name, value]) => value === true ? name : `${name}=${value}`)
        .sort(),
      content,
      session: id,
      tls: tlsOptions ? `${tlsOptions.version} ${tlsOptions.name}` : null,
    });
    return undefined;
  }

  #refusal(what: string): Error | undefined {
    const responseCode = this.#rules.refused?.[what];
    return responseCode && Object.assign(new Error(`no ${what}`), { responseCode }) || undefined;
  }

  async end(): Promise<Heard> {
    this.#ended = true;
    await new Promise<void>((resolve) => this.#server.close(resolve));
    return { messages: this.#messages, commands: this.#commands };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.end();
  }
}

const nothing = () => {};
const SILENT = { trace: nothing, info: nothing, warn: nothing, error: nothing, fatal: nothing };
