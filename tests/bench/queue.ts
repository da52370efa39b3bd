/**
 * A queue of a million recipients: from start to the first 220, resident memory of the daemon,
 * and how long the next hundred that are due take to be claimed. `deno task bench queue`
 */

import { disk } from "../../src/deno/files.ts";
import type { Operation } from "../../src/store/engine.ts";
import { Engine } from "../../src/store/engine.ts";
import { pack } from "../../src/store/commit.ts";
import { Layout } from "../../src/store/layout.ts";
import { openDatabase, prepareFolder } from "../../src/store/spool.ts";
import { Client } from "../fakes/client.ts";
import { Daemon, dinopost } from "../fakes/daemon.ts";
import { entryOf, TestStore } from "../fakes/store.ts";

const RECIPIENTS = 1_000_000;
const PER_MESSAGE = 5;
const DOMAINS = 50_000;
const BATCH = 1_000;
const CLAIMS = 200;

const executable = Deno.env.get("DINOPOST_EXECUTABLE");
const command = executable === undefined ? dinopost("serve") : [executable, "serve"];
const folder = await Deno.makeTempDir();
const spool = `${folder}/spool`;

try {
  fill();
  await startDaemon();
  await claimSome();
} finally {
  await Deno.remove(folder, { recursive: true });
}

/** As many messages as it takes, all queued; a tenth of the recipients are of one domain. */
function fill(): void {
  const layout = new Layout(spool);
  prepareFolder(layout, disk);
  const database = openDatabase(layout.database, disk);
  database.exec("PRAGMA synchronous=OFF");
  const engine = new Engine(database, layout, disk, { viewed: false });
  const text = "Subject: bench\r\n\r\n" + "x".repeat(1_000) + "\r\n";
  const content = new TextEncoder().encode(text);
  const start = performance.now();
  let recipient = 0;
  for (let made = 0; made < RECIPIENTS / PER_MESSAGE; made += BATCH) {
    const operations = Array.from({ length: BATCH }, (): Operation => {
      const to = Array.from({ length: PER_MESSAGE }, () => {
        const number = recipient++;
        return `r${number}@${number % 10 === 0 ? "large" : `d${number % DOMAINS}`}.example`;
      });
      return {
        kind: "commit",
        message: { ...pack(entryOf({ to, text })), limit: undefined, body: { at: 0 } },
      };
    });
    engine.write(operations, content, { time: Date.now(), wall: Date.now() });
  }
  engine.close();
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const size = (Deno.statSync(layout.database).size / 1e6).toFixed(0);
  console.log(`${RECIPIENTS} recipients of ${DOMAINS} domains, made in ${seconds} s, ${size} MB`);
}

async function startDaemon(): Promise<void> {
  const start = performance.now();
  await using daemon = await Daemon.start({
    command,
    settings: {
      SMTP_QUEUE_PATH: spool,
      SMTP_LISTEN: "127.0.0.1",
      SMTP_ALLOW_NETWORKS: "127.0.0.1",
      SMTP_SPOOL_FILES: "false",
      ...(executable !== undefined && { SMTP_ENV_FILE: "" }),
    },
  });
  using client = await Client.connect(daemon.port);
  if (!(await client.reply()).startsWith("220 ")) throw new Error("bench: no greeting");
  const seconds = ((performance.now() - start) / 1000).toFixed(2);
  console.log(`start to first 220       ${seconds} s (aim 5)`);
  const status = Deno.readTextFileSync(`/proc/${daemon.pid}/status`);
  const resident = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) * 1024 / 1e6;
  console.log(`resident                 ${resident.toFixed(0)} MB (aim 200)`);
}

async function claimSome(): Promise<void> {
  const test = await TestStore.open({ folder: spool });
  const times: number[] = [];
  const request = { free: 100, perDestination: 20, busy: [], lease: 3_600_000 };
  for (let i = 0; i < CLAIMS; i++) {
    const start = performance.now();
    const { claims } = await test.store.claim(request);
    times.push(performance.now() - start);
    if (claims.length < 90) throw new Error(`bench: only ${claims.length} claimed`);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor((CLAIMS - 1) * share)].toFixed(1);
  console.log(
    `next 100 due             ${at(0.5)} ms, p95 ${at(0.95)}, most ${at(1)} of ${CLAIMS} (aim 10)`,
  );
  await test.close();
}
