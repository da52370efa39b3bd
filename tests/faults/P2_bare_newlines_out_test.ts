/** P2: of what a sink of others has seen, every CR stands before an LF and every LF behind a CR. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Content } from "../../src/smtp/content.ts";
import { claimOf, outboundTo } from "../fakes/outbound.ts";
import { Sink } from "../fakes/octets.ts";

/** Octets of which many are ends of lines and dots. */
const octets = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom("\r\n", "\r\n.", ".", "\r\n.\r\n") },
    { weight: 1, arbitrary: fc.constantFrom("\r", "\n", "\r\r\n", "\n\r") },
    { weight: 4, arbitrary: fc.string({ maxLength: 20 }) },
    { weight: 1, arbitrary: fc.constantFrom("x".repeat(70_000), "\u00e9") },
  ),
  { maxLength: 12 },
).map((parts) => new TextEncoder().encode(`Subject: x\r\n\r\n${parts.join("")}`));

/** The same octets, cut anywhere. */
function cut(whole: Uint8Array<ArrayBuffer>, cuts: readonly number[]): Content {
  const at = [...new Set([0, ...cuts.map((each) => each % (whole.length + 1)), whole.length])]
    .sort((a, b) => a - b);
  const chunks = at.slice(1).map((end, i) => whole.slice(at[i], end));
  return { chunks, size: whole.length };
}

const BARE = /(?<!\r)\n|\r(?!\n)/;

Deno.test("P2 no bare CR or LF is ever sent, whatever a message has, and the rest arrives as it was", async () => {
  await using sink = new Sink();
  const outbound = outboundTo(sink.port);
  let delivered = 0, refused = 0;
  await fc.assert(
    fc.asyncProperty(octets, fc.array(fc.nat(), { maxLength: 4 }), async (whole, cuts) => {
      const [outcome] = await outbound.deliver(
        claimOf(["b"]),
        () => Promise.resolve(cut(whole, cuts)),
        new AbortController().signal,
      );
      const text = new TextDecoder("latin1").decode(whole);
      const seen = sink.take();
      assert.doesNotMatch(seen, BARE);
      if (BARE.test(text)) {
        refused++;
        assert.deepEqual([outcome?.kind, outcome?.status], ["failed", "5.6.0"]);
        assert.ok(!seen.includes("Subject: x"));
      } else {
        delivered++;
        assert.equal(outcome?.kind, "delivered", outcome?.reply);
        const data = seen.slice(seen.indexOf("DATA\r\n") + 6, seen.lastIndexOf(".\r\n"));
        const whole = text.endsWith("\r\n") ? text : `${text}\r\n`;
        assert.equal(data.replace(/^\.(?=.)/gms, ""), whole);
      }
    }),
    { numRuns: 300 },
  );
  outbound.close();
  assert.ok(delivered > 30 && refused > 30, `${delivered} delivered, ${refused} refused`);
});
