/**
 * A daemon that tells at its end how late its event loop was: a timer of each two milliseconds is
 * held against the clock.
 */

const EVERY = 2;

export class Lateness {
  static readonly command: readonly string[] = [
    Deno.execPath(),
    "run",
    "--quiet",
    "--allow-all",
    new URL(import.meta.url).pathname,
    "serve",
  ];

  static of(output: string): string {
    return /^lateness: (.*)$/m.exec(output)?.[1] ?? "not told";
  }
}

if (import.meta.main) {
  const late: number[] = [];
  let before = performance.now();
  setInterval(() => {
    const now = performance.now();
    late.push(Math.max(0, now - before - EVERY));
    before = now;
  }, EVERY);
  addEventListener("unload", () => {
    late.sort((a, b) => a - b);
    const at = (share: number) => late[Math.floor(share * (late.length - 1))].toFixed(1);
    console.error(`lateness: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, p99.9 ${at(0.999)} ms`);
  });
  await import("../../../src/main.ts");
}
