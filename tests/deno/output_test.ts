/** Output that a reader does not take: nobody waits, and what is lost is told in its place. */

import assert from "node:assert/strict";
import { Output } from "../../src/deno/output.ts";

/** Takes what is written only when it is let. */
class SlowReader {
  taken = "";
  #let = Promise.withResolvers<void>();

  isTerminal(): boolean {
    return false;
  }

  async write(octets: Uint8Array): Promise<number> {
    await this.#let.promise;
    this.taken += new TextDecoder().decode(octets);
    return octets.length;
  }

  go(): void {
    this.#let.resolve();
  }
}

Deno.test("lines beyond the room are lost, counted, and told behind those that came before them", async () => {
  const reader = new SlowReader();
  const output = new Output(reader);
  output.line("first");
  await Promise.resolve().then(() => {});
  const long = "x".repeat(300_000);
  for (let i = 0; i < 6; i++) output.line(`${i}${long}`);
  reader.go();
  await output.flush(10_000);
  const lines = reader.taken.trimEnd().split("\n").map((line) => line.replace(/x+$/, ""));
  assert.deepEqual(lines, ["first", "0", "1", "2", "(3 lines lost)"]);
});

Deno.test("lines said in one turn leave in one write, in their order", async () => {
  let writes = 0;
  let taken = "";
  const output = new Output({
    isTerminal: () => false,
    write(octets) {
      writes++;
      taken += new TextDecoder().decode(octets);
      return Promise.resolve(octets.length);
    },
  });
  for (const line of ["a", "b", "c"]) output.line(line);
  await output.flush(1000);
  assert.deepEqual([writes, taken], [1, "a\nb\nc\n"]);
});

Deno.test("a reader that never takes anything is not waited for beyond the time", async () => {
  const output = new Output(new SlowReader());
  output.line("unheard");
  await output.flush(1);
});
