/** A server that takes everything, and keeps the octets that it saw, command or content. */

export class Sink implements AsyncDisposable {
  readonly port: number;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #accepting: Promise<void>;
  readonly #open = new Set<Deno.Conn>();
  #seen = "";

  constructor() {
    this.port = this.#listener.addr.port;
    this.#accepting = this.#accept();
  }

  /** What was seen since the last time, an octet a character. */
  take(): string {
    const seen = this.#seen;
    this.#seen = "";
    return seen;
  }

  async #accept(): Promise<void> {
    const sessions: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      connection.setNoDelay(true);
      this.#open.add(connection);
      sessions.push(this.#serve(connection).catch(() => {}));
    }
    await Promise.all(sessions);
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    const say = (text: string) => connection.write(new TextEncoder().encode(text));
    const decoder = new TextDecoder("latin1");
    const buffer = new Uint8Array(64 * 1024);
    let text = "";
    let isContent = false;
    await say("220 sink\r\n");
    for (let count; (count = await connection.read(buffer)) !== null;) {
      const some = decoder.decode(buffer.subarray(0, count));
      this.#seen += some;
      text += some;
      for (let end; (end = text.indexOf(isContent ? "\r\n.\r\n" : "\r\n")) >= 0;) {
        const line = text.slice(0, end);
        text = text.slice(end + (isContent ? 5 : 2));
        if (isContent) await say("250 taken\r\n");
        else if (line === "DATA") await say("354 go\r\n");
        else if (line.startsWith("EHLO")) await say("250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n");
        else await say("250 OK\r\n");
        isContent = !isContent && line === "DATA";
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) {
      try {
        connection.close();
      } catch {
        // The client was quicker.
      }
    }
    await this.#accepting;
  }
}
