/** Mail from smtp-source through something to smtp-sink, and how long it takes. */

import { find } from "../../fakes/tools.ts";

const SESSIONS = 20;
const SIZE = 4096;

const [source, sink] = ["smtp-source", "smtp-sink"].map((name) => {
  const path = find(name);
  if (path === undefined) throw new Error(`bench: ${name} is not installed`);
  return path;
});

/** A receiver that counts what it has taken. */
export class Sink implements AsyncDisposable {
  readonly port: number;
  taken = 0;
  readonly #process: Deno.ChildProcess;
  readonly #counting: Promise<void>;

  constructor() {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = listener.addr.port;
    listener.close();
    const user = Deno.uid() === 0 ? ["-u", "postfix"] : [];
    this.#process = new Deno.Command(sink, {
      args: [...user, "-c", `127.0.0.1:${this.port}`, "1000"],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#counting = this.#count();
  }

  /** It writes its counts over each other on one line: `sess=1 quit=0 mesg=7`. */
  async #count(): Promise<void> {
    let text = "";
    for await (const part of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      text = (text + part).slice(-200);
      const counts = [...text.matchAll(/mesg=(\d+)/g)];
      if (counts.length > 0) this.taken = Number(counts.at(-1)![1]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill();
    await this.#process.status;
    await this.#counting;
  }
}

/** Seconds from the first that is sent until the last is received. */
export async function run(port: number, receiver: Sink, messages: number): Promise<number> {
  const before = receiver.taken;
  const start = performance.now();
  const { success } = await new Deno.Command(source, {
    args: [
      ...["-s", `${SESSIONS}`, "-l", `${SIZE}`, "-m", `${messages}`, "-d"],
      ...["-f", "a@example.com", "-t", "b@example.invalid", `127.0.0.1:${port}`],
    ],
    signal: AbortSignal.timeout(300_000),
  }).output();
  if (!success) throw new Error("bench: smtp-source failed");
  for (let waits = 0; receiver.taken - before < messages; waits++) {
    if (waits > 6000) throw new Error(`bench: ${receiver.taken - before} of ${messages} received`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return (performance.now() - start) / 1000;
}
