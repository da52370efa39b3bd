/**
 * Programs of others that read bounces: Python's email, which tells every defect; perl's
 * Mail::DeliveryStatus::BounceParser and Sisimai; Mailman's flufl.bounce. Each is one process for
 * all that it is to read.
 */

import { find } from "./tools.ts";

/** What Python's email sees. */
export interface Seen {
  /** Anything that is not as it should be. */
  readonly defects: readonly string[];
  readonly type: string;
  readonly report: string;
  readonly preamble: string | null;
  readonly epilogue: string | null;
  readonly fields: readonly Field[];
  readonly parts: readonly (readonly [type: string, encoding: string])[];
  readonly explanation: string;
  /** Of the message first, then of each recipient. */
  readonly groups: readonly (readonly Field[])[];
}

export type Field = readonly [name: string, value: string];

export interface Parsed {
  readonly isBounce: boolean;
  readonly parts: readonly string[];
  readonly about: string | null;
  readonly reports: readonly Readonly<Record<string, string>>[];
}

export type Analysed = readonly Readonly<Record<string, string | null>>[];

export interface Listed {
  readonly delayed: readonly string[];
  readonly failed: readonly string[];
}

interface Kind {
  readonly program: string;
  /** Without them it cannot be had. */
  readonly needs: readonly string[];
  readonly script: string;
}

const KINDS = {
  email: { program: "python3", needs: ["-c", "import email"], script: "bounce_email.py" },
  perl: {
    program: "perl",
    needs: ["-MMail::DeliveryStatus::BounceParser", "-MSisimai", "-e", "1"],
    script: "bounce_parser.pl",
  },
  // The system's own, for which its packages are.
  mailman: {
    program: "/usr/bin/python3",
    needs: ["-c", "import flufl.bounce"],
    script: "bounce_mailman.py",
  },
} satisfies Record<string, Kind>;

export type ReaderKind = keyof typeof KINDS;

export class BounceReader implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #heard = "";

  constructor(kind: ReaderKind) {
    const { program, script } = KINDS[kind];
    this.#process = new Deno.Command(find(program) ?? program, {
      args: [new URL(script, import.meta.url).pathname],
      env: { PYTHONIOENCODING: "utf-8" },
      stdin: "piped",
      stdout: "piped",
      // What it complains of is for whoever runs the test.
      stderr: "inherit",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#output = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  email(octets: Uint8Array, utf8 = false): Promise<Seen> {
    return this.#ask({ octets: octets.toBase64(), utf8 });
  }

  async parsed(octets: Uint8Array): Promise<Parsed> {
    return (await this.#ask<{ read: Parsed }>({ octets: octets.toBase64() })).read;
  }

  async analysed(octets: Uint8Array): Promise<Analysed> {
    const asked = { octets: octets.toBase64(), sisimai: true };
    return (await this.#ask<{ read: Analysed }>(asked)).read;
  }

  listed(octets: Uint8Array): Promise<Listed> {
    return this.#ask({ octets: octets.toBase64() });
  }

  async #ask<Answer>(asked: unknown): Promise<Answer> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify(asked) + "\n"));
    for (;;) {
      const end = this.#heard.indexOf("\n");
      if (end >= 0) {
        const line = this.#heard.slice(0, end);
        this.#heard = this.#heard.slice(end + 1);
        return JSON.parse(line);
      }
      const { value, done } = await this.#output.read();
      if (done) throw new Error("the reader of bounces has ended");
      this.#heard += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#output.cancel();
    await this.#process.status;
  }
}

/** A test of what these see; on a user's machine it is skipped by name where one is missing. */
export function testWithReaders<Names extends ReaderKind>(
  kinds: readonly Names[],
  name: string,
  run: (readers: Readonly<Record<Names, BounceReader>>) => Promise<void>,
): void {
  const missing = kinds.filter((kind) => !isThere(KINDS[kind]));
  if (missing.length > 0 && Deno.env.get("CI") === undefined) {
    const why = `skipped: what reads bounces for ${missing} is not installed`;
    Deno.test({ name: `${name} (${why})`, ignore: true, fn() {} });
    return;
  }
  Deno.test(name, async () => {
    if (missing.length > 0) throw new Error(`what reads bounces for ${missing} is not installed`);
    await using all = new AsyncDisposableStack();
    const readers = kinds.map((kind) => [kind, all.use(new BounceReader(kind))] as const);
    await run(Object.fromEntries(readers) as Record<Names, BounceReader>);
  });
}

function isThere({ program, needs }: Kind): boolean {
  const path = program.startsWith("/") ? program : find(program);
  if (path === undefined) return false;
  try {
    const args = [...needs];
    return new Deno.Command(path, { args, stdin: "null", stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
