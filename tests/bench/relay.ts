/**
 * End to end: messages a second from clients over the queue to a relay, all of it durable.
 * smtp-source sends, smtp-sink receives; Postfix does the same in turns, with a queue manager and
 * a client of its own. `deno task bench relay [--messages N]`
 */

import { Daemon, dinopost } from "../fakes/daemon.ts";
import { Postfix } from "../fakes/postfix.ts";
import { find } from "../fakes/tools.ts";

const ROUNDS = 3;
const WARM_UP = 300;
const at = Deno.args.indexOf("--messages");
const MESSAGES = at < 0 ? 5000 : Number(Deno.args[at + 1]);
const SESSIONS = 20;
const SIZE = 4096;
/** Times the rate of Postfix. */
const AIM = 3;

const [source, sink] = ["smtp-source", "smtp-sink"].map((name) => {
  const path = find(name);
  if (path === undefined) throw new Error(`bench: ${name} is not installed`);
  return path;
});

/** A receiver that counts what it has taken. */
class Sink implements AsyncDisposable {
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
async function run(port: number, receiver: Sink, messages: number): Promise<number> {
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

await using receiver = new Sink();
await using daemon = await Daemon.start({
  command: dinopost("serve"),
  settings: {
    SMTP_LISTEN: "127.0.0.1",
    SMTP_HOSTNAME: "localhost",
    SMTP_ALLOW_NETWORKS: "127.0.0.0/8",
    SMTP_REQUIRE_LOCAL_DOMAIN: "false",
    SMTP_RELAY_URL: `smtp://127.0.0.1:${receiver.port}`,
  },
});
await using postfix = await Postfix.start({ to: receiver.port });
for (const port of [daemon.port, postfix.port]) await run(port, receiver, WARM_UP);
const ratios: number[] = [];
for (let round = 1; round <= ROUNDS; round++) {
  const ours = MESSAGES / await run(daemon.port, receiver, MESSAGES);
  const theirs = MESSAGES / await run(postfix.port, receiver, MESSAGES);
  ratios.push(ours / theirs);
  console.log(
    `round ${round}   Dinopost ${ours.toFixed(0).padStart(6)}/s   ` +
      `Postfix ${theirs.toFixed(0).padStart(6)}/s   ratio ${(ours / theirs).toFixed(2)}`,
  );
}
ratios.sort((a, b) => a - b);
console.log(`median ratio ${ratios[Math.floor(ROUNDS / 2)].toFixed(2)}   aim: ${AIM}`);
