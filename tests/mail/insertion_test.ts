/** Lines put into a message, wherever its chunks are cut. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { examine } from "../../src/mail/headers.ts";
import { prepend, withHeaderEnded } from "../../src/mail/insertion.ts";
import type { Content } from "../../src/smtp/content.ts";

function cutAt(text: string, places: readonly number[]): Content {
  const octets = new TextEncoder().encode(text);
  const cuts = [0, ...places.map((place) => place % (octets.length + 1)), octets.length];
  const chunks = cuts.toSorted((a, b) => a - b).map((cut, i, all) =>
    octets.subarray(cut, all[i + 1])
  );
  return { chunks, size: octets.length };
}

const sizeOf = ({ chunks }: Content) => chunks.reduce((sum, chunk) => sum + chunk.length, 0);
const textOf = ({ chunks }: Content) =>
  new TextDecoder().decode(Uint8Array.from(chunks.flatMap((chunk) => [...chunk])));

Deno.test("fields are put in front of a message without copying it", () => {
  const message = cutAt("Subject: x\r\n\r\nbody\r\n", [5, 9]);
  const header = "X-Grüße: y\r\n";
  const { chunks, size } = prepend(message, header);
  assert.equal(new TextDecoder().decode(chunks[0]), header);
  assert.equal(chunks.length, message.chunks.length + 1);
  for (const [i, chunk] of message.chunks.entries()) assert.equal(chunks[i + 1], chunk);
  assert.equal(size, chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  assert.equal(prepend(message, ""), message);
});

Deno.test("an empty line is put where the text begins, without copying it", () => {
  const places = fc.array(fc.nat(100), { maxLength: 6 });
  fc.assert(
    fc.property(
      fc.constantFrom("", "Subject: x\r\n", "A: b\r\nC: d\r\n e\r\n"),
      places,
      (header, places) => {
        const text = "Hello Bob\r\n\r\nyou?\r\n";
        const message = cutAt(header + text, places);
        const ended = withHeaderEnded(message, examine(message).textAt);
        assert.equal(textOf(ended), `${header}\r\n${text}`);
        assert.equal(ended.size, sizeOf(ended));
        const { buffer } = message.chunks[0];
        assert.equal(ended.chunks.filter((chunk) => chunk.buffer !== buffer).length, 1);
        assert.equal(withHeaderEnded(ended, examine(ended).textAt), ended, "once is enough");
      },
    ),
  );
});
