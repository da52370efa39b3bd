/** S31, B23: in which form figures are told, and to whom. */

import assert from "node:assert/strict";
import { TestSite } from "../fakes/http_site.ts";

const typeOf = ({ headers }: Response) => headers.get("content-type")!.toLowerCase();

const FORMS: readonly (readonly [string | undefined, "JSON" | "text"])[] = [
  [undefined, "JSON"],
  ["*/*", "JSON"],
  ["", "JSON"],
  ["application/json", "JSON"],
  ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "JSON"],
  ["application/json, text/plain, */*", "JSON"],
  ["text/plain", "text"],
  ["TEXT/PLAIN;version=0.0.4", "text"],
  ["application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "text"],
  ["application/openmetrics-text; version=1.0.0", "text"],
  [
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;" +
    "q=0.6,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.2",
    "text",
  ],
  ["text/plainly", "JSON"],
];

for (const [accept, form] of FORMS) {
  Deno.test(`B23 /metrics for who accepts ${accept ?? "nothing that is said"}: ${form}`, async () => {
    const headers = new Headers(accept === undefined ? [] : [["accept", accept]]);
    const response = await new TestSite().ask("/metrics", { headers });
    const text = await response.text();
    if (form === "JSON") {
      assert.equal(typeOf(response), "application/json");
      assert.equal(JSON.parse(text).smtp_queue_depth, 5);
    } else {
      assert.equal(typeOf(response), "text/plain; version=0.0.4; charset=utf-8");
      assert.match(text, /^smtp_queue_depth 5$/m);
    }
  });
}

Deno.test("B23 /metrics/prometheus is text whatever is accepted", async () => {
  for (const accept of ["application/json", "*/*"]) {
    const response = await new TestSite().ask("/metrics/prometheus", { headers: { accept } });
    assert.equal(typeOf(response), "text/plain; version=0.0.4; charset=utf-8");
    assert.match(await response.text(), /^# TYPE smtp_store_commit_seconds histogram$/m);
  }
});

Deno.test("S31 the five names have what they say", async () => {
  const site = new TestSite();
  site.meter.queued.value = 11;
  site.meter.delivered.value = 12;
  site.meter.failures.value = 13;
  const told = await (await site.ask("/metrics")).json();
  const names = ["messages_queued_total", "messages_delivered_total", "delivery_failures_total"];
  const values = [...names, "queue_depth", "sessions_active"].map((name) => told[`smtp_${name}`]);
  assert.deepEqual(values, [11, 12, 13, 5, 3]);
});
