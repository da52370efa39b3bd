/** When what was deferred is tried again. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { retryDelay } from "../../src/queue/schedule.ts";

const MINUTE = 60_000;

Deno.test("S22 1, 2, 4, 8, 16, 32, 64 minutes, and then 64 for ever", () => {
  const minutes = Array.from({ length: 9 }, (_, i) => retryDelay(i + 1, 0) / MINUTE);
  assert.deepEqual(minutes, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
  assert.equal(retryDelay(10_000, 0), 64 * MINUTE);
});

Deno.test("S22 and up to a quarter more, by chance", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 500 }), fc.double({ min: 0, max: 1 }), (n, c) => {
    if (Number.isNaN(c)) return;
    const least = retryDelay(n, 0);
    const delay = retryDelay(n, c);
    assert.ok(delay >= least && delay <= least * 1.25);
  }));
  assert.equal(retryDelay(1, 1), 75_000);
});
