/** aiosmtpd, a server in Python, as a receiver: a process of its own for one test. */

import { writePair } from "./certificate.ts";
import type { Heard, Received, Receiver, Rules } from "./smtp_server.ts";

const SCRIPT = new URL("aiosmtpd_receiver.py", import.meta.url).pathname;

/** One of them. */
interface Told {
  readonly port?: number;
  readonly command?: string;
  readonly message?: Received;
}

export class Aiosmtpd implements Receiver {
  #port: number | undefined;
  readonly #folder: string;
  readonly #process: Deno.ChildProcess;
  readonly #messages: Received[] = [];
  readonly #commands: string[] = [];
  readonly #listens = Promise.withResolvers<void>();
  readonly #reading: Promise<void>;

  private constructor(process: Deno.ChildProcess, folder: string) {
    this.#process = process;
    this.#folder = folder;
    // As it comes: a full pipe would stop it.
    this.#reading = this.#read(process.stdout).finally(this.#listens.resolve);
  }

  /** `program`: that of the package, which knows its Python. Resolves once it listens. */
  static async start(program: string, rules: Rules = {}): Promise<Aiosmtpd> {
    const folder = await Deno.makeTempDir();
    if (rules.pair !== undefined) await writePair(folder, rules.pair);
    const [python, ...options] = interpreterOf(program);
    const command = new Deno.Command(python, {
      args: [...options, SCRIPT, JSON.stringify(rules)],
      cwd: folder,
      stdin: "null",
      stdout: "piped",
      // What Python complains of is for whoever runs the test.
      stderr: "inherit",
    });
    const receiver = new Aiosmtpd(command.spawn(), folder);
    await receiver.#listens.promise;
    if (receiver.#port !== undefined) return receiver;
    await receiver[Symbol.asyncDispose]();
    throw new Error(`${program} does not listen`);
  }

  get port(): number {
    return this.#port!;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let text = "";
    for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (text + piece).split("\n");
      text = lines.pop()!;
      for (const line of lines) this.#hear(JSON.parse(line));
    }
  }

  #hear({ port, message, command }: Told): void {
    if (message !== undefined) this.#messages.push(message);
    if (command !== undefined) this.#commands.push(command);
    if (port === undefined) return;
    this.#port = port;
    this.#listens.resolve();
  }

  async end(): Promise<Heard> {
    try {
      this.#process.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
    await this.#process.status;
    await this.#reading;
    return { messages: this.#messages, commands: this.#commands };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

function interpreterOf(program: string): string[] {
  return Deno.readTextFileSync(program).split("\n", 1)[0].slice("#!".length).trim().split(" ");
}
