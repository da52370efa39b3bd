/** The daemon as its users run it: a process of its own, spoken to over sockets and signals. */

const ROOT = new URL("../..", import.meta.url).pathname;

export interface Start {
  readonly settings?: Readonly<Record<string, string>>;
  /** Put before the command, as `prlimit --nofile=20`. */
  readonly under?: readonly string[];
  /** Instead of `deno run … src/main.ts serve --dev`. */
  readonly command?: readonly string[];
  /** Its output goes elsewhere, and is not waited for. */
  readonly silent?: boolean;
}

const RUN = [
  Deno.execPath(),
  "run",
  "--quiet",
  "--allow-net",
  "--allow-env",
  "--allow-read",
  "--allow-write",
  "--allow-sys=hostname,statfs,uid,networkInterfaces",
  "src/main.ts",
];
export const SERVE_DEV: readonly string[] = [...RUN, "serve", "--dev"];
export const dinopost = (...args: string[]): readonly string[] => [...RUN, ...args];

/**
 * No test sends mail beyond this machine: where none says where to, nobody listens. Who wants
 * pages enables them: they are served to this machine alone, on a port of their own.
 */
const HERE = {
  SMTP_ENV_FILE: "/dev/null",
  SMTP_RELAY_URL: "smtp://127.0.0.1:1",
  SMTP_HEALTH_DISABLE: "true",
  SMTP_HEALTH_ADDR: "127.0.0.1:0",
  // What is logged is read by tests.
  SMTP_LOG_FORMAT: "text",
};

/** Nothing of the tester's own environment that could be a setting. */
function environment(settings: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("SMTP_"));
  return { ...Object.fromEntries(kept), ...HERE, NO_COLOR: "1", ...settings };
}

/** Runs a command to its end. */
export async function runToEnd(
  [program, ...args]: readonly string[],
  settings: Readonly<Record<string, string>> = {},
  cwd: string = ROOT,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = environment(settings);
  const command = new Deno.Command(program, { args, env, cwd, clearEnv: true, stdin: "null" });
  const { code, stdout, stderr } = await command.output();
  const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

export class Daemon implements AsyncDisposable {
  /** A spool of its own, where the settings name none. */
  readonly #folder: string;
  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  readonly #waiting = new Set<() => void>();
  #output = "";
  #ended = false;

  private constructor(process: Deno.ChildProcess, folder: string) {
    this.#process = process;
    this.#folder = folder;
    this.#reading = Promise.all([this.#follow(process.stdout), this.#follow(process.stderr)])
      .then(() => {
        this.#ended = true;
        for (const look of this.#waiting) look();
      });
  }

  /** Resolves once it listens. */
  static async start(start: Start = {}): Promise<Daemon> {
    const { settings = {}, under = [], command = SERVE_DEV, silent = false } = start;
    const [program, ...args] = [...under, ...command];
    const folder = await Deno.makeTempDir();
    const daemon = new Daemon(
      new Deno.Command(program, {
        args,
        env: environment({ SMTP_PORT: "0", SMTP_QUEUE_PATH: `${folder}/spool`, ...settings }),
        clearEnv: true,
        cwd: ROOT,
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
        // A group of its own: `deno task` has a child.
        detached: true,
      }).spawn(),
      folder,
    );
    try {
      if (!silent) await daemon.says(/^Kept /m);
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
    return daemon;
  }

  get port(): number {
    return Number(/^Send mail to .*?(?::|port )(\d+)(?:[\s,]|$)/m.exec(this.#output)![1]);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Standard output and error, as they came. */
  get output(): string {
    return this.#output;
  }

  get status(): Promise<Deno.CommandStatus> {
    return this.#process.status;
  }

  signal(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** As a terminal does upon Ctrl-C. */
  signalGroup(signal: Deno.Signal): void {
    Deno.kill(-this.#process.pid, signal);
  }

  /** Resolves when the output matches; rejects when it has ended without. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.#output);
      if (found !== null) return found;
      if (this.#ended) throw new Error(`the daemon ended without ${pattern}:\n${this.#output}`);
      await this.#more();
    }
  }

  /** Until it has said this so often. */
  async saysOften(text: string, times: number): Promise<void> {
    while (this.#output.split(text).length <= times) {
      if (this.#ended) throw new Error(`the daemon ended without ${times} times ${text}`);
      await this.#more();
    }
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

  async #follow(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.#output += text;
      for (const look of this.#waiting) look();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      Deno.kill(-this.#process.pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#process.status;
    await this.#reading;
    await Deno.remove(this.#folder, { recursive: true });
  }
}
