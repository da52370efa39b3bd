/** `deno task bench NAME`: runs the benchmark of that name. */

const benches = ["session", "start", "store", "accept", "queue", "tls", "relay", "tarpit", "watch"];
const [name] = Deno.args;
if (!benches.includes(name)) {
  console.error(`usage: deno task bench ${benches.join("|")}`);
  Deno.exit(64);
}
await import(`./${name}.ts`);
