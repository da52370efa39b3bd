/** B20: a destination that is too busy gets less at once, and more again as it takes it. */

import assert from "node:assert/strict";
import type { Outcome } from "../../src/mail/outcome.ts";
import { Pace } from "../../src/queue/pace.ts";
import { delivered } from "../fakes/outcomes.ts";

const ALLOWED = 20;
const tooBusy: Outcome = {
  kind: "deferred",
  scope: "session",
  reply: "421 4.7.0 too many connections",
  status: "4.7.0",
};
const dead: Outcome = { ...tooBusy, reply: "connection refused" };

/** How many may be under way to it now. */
const window = (pace: Pace) => new Map(pace.slowed).get("d.example") ?? ALLOWED;

Deno.test("B20 a refusal halves what is under way, each success adds one, up to what is allowed", () => {
  const pace = new Pace();
  assert.equal(window(pace), 20);
  pace.note("d.example", [tooBusy], 20, ALLOWED);
  assert.equal(window(pace), 10);
  pace.note("d.example", [tooBusy], 6, ALLOWED);
  assert.equal(window(pace), 3);
  for (let i = 0; i < 10; i++) pace.note("d.example", [tooBusy], 3, ALLOWED);
  assert.equal(window(pace), 1);
  pace.note("d.example", [delivered], 1, ALLOWED);
  assert.equal(window(pace), 2);
  for (let i = 0; i < 30; i++) pace.note("d.example", [delivered], 1, ALLOWED);
  assert.equal(window(pace), 20);
  assert.deepEqual(pace.slowed, []);
});

Deno.test("B20 a host that is not there is not spared, nor one that refuses a message", () => {
  const pace = new Pace();
  pace.note("d.example", [dead], 20, ALLOWED);
  pace.note(
    "d.example",
    [{ ...tooBusy, scope: "recipient", reply: "450 greylisted" }],
    20,
    ALLOWED,
  );
  assert.equal(window(pace), 20);
});

Deno.test("B20 what is remembered is bounded", () => {
  const pace = new Pace();
  for (let i = 0; i < 5000; i++) pace.note(`d${i}.example`, [tooBusy], 20, ALLOWED);
  assert.equal(pace.slowed.length, 1000);
});
