/** B23, S31: the figures of a daemon after real mail, as the programs of others read them. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon } from "../fakes/daemon.ts";
import { ask, httpPortOf, WITH_HTTP } from "../fakes/http.ts";
import { type Parse, type Sample, testWithFigures, valueOf } from "../fakes/http_figures.ts";
import { mail } from "../fakes/http_relay.ts";
import { Remote } from "../fakes/remote.ts";

const ANSWERS = { "RCPT TO:<nobody@example.net>": "550 5.1.1 nobody\r\n" };
const TEXT = "text/plain; version=0.0.4; charset=utf-8";

/** A relay that delivers to a server on this machine, which knows one recipient not. */
async function withMail(
  run: (daemon: Daemon, httpPort: number) => Promise<void>,
): Promise<void> {
  await using remote = new Remote((talk) => talk.serve(ANSWERS));
  await using daemon = await Daemon.start({
    settings: {
      ...WITH_HTTP,
      SMTP_MODE: "relay",
      SMTP_DEBUG: "false",
      SMTP_RELAY_URL: `smtp://127.0.0.1:${remote.port}`,
      SMTP_TLS_POLICY: "none",
    },
  });
  await run(daemon, httpPortOf(daemon));
}

/** Two recipients have it; one does not, and its sender is told. */
async function sendSome(daemon: Daemon, nth: number): Promise<void> {
  const to = ["bob@example.net", "nobody@example.net", "carol@example.org"];
  assert.match(await mail(daemon.port, { to }), /^250 /);
  using client = await Client.greeted(daemon.port);
  await client.ask("HELO x");
  await client.ask("NONSENSE");
  await client.ask("QUIT");
  const times = (count: number, text: string) => `(?:[^]*${text}){${count}}`;
  // The bounce is delivered too.
  await daemon.says(new RegExp(times(3 * nth, " message delivered ")));
}

async function scraped(port: number, parse: Parse): Promise<readonly Sample[]> {
  const { status, headers, body } = await ask(port, "/metrics/prometheus");
  assert.equal(status, 200);
  assert.equal(headers.get("content-type"), TEXT);
  return await parse(body);
}

testWithFigures("B23 Prometheus reads what a daemon counted of real mail", async (parse) => {
  await withMail(async (daemon, port) => {
    const before = await scraped(port, parse);
    await sendSome(daemon, 1);
    const after = await scraped(port, parse);
    const grown = (name: string, labels = {}) =>
      valueOf(after, name, labels) - valueOf(before, name, labels);
    assert.equal(grown("smtp_sessions_total"), 2);
    // The one that was sent, and the bounce.
    assert.equal(grown("smtp_messages_queued_total"), 2);
    assert.equal(grown("smtp_messages_delivered_total"), 3);
    assert.equal(grown("smtp_delivery_failures_total"), 1);
    assert.equal(grown("smtp_delivery_attempts_total", { outcome: "delivered" }), 3);
    assert.equal(grown("smtp_delivery_attempts_total", { outcome: "failed" }), 1);
    assert.equal(grown("smtp_notices_total", { about: "failed" }), 1);
    assert.equal(grown("smtp_delivery_connections_total", { tls: "failed" }), 0);
    for (const [command, times] of Object.entries({ EHLO: 1, HELO: 1, RCPT: 3, QUIT: 2 })) {
      assert.equal(grown("smtp_commands_total", { command }), times, command);
    }
    assert.equal(grown("smtp_commands_total", { command: "other" }), 1);
    assert.equal(grown("smtp_replies_total", { class: "3xx" }), 1);
    assert.equal(grown("smtp_replies_total", { class: "5xx" }), 1);
    assert.ok(grown("smtp_received_bytes_total") > 100);
    assert.ok(grown("smtp_sent_bytes_total") > 100);
    const start = valueOf(after, "process_start_time_seconds");
    assert.ok(start > 1.7e9 && start <= Date.now() / 1000, `${start}`);
    assert.ok(valueOf(after, "process_resident_memory_bytes") > 10e6);
    assert.ok(valueOf(after, "smtp_spool_free_bytes") > 0);
  });
});

