/** A client that says just what it is told to, octet by octet if it must be. */

export class Client implements Disposable {
  #connection: Deno.Conn;
  #heard = "";

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  static async connect(port: number, hostname = "127.0.0.1"): Promise<Client> {
    const connection = await Deno.connect({ hostname, port });
    // What is sent octet by octet shall arrive so.
    connection.setNoDelay(true);
    return new Client(connection);
  }

  /** Connects and shakes hands; the server must prove that it is `localhost`. */
  static async overTls(port: number, ca: string): Promise<Client> {
    const client = await Client.connect(port);
    try {
      await client.startTls(ca);
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** Connects and takes the greeting. */
  static async greeted(port: number): Promise<Client> {
    const client = await Client.connect(port);
    await client.reply();
    return client;
  }

  /** Shakes hands now. What the server said before must have been taken: none of it counts on. */
  async startTls(ca: string): Promise<void> {
    if (this.#heard !== "") throw new Error(`start TLS: the server said more: ${this.#heard}`);
    const plain = this.#connection as Deno.TcpConn;
    const secure = await Deno.startTls(plain, { hostname: "localhost", caCerts: [ca] });
    this.#connection = secure;
    await secure.handshake();
  }

  async send(octets: string | Uint8Array): Promise<void> {
    let left = typeof octets === "string" ? new TextEncoder().encode(octets) : octets;
    while (left.length > 0) left = left.subarray(await this.#connection.write(left));
  }

  /** The next whole reply, its lines joined by line feeds; what there is when the server closes. */
  async reply(): Promise<string> {
    for (;;) {
      const whole = /^(?:\d{3}-[^\r\n]*\r\n)*\d{3}(?: [^\r\n]*)?\r\n/.exec(this.#heard);
      if (whole !== null) {
        this.#heard = this.#heard.slice(whole[0].length);
        return whole[0].trimEnd().replaceAll("\r\n", "\n");
      }
      if (!await this.#hear()) {
        const rest = this.#heard;
        this.#heard = "";
        return rest;
      }
    }
  }

  async ask(line: string): Promise<string> {
    await this.send(line + "\r\n");
    return await this.reply();
  }

  /** Everything until the server closes. */
  async rest(): Promise<string> {
    while (await this.#hear());
    const rest = this.#heard;
    this.#heard = "";
    return rest;
  }

  /** What the server says next, whatever it is; empty when it closes. */
  async some(): Promise<string> {
    if (this.#heard === "") await this.#hear();
    const some = this.#heard;
    this.#heard = "";
    return some;
  }

  async #hear(): Promise<boolean> {
    const buffer = new Uint8Array(64 * 1024);
    const count = await this.#connection.read(buffer);
    if (count === null) return false;
    this.#heard += new TextDecoder().decode(buffer.subarray(0, count));
    return true;
  }

  /** Hello and an envelope, so that DATA may follow. */
  async ready(): Promise<void> {
    await this.ask("EHLO client.example");
    await this.ask("MAIL FROM:<a@example.com>");
    await this.ask("RCPT TO:<b@example.net>");
  }

  async closeWrite(): Promise<void> {
    await this.#connection.closeWrite();
  }

  close(): void {
    try {
      this.#connection.close();
    } catch {
      // Closed before.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
