/** B8: how many messages a client may send, and a user; and how many may wait in the queue. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { Limiter, Rates } from "../../src/inbound/rates.ts";
import type { Client } from "../fakes/client.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { heapGrowth } from "../fakes/memory.ts";
import { IPV4, IPV6 } from "../fakes/proxy.ts";
import { TestRelay } from "../fakes/relay.ts";

const MINUTE = 60_000;

Deno.test("B8 so often at once, and again one by one as time passes", () => {
  const clock = new TurnedClock();
  const limiter = new Limiter({ count: 3, period: MINUTE }, clock);
  const takes = () => [1, 2, 3, 4].map(() => limiter.take("a"));
  assert.deepEqual(takes(), [true, true, true, false]);
  clock.turn(MINUTE / 3 - 1);
  assert.equal(limiter.take("a"), false);
  clock.turn(1);
  assert.deepEqual(takes(), [true, false, false, false]);
  clock.turn(2 * MINUTE / 3);
  assert.deepEqual(takes(), [true, true, false, false]);
  // However long nothing happened, no more is saved up than this.
  clock.turn(1000 * MINUTE);
  assert.deepEqual(takes(), [true, true, true, false]);
});

Deno.test("B8 asking takes nothing, and neither does being refused", () => {
  const clock = new TurnedClock();
  const limiter = new Limiter({ count: 1, period: MINUTE }, clock);
  for (let i = 0; i < 10; i++) assert.equal(limiter.allows("a"), true);
  assert.equal(limiter.take("a"), true);
  for (let i = 0; i < 10; i++) {
    assert.equal(limiter.allows("a"), false);
    assert.equal(limiter.take("a"), false);
    clock.turn(MINUTE / 10);
  }
  assert.equal(limiter.allows("a"), true);
  assert.equal(limiter.take("a"), true);
});

Deno.test("B8 whatever is asked for when, within any time no more happens than may", () => {
  const rates = fc.record({ count: fc.integer({ min: 1, max: 20 }), period: fc.constant(1000) });
  const acts = fc.array(fc.record({ pause: fc.nat(300), key: fc.constantFrom("a", "b") }), {
    maxLength: 100,
  });
  fc.assert(
    fc.property(rates, acts, (rate, acts) => {
      const clock = new TurnedClock();
      const limiter = new Limiter(rate, clock);
      const taken: Record<string, number[]> = { a: [], b: [] };
      for (const { pause, key } of acts) {
        clock.turn(pause);
        const allowed = limiter.allows(key);
        assert.equal(limiter.take(key), allowed);
        if (allowed) taken[key].push(clock.monotonic());
      }
      for (const times of Object.values(taken)) {
        for (const [first, from] of times.entries()) {
          for (const [i, to] of times.slice(first).entries()) {
            const most = rate.count + (to - from) * rate.count / rate.period;
            assert.ok(i + 1 <= most + 1e-6, `${i + 1} in ${to - from} ms`);
          }
        }
      }
    }),
  );
});

Deno.test("B8 a hundred thousand addresses take bounded memory, and the latest are remembered", () => {
  const clock = new TurnedClock();
  const rates = new Rates({ rateMessages: { count: 2, period: MINUTE } }, clock);
  const clientOf = (address: string) => ({ address, port: 1, helo: "x", esmtp: true });
  const growth = heapGrowth(() => {
    for (let i = 0; i < 100_000; i++) {
      assert.equal(rates.take(clientOf(`2001:db8::${i.toString(16)}`)), undefined);
    }
    return rates;
  });
  assert.ok(growth < 4 * 1024 * 1024, `${growth} octets`);
  const latest = clientOf(`2001:db8::${(95_000).toString(16)}`);
  assert.equal(rates.take(latest), undefined);
  assert.equal(rates.take(latest)?.code, 450);
  assert.equal(rates.refusal(clientOf("192.0.2.1")), undefined);
});

/** How a message fares: its last reply. */
async function send(client: Client, how = "DATA"): Promise<string> {
  const reply = await client.ask("MAIL FROM:<a@example.com>");
  if (!reply.startsWith("250")) return reply;
  await client.ask("RCPT TO:<b@example.net>");
  const answer = how === "BDAT" ? await client.ask("BDAT 2 LAST\r\n") : await client.ask("DATA");
  return answer.startsWith("354") ? await client.ask("Subject: x\r\n\r\n.") : answer;
}

async function sends(client: Client, count: number): Promise<string[]> {
  const codes: string[] = [];
  for (let i = 0; i < count; i++) codes.push((await send(client)).slice(0, 9));
  return codes;
}

const OK = "250 2.0.0", LATER = "450 4.7.1", FULL = "452 4.3.1";

Deno.test("B8 SMTP_RATE_MESSAGES: 450 4.7.1 at MAIL, for this address, until time has passed", async () => {
  await using relay = await TestRelay.start({ SMTP_RATE_MESSAGES: "3/1m" });
  using client = await relay.client();
  using same = await relay.client({ user: "alice" });
  using other = await relay.client({ address: IPV6 });
  assert.deepEqual(await sends(client, 2), [OK, OK]);
  assert.match(await send(same, "BDAT"), /^250 /);
  for (const each of [client, same]) {
    assert.equal(
      await each.ask("MAIL FROM:<a@example.com>"),
      `450 4.7.1 Too many messages of ${IPV4}, at most 3 in 1m, try again later`,
    );
    assert.match(await each.ask("NOOP"), /^250 /);
  }
  assert.deepEqual(await sends(other, 1), [OK]);
  relay.clock.turn(MINUTE / 3);
  assert.deepEqual(await sends(client, 2), [OK, LATER]);
});

