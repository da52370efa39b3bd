/** A server of others that keeps what it is given, and refuses whom a test names. */

import assert from "node:assert/strict";
import { Remote, type Talk } from "./remote.ts";

export interface Letter {
  /** The whole line of MAIL. */
  readonly mail: string;
  readonly to: readonly string[];
  /** A character for each octet. */
  readonly content: string;
}

/** What is answered to a line other than usual; without an end. */
export type Answers = (line: string) => string | undefined;

const OFFERS = "250-remote\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE";

export class Mailbox implements AsyncDisposable {
  readonly letters: Letter[] = [];
  readonly #remote: Remote;
  readonly #waiting = new Set<() => void>();

  constructor(answers: Answers = () => undefined) {
    this.#remote = new Remote((talk) => this.#serve(talk, answers));
  }

  get port(): number {
    return this.#remote.port;
  }

  /** Every line that was said to it, contents among them. */
  get lines(): readonly string[] {
    return this.#remote.lines;
  }

  /** Resolves once there are so many. */
  async until(count: number): Promise<readonly Letter[]> {
    while (this.letters.length < count) {
      await new Promise<void>((resolve) => {
        const look = () => {
          this.#waiting.delete(look);
          resolve();
        };
        this.#waiting.add(look);
      });
    }
    return this.letters;
  }

  async #serve(talk: Talk, answers: Answers): Promise<void> {
    let mail = "", to: string[] = [];
    await talk.say("220 remote\r\n");
    for (let line; (line = await talk.line()) !== undefined;) {
      const [verb] = line.split(/[ :]/);
      const answer = answers(line);
      if (verb === "MAIL") [mail, to] = [line, []];
      if (verb === "RCPT" && answer === undefined) to.push(/<(.*)>/.exec(line)![1]);
      const mayCome = verb === "DATA" && to.length > 0 && answer === undefined;
      const usual = verb === "EHLO"
        ? OFFERS
        : mayCome
        ? "354 go"
        : verb === "DATA"
        ? "554 5.5.1 nobody is there to have it"
        : verb === "QUIT"
        ? "221 bye"
        : "250 2.0.0 OK";
      await talk.say(`${answer ?? usual}\r\n`);
      if (verb === "QUIT") return;
      if (!mayCome) continue;
      const lines = await talk.content();
      const refusal = answers("content");
      if (refusal === undefined) {
        const content = lines.map((line) => `${line.replace(/^\./, "")}\r\n`).join("");
        this.letters.push({ mail, to, content });
      }
      await talk.say(`${refusal ?? "250 2.0.0 taken"}\r\n`);
      for (const look of this.#waiting) look();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#remote[Symbol.asyncDispose]();
  }
}

/** A bounce as its sender has it. */
export interface Told {
  readonly subject: string;
  readonly explanation: string;
  readonly perMessage: Readonly<Record<string, string>>;
  readonly perRecipient: readonly Readonly<Record<string, string>>[];
  /** Its head, and what is in it; none where nothing was returned. */
  readonly returned?: string;
}

/** Of a letter that must be one. */
export function told({ mail, content }: Letter): Told {
  assert.match(mail, /^MAIL FROM:<>( |$)/);
  const boundary = /\r\n boundary="(=_\w+)"\r\n/.exec(content)![1];
  const [head, explanation, status, returned, ...more] = content.split(`\r\n--${boundary}`);
  assert.ok(more.length === 1 || returned?.startsWith("--"), content);
  const [, ...groups] = status.split("\r\n\r\n").map(fieldsOf);
  const [perMessage, ...perRecipient] = groups;
  return {
    subject: /^Subject: (.*)\r$/m.exec(head)![1],
    explanation,
    perMessage,
    perRecipient,
    returned: more.length === 1 ? returned : undefined,
  };
}

function fieldsOf(group: string): Record<string, string> {
  const lines = group.replaceAll("\r\n ", " ").split("\r\n").filter((line) => line !== "");
  return Object.fromEntries(lines.map((line) => line.split(/: (.*)/s, 2)));
}
