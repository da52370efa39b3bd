/**
 * The accounting: whatever happens to messages, in whatever order, every recipient that was
 * ever accepted or generated is in one place, and the tally says the same as the rows.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Claim, RecipientState, Store, Tally } from "../../src/ports/store.ts";
import { deferred, delivered, failed, settleAll } from "../fakes/outcomes.ts";
import { entryOf, TestStore } from "../fakes/store.ts";

const OUTCOMES = { delivered, deferred, failed };

/** What FAULTS would have: nothing lost, nothing counted twice. */
function assertBalanced(tally: Tally): void {
  const { accepted, generated, delivered, failed, queued, held, captured } = tally;
  const { dropped, quarantined, bounced, unbounced } = tally;
  assert.equal(
    accepted + generated,
    delivered + failed + queued + held + captured + dropped + quarantined,
  );
  assert.equal(failed, bounced + unbounced);
}

async function assertSaysWhatRowsSay(store: Store): Promise<void> {
  const counts: Partial<Record<RecipientState, number>> = {};
  for (const { recipients } of await store.list({ limit: 10_000 })) {
    for (const { state } of recipients) counts[state] = (counts[state] ?? 0) + 1;
  }
  const tally = await store.stats();
  for (const state of ["queued", "held", "captured", "delivered", "failed", "dropped"] as const) {
    assert.equal(tally[state], counts[state] ?? 0, state);
  }
}

const action = fc.oneof(
  fc.record({
    kind: fc.constant("commit" as const),
    state: fc.constantFrom("queued" as const, "held" as const, "captured" as const),
    to: fc.array(fc.constantFrom("a@x.example", "b@x.example", "c@y.example"), {
      minLength: 1,
      maxLength: 3,
    }),
  }),
  fc.record({ kind: fc.constant("claim" as const), free: fc.integer({ min: 1, max: 9 }) }),
  fc.record({
    kind: fc.constant("settle" as const),
    how: fc.constantFrom("delivered" as const, "deferred" as const, "failed" as const),
    bounced: fc.boolean(),
    generates: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("order" as const),
    order: fc.constantFrom("hold", "release", "drop", "requeue"),
    domain: fc.constantFrom("x.example", "y.example"),
  }),
  fc.record({ kind: fc.constant("reopen" as const) }),
);

Deno.test("the accounting holds after whatever happens, and says what the rows say", async () => {
  const actions = fc.array(action, { minLength: 5, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(actions, async (actions) => {
      await using test = await TestStore.open();
      const claims: Claim[] = [];
      for (const action of actions) {
        await carryOut(test, action, claims);
        assertBalanced(await test.store.stats());
      }
      await assertSaysWhatRowsSay(test.store);
    }),
    { numRuns: 15 },
  );
});

async function carryOut(
  test: TestStore,
  action: typeof arbitrary,
  claims: Claim[],
): Promise<void> {
  const { store } = test;
  switch (action.kind) {
    case "commit":
      return await store.commit(entryOf({ to: action.to }, { state: action.state }));
    case "claim": {
      const request = { free: action.free, perDestination: 9, busy: [], lease: 9e9 };
      claims.push(...(await store.claim(request)).claims);
      return;
    }
    case "settle": {
      const claim = claims.shift();
      if (claim === undefined) return;
      const { bounced } = action;
      if (!action.generates) {
        return await settleAll(store, claim, OUTCOMES[action.how], { bounced, due: 0 });
      }
      const { message, lease, recipients } = claim;
      const attempt = { at: Date.now(), outcome: failed };
      return await store.settle({
        message,
        lease,
        recipients: recipients.map(({ position }) => ({
          position,
          attempt,
          state: "failed",
          bounced,
        })),
        generated: [entryOf({ from: "" }, { origin: "generated" })],
      });
    }
    case "order":
      await store[action.order as "hold"]({ domain: action.domain });
      return;
    case "reopen":
      claims.length = 0;
      return await test.reopen();
  }
}

const [arbitrary] = fc.sample(action, 1);