Deno.test("B8 SMTP_RATE_USER: the same for a user, wherever it is", async () => {
  await using relay = await TestRelay.start({ SMTP_RATE_USER: "2/1h" });
  using here = await relay.client({ user: "alice" });
  using there = await relay.client({ user: "alice", address: IPV6 });
  using other = await relay.client({ user: "bob" });
  using nobody = await relay.client();
  assert.deepEqual(await sends(here, 1), [OK]);
  assert.deepEqual(await sends(there, 1), [OK]);
  for (const each of [here, there]) {
    assert.equal(
      await send(each),
      "450 4.7.1 Too many messages of alice, at most 2 in 1h, try again later",
    );
  }
  assert.deepEqual(await sends(other, 3), [OK, OK, LATER]);
  assert.deepEqual(await sends(nobody, 4), [OK, OK, OK, OK]);
  relay.clock.turn(30 * MINUTE);
  using again = await relay.client({ user: "alice" });
  assert.deepEqual(await sends(again, 2), [OK, LATER]);
});

Deno.test("B8 whoever is over one rate uses none of the other", async () => {
  await using relay = await TestRelay.start({
    SMTP_RATE_MESSAGES: "2/1h",
    SMTP_RATE_USER: "1/1h",
  });
  using alice = await relay.client({ user: "alice" });
  assert.deepEqual(await sends(alice, 5), [OK, LATER, LATER, LATER, LATER]);
  using nobody = await relay.client();
  assert.deepEqual(await sends(nobody, 2), [OK, LATER]);
});

Deno.test("B8 what is begun is no message yet; of two that end, one may be too many", async () => {
  await using relay = await TestRelay.start({ SMTP_RATE_MESSAGES: "1/1h" });
  using first = await relay.client();
  using second = await relay.client();
  for (let i = 0; i < 5; i++) {
    assert.match(await first.ask("MAIL FROM:<a@example.com>"), /^250 /);
    await first.ask("RSET");
  }
  for (const each of [first, second]) {
    await each.ask("MAIL FROM:<a@example.com>");
    assert.match(await each.ask("RCPT TO:<b@example.net>"), /^250 /);
  }
  assert.match(await second.ask("DATA"), /^354 /);
  assert.match(await first.ask("DATA"), /^450 4\.7\.1 /);
  assert.match(await second.ask("."), /^250 /);
  assert.match(await first.ask("NOOP"), /^250 /);
});

Deno.test("B8 reading settings again forgets nothing of a rate that stays", async () => {
  const before = { SMTP_RATE_MESSAGES: "2/1h", SMTP_RATE_USER: "1/1h" };
  await using relay = await TestRelay.start(before);
  using client = await relay.client();
  using alice = await relay.client({ user: "alice", address: IPV6 });
  assert.deepEqual(await sends(client, 3), [OK, OK, LATER]);
  assert.deepEqual(await sends(alice, 2), [OK, LATER]);
  relay.reload({ ...before, SMTP_BANNER: "other" });
  assert.deepEqual(await sends(client, 1), [LATER]);
  assert.deepEqual(await sends(alice, 1), [LATER]);
  relay.reload({ SMTP_RATE_MESSAGES: "60/1h", SMTP_RATE_USER: "1/1h" });
  assert.deepEqual(await sends(client, 1), [OK]);
  assert.deepEqual(await sends(alice, 1), [LATER]);
  relay.reload({});
  assert.deepEqual(await sends(client, 2), [OK, OK]);
  assert.deepEqual(await sends(alice, 1), [OK]);
});

Deno.test("B8 SMTP_MAX_QUEUED_PER_CLIENT: 452 4.3.1, by user where there is one, else by address", async () => {
  await using relay = await TestRelay.start({ SMTP_MAX_QUEUED_PER_CLIENT: "2" });
  using here = await relay.client({ user: "alice" });
  using there = await relay.client({ user: "alice", address: IPV6 });
  using bob = await relay.client({ user: "bob" });
  using nobody = await relay.client();
  assert.deepEqual(await sends(here, 1), [OK]);
  assert.deepEqual(await sends(there, 2), [OK, FULL]);
  assert.deepEqual(await sends(here, 1), [FULL]);
  assert.deepEqual(await sends(bob, 1), [OK]);
  assert.deepEqual(await sends(nobody, 3), [OK, OK, FULL]);
  // What has left the queue is no longer counted.
  const rows = await relay.store.list({ limit: 100 });
  await relay.store.drop({ ids: rows.map(({ id }) => id) });
  for (const client of [here, nobody]) assert.deepEqual(await sends(client, 1), [OK]);
});

Deno.test("B8 without a limit set there is none", async () => {
  await using relay = await TestRelay.start();
  using client = await relay.client({ user: "alice" });
  assert.deepEqual(new Set(await sends(client, 30)), new Set([OK]));
});
