/**
 * End to end: messages a second from clients over the queue to a relay, all of it durable.
 * smtp-source sends, smtp-sink receives; Postfix does the same in turns, with a queue manager and
 * a client of its own. With `--dkim`: signed, beside the same without signatures.
 * `deno task bench relay [--messages N] [--dkim]`
 */

import { Daemon, dinopost } from "../fakes/daemon.ts";
import { Postfix } from "../fakes/postfix.ts";
import { run, Sink } from "./relay/flow.ts";
import { Lateness } from "./relay/lateness.ts";

const ROUNDS = 5;
const WARM_UP = 1000;
const at = Deno.args.indexOf("--messages");
const MESSAGES = at < 0 ? 5000 : Number(Deno.args[at + 1]);
/** Times the rate of Postfix. */
const AIM = 3;

await using receiver = new Sink();

/** Its relay is the receiver. */
function daemonWith(settings: Record<string, string> = {}, command = dinopost("serve")) {
  return Daemon.start({
    command,
    settings: {
      SMTP_LISTEN: "127.0.0.1",
      SMTP_HOSTNAME: "localhost",
      SMTP_ALLOW_NETWORKS: "127.0.0.0/8",
      SMTP_REQUIRE_LOCAL_DOMAIN: "false",
      SMTP_RELAY_URL: `smtp://127.0.0.1:${receiver.port}`,
      ...settings,
    },
  });
}

const rate = async (port: number) => MESSAGES / await run(port, receiver, MESSAGES);
const shown = (rate: number) => `${rate.toFixed(0).padStart(6)}/s`;
const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

if (Deno.args.includes("--dkim")) await besideUnsigned();
else await besidePostfix();

async function besidePostfix(): Promise<void> {
  await using daemon = await daemonWith();
  await using postfix = await Postfix.start({ to: receiver.port });
  for (const { port } of [daemon, postfix]) await run(port, receiver, WARM_UP);
  const ratios: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const ours = await rate(daemon.port);
    const theirs = await rate(postfix.port);
    ratios.push(ours / theirs);
    console.log(
      `round ${round}   Dinopost ${shown(ours)}   Postfix ${shown(theirs)}   ` +
        `ratio ${(ours / theirs).toFixed(2)}`,
    );
  }
  console.log(`median ratio ${median(ratios).toFixed(2)}   aim: ${AIM}`);
}

async function besideUnsigned(): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [kind, ...option] of [["ed25519", "--ed25519"], ["rsa"]]) {
      const [program, ...args] = dinopost("dkim", "keygen", "--keys", `${folder}/${kind}`);
      const made = new Deno.Command(program, { args: [...args, ...option, "example.com", "s"] });
      if (!(await made.output()).success) throw new Error("bench: no key could be made");
    }
    await using unsigned = await daemonWith();
    await using ed25519 = await daemonWith({ SMTP_DKIM_KEYS: `${folder}/ed25519` });
    await using rsa = await daemonWith({ SMTP_DKIM_KEYS: `${folder}/rsa` }, Lateness.command);
    const daemons = { unsigned, ed25519, rsa };
    for (const { port } of Object.values(daemons)) await run(port, receiver, WARM_UP);
    const ratios = { ed25519: [] as number[], rsa: [] as number[] };
    for (let round = 1; round <= ROUNDS; round++) {
      const bare = await rate(unsigned.port);
      let line = `round ${round}   unsigned ${shown(bare)}`;
      for (const kind of ["ed25519", "rsa"] as const) {
        const signed = await rate(daemons[kind].port);
        ratios[kind].push(signed / bare);
        line += `   ${kind} ${shown(signed)} ${(signed / bare).toFixed(2)}`;
      }
      console.log(line);
    }
    rsa.signal("SIGTERM");
    await rsa.status;
    console.log(`median ratio ed25519 ${median(ratios.ed25519).toFixed(2)}   aim: 0.85`);
    console.log(
      `median ratio rsa ${median(ratios.rsa).toFixed(2)}   alone: ${await alone()}/s signed`,
    );
    console.log(`event loop late beside rsa: ${Lateness.of(rsa.output)}   aim: p99.9 20 ms`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** How many RSA signatures a second this machine makes, doing nothing else. */
async function alone(): Promise<string> {
  const name = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const { privateKey } = await crypto.subtle.generateKey(
    { ...name, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
    false,
    ["sign"],
  ) as CryptoKeyPair;
  const octets = new Uint8Array(512);
  const start = performance.now();
  let signed = 0;
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (; performance.now() - start < 2000; signed++) {
      await crypto.subtle.sign(name, privateKey, octets);
    }
  }));
  return (signed / (performance.now() - start) * 1000).toFixed(0);
}
