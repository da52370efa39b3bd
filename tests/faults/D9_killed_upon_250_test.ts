/**
 * D9: the sink kills the daemon around the moment in which it takes a message. What it has
 * taken may come once more, what it has not taken must come; and then it has left the queue.
 */

import assert from "node:assert/strict";
import { Chance, newSeed } from "../crash/chance.ts";
import { letterOf } from "../crash/letter.ts";
import { type Acknowledged, handIn } from "../crash/load.ts";
import { Run } from "../crash/run.ts";
import type { Moment } from "../crash/session.ts";
import { Sink } from "../crash/sink.ts";
import { judgeMail, judgeSpool } from "../crash/verdict.ts";
import { Client } from "../fakes/client.ts";

/** Milliseconds: a queue that is not empty by then never will be. */
const PATIENCE = 20_000;

Deno.test("D9 killed before it was taken, a message comes once", async () => {
  assert.deepEqual(await arrivals("before it is taken", 4), [1, 1, 1, 1]);
});

Deno.test("D9 killed before the remote's 250, a message comes once more", async () => {
  assert.deepEqual(await arrivals("before 250", 4), [2, 2, 2, 2]);
});

Deno.test("D9 killed upon the remote's 250, a message comes at most once more", async () => {
  const found = await arrivals("upon 250", 10);
  assert(found.every((times) => times === 1 || times === 2), found.join());
});

/** How often each of some messages came, with the daemon killed at this moment of each. */
async function arrivals(moment: Moment, messages: number): Promise<number[]> {
  const chance = new Chance(newSeed());
  const work = await Deno.makeTempDir();
  const spool = `${work}/spool`;
  const ledger: Acknowledged[] = [];
  const sums = new Map<string, string>();
  await using sink = new Sink(chance, { isCalm: true });
  let run: Run | undefined;
  try {
    for (let number = 1; number <= messages; number++) {
      const target = run = await emptied({ number, sink, spool });
      const killed = sink.strike({ moment, run: number, strike: () => target.strike() });
      const letter = letterOf(`key-${number}`, chance);
      const recipients = letter.recipients.slice(0, 1);
      sums.set(letter.key, letter.sum);
      using client = await Client.greeted(await run.ready);
      await client.ask("EHLO client.example");
      const answer = await handIn(client, { ...letter, recipients });
      assert("id" in answer, JSON.stringify(answer));
      const { key, octets } = letter;
      ledger.push({ key, id: answer.id, recipients, octets: octets.length });
      await killed;
      assert.equal((await run.kill()).signal, "SIGKILL");
    }
    run = await emptied({ number: messages + 1, sink, spool });
    assert.equal((await run.stop()).code, 0);
    const { receipts, complaints } = sink;
    assert.deepEqual([...complaints, ...judgeMail({ ledger, sums }, receipts).problems], []);
    assert.deepEqual(await judgeSpool(spool, { ledger, sums }), []);
    return ledger.map(({ key }) => receipts.filter((receipt) => receipt.key === key).length);
  } finally {
    await run?.kill();
    await Deno.remove(work, { recursive: true });
  }
}

/** A daemon that has delivered what the last one left. */
async function emptied(
  { number, sink, spool }: { number: number; sink: Sink; spool: string },
): Promise<Run> {
  const run = new Run({ number, sink: sink.port, spool });
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("its queue does not become empty")), PATIENCE);
  try {
    await Promise.race([run.drained(sink), late]);
    return run;
  } catch (error) {
    await run.kill();
    throw new Error(`daemon ${number}: ${run.complaints}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
