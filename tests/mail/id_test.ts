import assert from "node:assert/strict";
import { CHANCE, newId } from "../../src/mail/id.ts";

Deno.test("ids sort by time, and differ by chance", () => {
  const none = new Uint8Array(CHANCE);
  const some = crypto.getRandomValues(new Uint8Array(CHANCE));
  const times = [0, 1, 31, 32, 1e12, 1.7e12, 1.7e12 + 1, 1e14];
  const ids = times.map((time) => newId(time, some));
  assert.deepEqual(ids.toSorted(), ids);
  for (const id of ids) assert.match(id, /^[0-9a-hjkmnp-tv-z]{20}$/);
  assert.notEqual(newId(1, none), newId(1, some));
});
