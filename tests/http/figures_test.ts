/** Figures as families of values: what is counted, what is measured, how it adds up. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { asVariables, families, type Family } from "../../src/http/figures.ts";
import { Histogram, Meter } from "../../src/meter.ts";
import { FIGURES } from "../fakes/http_site.ts";

const named = (found: readonly Family[], name: string) => {
  const [family, ...more] = found.filter((each) => each.name === name);
  assert.equal(more.length, 0);
  return family;
};

Deno.test("how things are is told in the units that the names have", () => {
  const found = families(new Meter(), { ...FIGURES, certificateEnds: 1_800_000_000_500 });
  const values = Object.fromEntries(
    found.filter(({ type }) => type === "gauge").map(({ name, values }) => [
      name,
      values.length === 1
        ? values[0].value
        : values.map(({ labels, value }) => [labels.state, value]),
    ]),
  );
  assert.deepEqual(values, {
    smtp_sessions_active: 3,
    smtp_queue_depth: 5,
    smtp_recipients: [["queued", 5], ["held", 7], ["captured", 8], ["quarantined", 9]],
    smtp_queue_oldest_seconds: 61.5,
    smtp_queue_overdue_seconds: 1.25,
    smtp_deliveries_active: 4,
    smtp_spool_free_bytes: 123_456_789,
    smtp_journal_lag: 12,
    smtp_spool_names_lag: 11,
    process_resident_memory_bytes: 98_765,
    process_start_time_seconds: 1_700_000_000.123,
    smtp_spool_free_files: 4_321,
    smtp_certificate_expiry_timestamp_seconds: 1_800_000_000.5,
  });
});

Deno.test("where there is no certificate nothing is said of its end", () => {
  const names = families(new Meter(), FIGURES).map(({ name }) => name);
  assert.ok(!names.includes("smtp_certificate_expiry_timestamp_seconds"));
});

Deno.test("what the disk does not say, or the file system does not count, is left out", () => {
  const found = families(new Meter(), { ...FIGURES, space: { free: 1, files: undefined } });
  const ofSpool = found.map(({ name }) => name).filter((name) => name.includes("free"));
  assert.deepEqual(ofSpool, ["smtp_spool_free_bytes"]);
  const unknown = families(new Meter(), { ...FIGURES, space: undefined });
  assert.ok(!unknown.some(({ name }) => name.includes("free")));
});

Deno.test("every family has a name of its own, a help, and values from the beginning", () => {
  const found = families(new Meter(), FIGURES);
  assert.equal(new Set(found.map(({ name }) => name)).size, found.length);
  for (const { name, help, type, values } of found) {
    assert.match(name, /^(?:smtp|process)_[a-z_]+$/);
    assert.equal(type === "counter", name.endsWith("_total"), name);
    assert.notEqual(help, "");
    assert.ok(values.length > 0, name);
    for (const { value } of values) assert.ok(Number.isFinite(value), name);
  }
});

Deno.test("what is counted by a label is told by it", () => {
  const meter = new Meter();
  meter.commands.count("MAIL", 3);
  meter.commands.count("other");
  for (const code of [220, 250, 354, 421, 550, 554]) meter.reply(code);
  meter.queued.value += 7;
  const found = families(meter, FIGURES);
  const byLabel = (name: string) =>
    named(found, name).values.filter(({ value }) => value > 0)
      .map(({ labels, value }) => [...Object.entries(labels).flat(), value]);
  assert.deepEqual(byLabel("smtp_commands_total"), [["command", "MAIL", 3], [
    "command",
    "other",
    1,
  ]]);
  assert.deepEqual(byLabel("smtp_replies_total"), [
    ["class", "2xx", 2],
    ["class", "3xx", 1],
    ["class", "4xx", 1],
    ["class", "5xx", 2],
  ]);
  assert.deepEqual(named(found, "smtp_messages_queued_total").values, [{ labels: {}, value: 7 }]);
});

Deno.test("a bucket has whatever is no more than its bound, each those before it too", () => {
  const bounds = fc.uniqueArray(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 8 })
    .map((bounds) => bounds.toSorted((a, b) => a - b));
  const values = fc.array(fc.integer({ min: -60, max: 60 }));
  fc.assert(fc.property(bounds, values, (bounds, values) => {
    const meter = new Meter();
    const histogram = new Histogram("h", "help", bounds);
    Object.assign(meter, { commits: histogram });
    for (const value of values) histogram.observe(value);
    const told = named(families(meter, FIGURES), "h").values;
    assert.deepEqual(told, [
      ...bounds.map((bound) => ({
        metricName: "h_bucket",
        labels: { le: String(bound) },
        value: values.filter((value) => value <= bound).length,
      })),
      { metricName: "h_bucket", labels: { le: "+Inf" }, value: values.length },
      { metricName: "h_sum", labels: {}, value: values.reduce((sum, value) => sum + value, 0) },
      { metricName: "h_count", labels: {}, value: values.length },
    ]);
  }));
});

Deno.test("variables are numbers by name, and by label within", () => {
  const meter = new Meter();
  meter.delivered.value = 5;
  meter.attempts.count("deferred", 2);
  meter.commits.observe(0.004);
  meter.commits.observe(100);
  const found = asVariables(families(meter, FIGURES));
  assert.equal(found.smtp_messages_delivered_total, 5);
  assert.deepEqual(found.smtp_delivery_attempts_total, {
    delivered: 0,
    deferred: 2,
    failed: 0,
    held: 0,
  });
  assert.deepEqual(found.smtp_recipients, { queued: 5, held: 7, captured: 8, quarantined: 9 });
  const { count, sum, upTo } = found.smtp_store_commit_seconds as Record<string, unknown>;
  assert.deepEqual([count, sum], [2, 100.004]);
  assert.deepEqual((upTo as unknown[]).slice(0, 4), [["0.001", 0], ["0.0025", 0], ["0.005", 1], [
    "0.01",
    1,
  ]]);
  assert.deepEqual((upTo as unknown[]).at(-1), ["+Inf", 2]);
});