testWithFigures(
  "B23 buckets grow with what is observed, and agree with its count",
  async (parse) => {
    await withMail(async (daemon, port) => {
      let before = await scraped(port, parse);
      for (let round = 1; round <= 3; round++) {
        await sendSome(daemon, round);
        const after = await scraped(port, parse);
        const histograms = new Set(
          after.filter(({ type }) => type === "histogram").map(({ family }) => family),
        );
        assert.ok(histograms.size >= 4);
        for (const name of histograms) {
          const buckets = bucketsOf(after, name);
          assert.equal(buckets.at(-1)![0], "+Inf");
          const counts = buckets.map(([, count]) => count);
          assert.deepEqual(counts, counts.toSorted((a, b) => a - b), name);
          assert.equal(counts.at(-1), valueOf(after, `${name}_count`));
          for (const [i, [le, count]] of bucketsOf(before, name).entries()) {
            assert.equal(buckets[i][0], le);
            assert.ok(count <= counts[i], name);
          }
          assert.ok(valueOf(after, `${name}_sum`) >= valueOf(before, `${name}_sum`));
        }
        // Of the message and the bounce; of recipients that have it.
        for (const [name, each] of [["store_commit", 1], ["delivery", 3]] as const) {
          const count = `smtp_${name}_seconds_count`;
          assert.ok(valueOf(after, count) - valueOf(before, count) >= each, name);
        }
        before = after;
      }
    });
  },
);

function bucketsOf(samples: readonly Sample[], histogram: string): [le: string, count: number][] {
  return samples.filter(({ name }) => name === `${histogram}_bucket`)
    .map(({ labels, value }) => [labels.le, value]);
}

testWithFigures(
  "B23 by Accept the same figures at /metrics, and as JSON to all others",
  async (parse) => {
    await withMail(async (daemon, port) => {
      await sendSome(daemon, 1);
      const accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
      const { headers, body } = await ask(port, "/metrics", { headers: { accept } });
      assert.equal(headers.get("content-type"), TEXT);
      const json = await ask(port, "/metrics");
      const samples = await parse(body);
      assert.equal(json.headers.get("content-type"), "application/json");
      const variables = JSON.parse(json.body);
      for (const { family, type, name, labels, value } of samples) {
        const known = variables[name] ?? variables[family];
        assert.ok(known !== undefined, name);
        // What is measured may be another at each time.
        if (type !== "counter") continue;
        assert.equal(
          typeof known === "object" ? known[Object.values(labels)[0]] : known,
          value,
          name,
        );
      }
    });
  },
);

Deno.test("S31 expvar: the five names, as numbers, after real mail", async () => {
  await withMail(async (daemon, port) => {
    await sendSome(daemon, 1);
    using client = await Client.greeted(daemon.port);
    // What was delivered is written down a little later, and is looked at once a second.
    let told;
    do told = JSON.parse((await ask(port, "/metrics")).body); while (
      told.smtp_queue_depth > 0 || told.smtp_sessions_active > 1
    );
    const names = ["messages_queued_total", "messages_delivered_total", "delivery_failures_total"];
    const values = [...names, "queue_depth", "sessions_active"].map((name) => told[`smtp_${name}`]);
    assert.deepEqual(values, [2, 3, 1, 0, 1]);
    await client.ask("QUIT");
  });
});

Deno.test("S31 what waits is the depth of the queue", async () => {
  await using daemon = await Daemon.start({
    settings: { ...WITH_HTTP, SMTP_MODE: "relay", SMTP_DEBUG: "false" },
  });
  await mail(daemon.port, { to: ["a@example.net", "b@example.net", "c@example.org"] });
  const { body } = await ask(httpPortOf(daemon), "/metrics");
  const told = JSON.parse(body);
  assert.equal(told.smtp_queue_depth, 3);
  assert.deepEqual(told.smtp_recipients, { queued: 3, held: 0, captured: 0, quarantined: 0 });
});
