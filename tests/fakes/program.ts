/** A server of others, for one test: in the foreground, in a folder of its own, ended with the test. */

import { settled } from "./settled.ts";

export interface Start {
  readonly program: string;
  /** By name; they are in the folder in which it runs. */
  readonly files: Readonly<Record<string, string>>;
  readonly args: (folder: string) => readonly string[];
  /** On loopback, where it is to listen. */
  readonly port: number;
}

/**
 * One that nobody listens on now, over TCP or UDP. It is none of those that the system gives to
 * connections of its own choice: they would take it before the server does.
 */
export function freePort(): number {
  const hostname = "127.0.0.1";
  const port = 20_000 + Math.floor(Math.random() * 10_000);
  try {
    using _ = Deno.listen({ hostname, port });
    Deno.listenDatagram({ transport: "udp", hostname, port }).close();
    return port;
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    return freePort();
  }
}

export class Program implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #process: Deno.ChildProcess;
  readonly #said: Promise<string>;
  #ended = false;

  private constructor(process: Deno.ChildProcess, folder: string, port: number) {
    this.#process = process;
    this.#folder = folder;
    this.port = port;
    this.#said = new Response(process.stderr).text();
    this.#said.then(() => this.#ended = true);
  }

  /** Resolves once it listens. */
  static async start({ program, files, args, port }: Start): Promise<Program> {
    const folder = await Deno.makeTempDir();
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    const command = new Deno.Command(program, {
      args: [...args(folder)],
      cwd: folder,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    });
    const started = new Program(command.spawn(), folder, port);
    try {
      while (!await listens(port)) {
        if (started.#ended) throw new Error(`${program} ended: ${await started.#said}`);
        await settled();
      }
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw error;
    }
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#process.status;
    await this.#said;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

async function listens(port: number): Promise<boolean> {
  try {
    using _ = await Deno.connect({ hostname: "127.0.0.1", port });
    return true;
  } catch {
    return false;
  }
}
