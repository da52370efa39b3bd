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
const window = (pace: Pace) =>
  new Map(pace.windows(ALLOWED)).get("d.example") ?? pace.atFirst(ALLOWED);

/** So many that it may have all that is allowed. */
function grown(): Pace {
  const pace = new Pace();
  for (let i = 0; i < ALLOWED; i++) pace.note("d.example", [delivered], 1, ALLOWED);
  return pace;
}

Deno.test("B20 few at first, one more with each success, up to what is allowed", () => {
  const pace = new Pace();
  assert.equal(window(pace), 5);
  pace.note("d.example", [delivered], 5, ALLOWED);
  assert.equal(window(pace), 6);
  assert.equal(window(grown()), 20);
  assert.deepEqual([pace.atFirst(2), pace.windows(3)], [2, [["d.example", 3]]]);
});

Deno.test("B20 a refusal halves what is under way, each success adds one", () => {
  const pace = grown();
  pace.note("d.example", [tooBusy], 20, ALLOWED);
  assert.equal(window(pace), 10);
  pace.note("d.example", [tooBusy], 6, ALLOWED);
  assert.equal(window(pace), 3);
  for (let i = 0; i < 10; i++) pace.note("d.example", [tooBusy], 3, ALLOWED);
  assert.equal(window(pace), 1);
  pace.note("d.example", [delivered], 1, ALLOWED);
  assert.equal(window(pace), 2);
});

Deno.test("B20 whoever was grown begins anew after a rest, whoever was slowed does not", () => {
  const pace = grown();
  pace.rest("d.example");
  assert.equal(window(pace), 5);
  pace.note("d.example", [tooBusy], 5, ALLOWED);
  pace.rest("d.example");
  assert.equal(window(pace), 2);
});

Deno.test("O7 a host that is not there is met by one when it comes back", () => {
  const pace = new Pace();
  for (let i = 0; i < 5; i++) pace.note("d.example", [dead], 5 - i, ALLOWED);
  assert.equal(window(pace), 1);
});

Deno.test("B20 a host that refuses a message is not slowed", () => {
  const pace = grown();
  const greylisted: Outcome = { ...tooBusy, scope: "recipient", reply: "450 greylisted" };
  pace.note("d.example", [greylisted], 20, ALLOWED);
  assert.equal(window(pace), 20);
});

Deno.test("B20 what is remembered is bounded", () => {
  const pace = new Pace();
  for (let i = 0; i < 5000; i++) pace.note(`d${i}.example`, [tooBusy], 20, ALLOWED);
  assert.equal(pace.windows(ALLOWED).length, 1000);
});
