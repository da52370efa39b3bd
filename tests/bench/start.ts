/**
 * From start to the first 220, resident memory when idle, and the size of the executable; of
 * the one that DINOPOST_EXECUTABLE names, else of the interpreted daemon.
 * `deno task bench start`
 */

import { Client } from "../fakes/client.ts";
import { Daemon, SERVE_DEV } from "../fakes/daemon.ts";

const executable = Deno.env.get("DINOPOST_EXECUTABLE");
const command = executable === undefined ? SERVE_DEV : [executable, "serve", "--dev"];
const settings: Record<string, string> = executable === undefined ? {} : { SMTP_ENV_FILE: "" };
const RUNS = 11;

const times: number[] = [];
const resident: number[] = [];
for (let run = 0; run < RUNS; run++) {
  const start = performance.now();
  await using daemon = await Daemon.start({ command, settings });
  using client = await Client.connect(daemon.port);
  if (!(await client.reply()).startsWith("220 ")) throw new Error("bench: no greeting");
  times.push(performance.now() - start);
  resident.push(memoryOf(daemon.pid));
}

console.log(executable ?? "interpreted");
console.log(`start to first 220   ${spread(times)} ms`);
console.log(`resident when idle   ${spread(resident)} MB`);
if (executable !== undefined) {
  console.log(`executable           ${(Deno.statSync(executable).size / 1e6).toFixed(1)} MB`);
}

function memoryOf(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) * 1024 / 1e6;
}

/** Least, median and most. */
function spread(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)!].map((value) => value.toFixed(1))
    .join(" / ");
}
