/** H7: a reader of the log that comes back, or a disk that has room again, is told what is lost. */

import assert from "node:assert/strict";
import { type Daemon, runToEnd } from "../fakes/daemon.ts";
import { type Line, linesOf } from "../fakes/log_daemon.ts";
import { greeted, mail, MANY, startedWith } from "../fakes/log_flow.ts";
import { testAsRoot, testWith } from "../fakes/tools.ts";

/** What is written into a pipe with a name, by whoever reads it when it pleases. */
class Pipe implements Disposable {
  text = "";
  readonly #file: Deno.FsFile;
  readonly #decoder = new TextDecoder();

  private constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /** Resolves once somebody writes into it. */
  static async open(path: string): Promise<Pipe> {
    return new Pipe(await Deno.open(path, { read: true }));
  }

  /** Reads until it matches, or to the end. */
  async until(pattern: RegExp | "end"): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    while (pattern === "end" || !pattern.test(this.text)) {
      const count = await this.#file.read(buffer);
      if (count === null) return;
      this.text += this.#decoder.decode(buffer.subarray(0, count), { stream: true });
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

async function withPipe(
  mkfifo: string,
  format: string,
  work: (daemon: Daemon, port: number, pipe: Pipe) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/pipe`;
    assert.equal((await runToEnd([mkfifo, path])).code, 0);
    const { daemon: started, port } = await startedWith(`2>${path}`, { SMTP_LOG_FORMAT: format });
    await using daemon = started;
    using pipe = await Pipe.open(path);
    await work(daemon, port, pipe);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

testWith(
  "mkfifo",
  "H7 a reader of JSON that comes back finds JSON, and how much was lost",
  async (mkfifo) => {
    await withPipe(mkfifo, "json", async (daemon, port, pipe) => {
      using client = await greeted(port);
      await mail(client, MANY);
      const LOST = /"event":"lines of the log are lost"[^\n]*\n/;
      await pipe.until(LOST);
      // From now on nothing is lost.
      await mail(client, 2);
      daemon.signal("SIGTERM");
      await pipe.until("end");
      assert.equal((await daemon.status).code, 0);
      const lines = linesOf(pipe.text);
      assert.equal(lines.at(-1)!.event, "stopped");
      const lost = lines.filter(({ event }) => event === "lines of the log are lost");
      assert.ok(lost.length > 0 && lost.every(({ level }) => level === "warning"));
      // Each message is told of in as many lines: those of the last one were all read.
      const ends = lines.flatMap(({ event }, i) => event === "message accepted" ? [i] : []);
      const [before, last] = ends.slice(-2);
      const each = ofSessions(lines.slice(before, last));
      const hello = ofSessions(lines.slice(0, lines.findIndex(({ event }) => event === BEGINS)));
      const seen = ofSessions(lines.slice(0, last)) - hello;
      const told = lost.reduce((sum, { lines }) => sum + Number(lines), 0);
      // What is said in front of the first one, and behind the last, is of no whole message.
      const missing = each * (MANY + 2) - seen - told;
      assert.ok(Math.abs(missing) <= each, `${seen} read, ${told} lost, ${each} for each message`);
    });
  },
);

const BEGINS = "message begins";
const ofSessions = (lines: readonly Line[]) =>
  lines.filter(({ session }) => session !== undefined).length;

testWith(
  "mkfifo",
  "H7 a reader of text that comes back is told how much was lost",
  async (mkfifo) => {
    await withPipe(mkfifo, "text", async (daemon, port, pipe) => {
      using client = await greeted(port);
      await mail(client, MANY);
      await pipe.until(/^[^\n]*lost[^\n]*\n/m);
      await mail(client);
      daemon.signal("SIGTERM");
      await pipe.until("end");
      assert.equal((await daemon.status).code, 0);
      const lines = pipe.text.trimEnd().split("\n");
      assert.match(lines.at(-1)!, / stopped$/);
      const [lost, ...more] = lines.filter((line) => /\blost\b/.test(line));
      assert.match(lost, /^(\S+Z warning: )?.*\b[1-9]\d*\b/);
      assert.ok(more.length < 5);
      for (const line of lines) {
        assert.match(line, /^(\d{4}-\d\d-\d\dT[\d:.]+Z |\(\d+ lines lost\)$)/);
      }
    });
  },
);

testAsRoot(
  "mount",
  "H7 a disk that was full, and has room again, has the log again",
  async (mount) => {
    const folder = await Deno.makeTempDir();
    try {
      await run(mount, "-t", "tmpfs", "-o", "size=512k", "none", folder);
      try {
        const log = `${folder}/log`;
        await Deno.writeFile(`${folder}/filler`, new Uint8Array(256 * 1024));
        const { daemon: started, port } = await startedWith(`2>>${log}`, {
          SMTP_LOG_FORMAT: "json",
        });
        await using daemon = started;
        using client = await greeted(port);
        await mail(client, MANY);
        const { size } = await Deno.stat(log);
        assert.ok(size <= 256 * 1024);
        await Deno.remove(`${folder}/filler`);
        await mail(client, 20);
        daemon.signal("SIGTERM");
        assert.equal((await daemon.status).code, 0);
        const lines = linesOf(await Deno.readTextFile(log));
        const lost = lines.filter(({ event }) => event === "lines of the log are lost");
        assert.ok(lost.length > 0, "nothing was told of what was lost");
        assert.equal(lines.at(-1)!.event, "stopped");
      } finally {
        await run("umount", folder);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

async function run(...command: string[]): Promise<void> {
  const { code, stderr } = await runToEnd(command);
  if (code !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
}
