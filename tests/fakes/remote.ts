/** A server of others on loopback, that does just what a test tells it to; never more. */

export interface Heard {
  /** Lines of all its sessions, in their order. */
  readonly lines: string[];
}

/** What a session goes over: a connection, or the standard streams of a program that has one. */
export type Carrier = Pick<Deno.Conn, "read" | "write">;

/** One session: what it says and hears. */
export class Talk {
  readonly #connection: Carrier;
  readonly #heard: string[];
  #text = "";

  constructor(connection: Carrier, heard: string[]) {
    this.#connection = connection;
    this.#heard = heard;
  }

  async say(text: string): Promise<void> {
    await this.#connection.write(new TextEncoder().encode(text));
  }

  /** The next line, without its end; `undefined` when the client has gone. */
  async line(): Promise<string | undefined> {
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const end = this.#text.indexOf("\r\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        this.#heard.push(line);
        return line;
      }
      const count = await this.#connection.read(buffer).catch(() => null);
      if (count === null) return undefined;
      this.#text += new TextDecoder("latin1").decode(buffer.subarray(0, count));
    }
  }

  /** A message up to its dot. */
  async content(): Promise<string[]> {
    const lines: string[] = [];
    for (let line; (line = await this.line()) !== undefined && line !== ".";) lines.push(line);
    return lines;
  }

  /** Plays the server that everybody expects, but where `answers` say something else. */
  async serve(answers: Readonly<Record<string, string | undefined>> = {}): Promise<void> {
    await this.say(answers.greeting ?? "220 remote ESMTP\r\n");
    for (let line; (line = await this.line()) !== undefined;) {
      const verb = line.split(/[ :]/)[0].toUpperCase();
      const answer = answers[line] ?? answers[verb] ?? USUAL[verb] ?? "500 5.5.1 what\r\n";
      await this.say(answer);
      if (verb === "QUIT" || answer.startsWith("421")) return;
      if (verb !== "DATA" || !answer.startsWith("354")) continue;
      await this.content();
      await this.say(answers.content ?? "250 2.0.0 taken\r\n");
      if (answers.content?.startsWith("421")) return;
    }
  }
}

const USUAL: Record<string, string> = {
  EHLO: "250-remote\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
  HELO: "250 remote\r\n",
  MAIL: "250 2.1.0 OK\r\n",
  RCPT: "250 2.1.5 OK\r\n",
  DATA: "354 go\r\n",
  RSET: "250 2.0.0 OK\r\n",
  QUIT: "221 2.0.0 bye\r\n",
};

export class Remote implements AsyncDisposable, Heard {
  readonly port: number;
  readonly lines: string[] = [];
  sessions = 0;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.Conn>();
  readonly #accepting: Promise<void>;
  readonly #talking: Promise<void>[] = [];

  constructor(
    talk: (talk: Talk, session: number) => Promise<void>,
    hostname = "127.0.0.1",
    port = 0,
  ) {
    this.#listener = Deno.listen({ hostname, port });
    this.port = this.#listener.addr.port;
    this.#accepting = this.#accept(talk);
  }

  async #accept(talk: (talk: Talk, session: number) => Promise<void>): Promise<void> {
    for await (const connection of this.#listener) {
      connection.setNoDelay(true);
      this.#open.add(connection);
      const talking = talk(new Talk(connection, this.lines), ++this.sessions)
        // A client that has gone is no fault of the script.
        .catch(() => {})
        .finally(() => this.#close(connection));
      this.#talking.push(talking);
    }
  }

  #close(connection: Deno.Conn): void {
    if (this.#open.delete(connection)) connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of [...this.#open]) this.#close(connection);
    await this.#accepting.catch(() => {});
    await Promise.all(this.#talking);
  }
}
