/** The daemon with its log as JSON: each line an event, standard error apart from standard output. */

import assert from "node:assert/strict";
import { Daemon, SERVE_DEV } from "./daemon.ts";
import { settled } from "./settled.ts";

/** A line as a program reads it. */
export interface Line {
  readonly time: string;
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

/** What begins and ends the audit log. */
export const AUDIT_SIGNAL: Deno.Signal = "SIGUSR2";

export type Fields = Readonly<Record<string, unknown>>;

const LEVELS = ["debug", "info", "warning", "error"];

/** Each line of a log; fails where one is none. */
export function linesOf(log: string): Line[] {
  assert.ok(log === "" || log.endsWith("\n"), `the last line has no end: ${log.slice(-200)}`);
  return log.split("\n").slice(0, -1).map((text) => {
    let line: Line;
    try {
      line = JSON.parse(text);
    } catch {
      throw new Error(`a line is no JSON: ${text}`);
    }
    const { time, level, event } = line;
    assert.equal(new Date(time).toISOString(), time, text);
    assert.ok(LEVELS.includes(level), text);
    assert.ok(typeof event === "string" && event !== "", text);
    return line;
  });
}

const has = (line: Line, fields: Fields) =>
  Object.entries(fields).every(([name, value]) =>
    value instanceof RegExp ? value.test(String(line[name])) : line[name] === value
  );

export class LogDaemon implements AsyncDisposable {
  readonly #daemon: Daemon;
  /** Of this daemon alone: its spool, its settings file, what it writes on standard output. */
  readonly folder: string;

  private constructor(daemon: Daemon, folder: string) {
    this.#daemon = daemon;
    this.folder = folder;
  }

  /** Resolves once it listens. `file`: what stands in its settings file. */
  static async start(
    settings: Readonly<Record<string, string>> = {},
    file: Readonly<Record<string, string>> = {},
  ): Promise<LogDaemon> {
    const folder = await Deno.makeTempDir();
    await writeSettings(folder, file);
    const command = `exec ${SERVE_DEV.join(" ")} >"$OUTPUT"`;
    const daemon = await Daemon.start({
      command: ["bash", "-c", command],
      settings: {
        OUTPUT: `${folder}/output`,
        SMTP_MODE: "relay",
        SMTP_MIN_FREE: "0B",
        SMTP_LOG_FORMAT: "json",
        SMTP_QUEUE_PATH: `${folder}/spool`,
        SMTP_ENV_FILE: `${folder}/settings`,
        ...settings,
      },
      silent: true,
    });
    const started = new LogDaemon(daemon, folder);
    try {
      await started.says("started");
      return started;
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Standard error: whole lines. */
  get log(): string {
    const { output } = this.#daemon;
    return output.slice(0, output.lastIndexOf("\n") + 1);
  }

  get lines(): Line[] {
    return linesOf(this.log);
  }

  /** Of one kind, with these fields. */
  all(event: string, fields: Fields = {}): Line[] {
    return this.lines.filter((line) => line.event === event && has(line, fields));
  }

  /** Standard output. */
  get printed(): Promise<string> {
    return Deno.readTextFile(`${this.folder}/output`);
  }

  get port(): number {
    return this.#portOf("smtp");
  }

  get tlsPort(): number {
    return this.#portOf("smtps");
  }

  get httpPort(): number {
    return this.#portOf("http");
  }

  /** Where it is IPv4. */
  #portOf(what: string): number {
    const [{ [what]: places }] = this.all("started");
    return Number(/127\.0\.0\.1:(\d+)/.exec(String(places))![1]);
  }

  get pid(): number {
    return this.#daemon.pid;
  }

  signal(signal: Deno.Signal): void {
    this.#daemon.signal(signal);
  }

  /** Resolves with the first line of this event, the fields of which match; or the `count`th. */
  async says(event: string, fields: Fields = {}, count = 1): Promise<Line> {
    const found = () => this.all(event, fields)[count - 1];
    await this.#until(() => found() !== undefined, `${event} ${JSON.stringify(fields)}`);
    return found();
  }

  /** Resolves when the log matches, as it is. */
  async matches(pattern: RegExp): Promise<void> {
    await this.#daemon.says(pattern);
  }

  /** Has it read its settings file again, with this in it. */
  async reload(file: Readonly<Record<string, string>>): Promise<void> {
    const heard = () => this.lines.filter(({ event }) => /^settings /.test(event)).length;
    const before = heard();
    await writeSettings(this.folder, file);
    this.signal("SIGHUP");
    await this.#until(() => heard() > before, "settings read again");
  }

  /** Looks whenever it has said something. */
  async #until(holds: () => boolean, what: string): Promise<void> {
    const exec = () => holds() ? /^/.exec("") : null;
    await this.#daemon.says(Object.assign(new RegExp(RegExp.escape(what)), { exec }));
  }

  /** The names of messages in its spool, once there are so many; they are written behind it. */
  async names(count: number): Promise<string[]> {
    const spool = `${this.folder}/spool`;
    for (;;) {
      const days = [...Deno.readDirSync(spool)].filter(({ name }) => /^[-\d]{10}$/.test(name));
      const names = days.flatMap(({ name }) => [...Deno.readDirSync(`${spool}/${name}`)]);
      if (names.length >= count) return names.map(({ name }) => name);
      await settled();
    }
  }

  /** Ends it in good order; then everything it said is there. */
  async stop(): Promise<void> {
    this.signal("SIGTERM");
    assert.equal((await this.#daemon.status).code, 0, this.log);
    await this.says("stopped");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function writeSettings(folder: string, file: Readonly<Record<string, string>>) {
  const lines = Object.entries(file).map(([name, value]) => `${name}=${value}\n`);
  await Deno.writeTextFile(`${folder}/settings`, lines.join(""));
}
