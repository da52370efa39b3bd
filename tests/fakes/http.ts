/** Clients of HTTP: one that says just what it is told to, one that follows the audit log, curl. */

import { Client } from "./client.ts";
import type { Daemon } from "./daemon.ts";

/** Where HTTP is on in a daemon, which then says where. */
export const WITH_HTTP = { SMTP_HEALTH_DISABLE: "false", SMTP_HEALTH_ADDR: "127.0.0.1:0" };

export function httpPortOf({ output }: Pick<Daemon, "output">): number {
  return Number(/^or at .*http:\/\/127\.0\.0\.1:(\d+)/m.exec(output)![1]);
}

/** A response, as it came. */
export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  /** The whole of it, frame and all. */
  readonly text: string;
}

export interface Wish {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly minor?: 0 | 1;
}

/** The octets of a request, well formed or not. */
export function requestFor(target: string, wish: Wish = {}): string {
  const { method = "GET", headers = {}, body = "", minor = 1 } = wish;
  const length = body === "" ? {} : { "Content-Length": String(body.length) };
  const fields = Object.entries({ Host: "localhost", ...length, ...headers });
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `${method} ${target} HTTP/1.${minor}\r\n${lines}\r\n${body}`;
}

export function ask(port: number, target: string, wish: Wish = {}): Promise<Answered> {
  return exchange(port, requestFor(target, wish));
}

/** Says it, and hears all that comes of it. */
export async function exchange(port: number, octets: string | Uint8Array): Promise<Answered> {
  using client = await Client.connect(port);
  await client.send(octets);
  return answerIn(await client.rest());
}

/** Throws where it is no whole response. */
export function answerIn(text: string): Answered {
  const [, code, fields, rest] =
    /^HTTP\/1\.1 (\d{3}) [ A-Za-z]*\r\n((?:[^\r\n]+\r\n)*)\r\n(.*)$/s.exec(text) ?? [];
  if (code === undefined) throw new Error(`no response: ${JSON.stringify(text)}`);
  const headers = new Headers(
    fields.split("\r\n").slice(0, -1).map((field): [string, string] => {
      const [, name, value] = /^([^:]+): (.*)$/.exec(field)!;
      return [name, value];
    }),
  );
  const body = headers.get("transfer-encoding") === "chunked" ? unchunked(rest) : rest;
  return { status: Number(code), headers, body, text };
}

/** RFC 9112 §7.1; none of these has a character beyond ASCII. */
function unchunked(text: string): string {
  let whole = "";
  for (;;) {
    const [line, digits] = /^([0-9a-f]+)\r\n/.exec(text) ?? [];
    if (line === undefined) throw new Error(`no chunk: ${JSON.stringify(text)}`);
    const size = parseInt(digits, 16);
    whole += text.slice(line.length, line.length + size);
    text = text.slice(line.length + size);
    if (!text.startsWith("\r\n")) throw new Error(`chunk without end: ${JSON.stringify(text)}`);
    text = text.slice(2);
    if (size > 0) continue;
    if (text !== "") throw new Error(`something behind the end: ${JSON.stringify(text)}`);
    return whole;
  }
}

/** Follows the audit log, as a program does that knows HTTP. */
export class Follower implements AsyncDisposable {
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #reading: Promise<void>;
  readonly #waiting = new Set<() => void>();
  #text = "";
  #ended = false;
  /** It ended, but not as it should. */
  cut = false;

  private constructor(body: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = body.pipeThrough(new TextDecoderStream()).getReader();
    this.#reading = this.#readAll();
  }

  static async open(port: number, headers: Record<string, string> = {}): Promise<Follower> {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`, { headers });
    return new Follower(response.body!);
  }

  /** What came up to now. */
  get text(): string {
    return this.#text;
  }

  /** Lines without the first, and without those that only show life. */
  get lines(): string[] {
    return this.#text.split("\n").slice(1).filter((line) => line !== "");
  }

  /** Resolves when the text matches; rejects when it has ended without. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#text)) {
      if (this.#ended) throw new Error(`ended without ${pattern}: ${this.#text}`);
      await this.#more();
    }
  }

  /** Whether it goes on once that has come. */
  async goesOn(pattern: RegExp): Promise<boolean> {
    while (!this.#ended && !pattern.test(this.#text)) await this.#more();
    return !this.#ended;
  }

  /** All of it, where it comes to an end. */
  async rest(): Promise<string> {
    await this.#reading;
    return this.#text;
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
    });
  }

  async #readAll(): Promise<void> {
    while (!this.#ended) {
      const { value, done } = await this.#reader.read().catch(() => {
        this.cut = true;
        return { value: "", done: true };
      });
      this.#ended ||= done;
      this.#text += value ?? "";
      for (const look of this.#waiting) look();
    }
  }

  /** Goes away. */
  async leave(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
    await this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
  }
}

export interface Curled {
  /** 0: there was no response. */
  readonly status: number;
  readonly body: string;
  /** curl's own; 28: it went on for too long. */
  readonly code: number;
}

/** As a user's curl; a path goes out as it stands here. */
export async function curl(program: string, ...args: string[]): Promise<Curled> {
  const always = ["-q", "-sS", "--path-as-is", "--noproxy", "*", "--max-time", "20"];
  const command = new Deno.Command(program, {
    args: [...always, "-w", "\n%{http_code}", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  });
  const { code, stdout } = await command.output();
  const text = new TextDecoder().decode(stdout);
  const end = text.lastIndexOf("\n");
  return { status: Number(text.slice(end + 1)), body: text.slice(0, end), code };
}
