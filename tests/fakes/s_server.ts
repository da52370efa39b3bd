/**
 * `openssl s_server` as a mail server with TLS from the beginning. The program does nothing but
 * TLS: what it writes on its standard output is what was said inside, and what it reads from its
 * standard input is what it says. The words of SMTP are those of `remote.ts`.
 */

import type { KeyPair } from "../../src/ports/tls.ts";
import { freePort } from "./program.ts";
import { type Carrier, Talk } from "./remote.ts";
import { settled } from "./settled.ts";

export interface Proof extends KeyPair {
  /** Certificates between its own and that of an authority, as PEM. */
  readonly between?: string;
}

export class SecureServer implements AsyncDisposable {
  readonly port: number;
  /** What was said inside, line by line. */
  readonly lines: string[] = [];
  readonly #folder: string;
  readonly #process: Deno.ChildProcess;
  readonly #inside: Inside;
  readonly #complaints: Promise<string>;
  #talking: Promise<void> | undefined;
  #ended = false;

  private constructor(process: Deno.ChildProcess, folder: string, port: number) {
    this.#process = process;
    this.#folder = folder;
    this.port = port;
    this.#inside = new Inside(process);
    this.#complaints = new Response(process.stderr).text();
    this.#complaints.then(() => this.#ended = true);
  }

  /** Resolves once it listens. */
  static async start(
    program: string,
    { cert, key, between }: Proof,
    args: readonly string[] = [],
  ): Promise<SecureServer> {
    const folder = await Deno.makeTempDir();
    const files = { cert, key, ...(between === undefined ? {} : { cert_chain: between }) };
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    const port = freePort();
    const proof = Object.keys(files).flatMap((name) => [`-${name}`, name]);
    const command = new Deno.Command(program, {
      args: ["s_server", "-quiet", "-accept", `127.0.0.1:${port}`, ...proof, ...args],
      cwd: folder,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    });
    const server = new SecureServer(command.spawn(), folder, port);
    try {
      while (!await server.#isThrough()) {
        if (server.#ended) throw new Error(`${program} ended: ${await server.#complaints}`);
        await settled();
      }
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    // Not before: whoever comes first is sent what waits in its input.
    server.#talking = new Talk(server.#inside, server.lines).serve().catch(() => {});
    return server;
  }

  /** Every octet that was said inside, when all is over that began by now. */
  async heard(): Promise<string> {
    await this.#isThrough();
    await this.#end();
    return this.#inside.octets;
  }

  /** It has one visitor at a time: when it has sent this one away, those before have gone. */
  async #isThrough(): Promise<boolean> {
    try {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
      await connection.write(new TextEncoder().encode("no TLS\r\n"));
      while (await connection.read(new Uint8Array(1024)) !== null);
      return true;
    } catch (error) {
      return error instanceof Deno.errors.ConnectionReset;
    }
  }

  async #end(): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#process.status;
    await this.#talking;
    await this.#inside.end();
    await this.#complaints;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** The standard streams of the program, as a connection would be. */
class Inside implements Carrier {
  /** All that came, a character for each octet. */
  octets = "";
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor({ stdin, stdout }: Deno.ChildProcess) {
    this.#reader = stdout.getReader();
    this.#writer = stdin.getWriter();
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#reader.read();
      if (done) return null;
      this.octets += new TextDecoder("latin1").decode(value);
      this.#rest = value;
    }
    const count = Math.min(buffer.length, this.#rest.length);
    buffer.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  async write(octets: Uint8Array): Promise<number> {
    await this.#writer.write(octets);
    return octets.length;
  }

  /** Of a program that has ended: takes what it left behind. */
  async end(): Promise<void> {
    const buffer = new Uint8Array(1024);
    while (await this.read(buffer) !== null);
    await this.#writer.close().catch(() => {});
  }
}
