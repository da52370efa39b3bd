/** Content: exact, whatever the cuts, and in bounded memory. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { ContentReader } from "../../src/smtp/content_reader.ts";
import * as replies from "../../src/smtp/replies.ts";
import { Driver } from "../fakes/driver.ts";
import { heapGrowth } from "../fakes/memory.ts";

const text = (chunks: readonly Uint8Array[]) =>
  chunks.map((chunk) => new TextDecoder("latin1").decode(chunk)).join("");

/** Doubles the dots at the start of lines, as a client must (RFC 5321 §4.5.2). */
const stuffed = (content: string) => content.replace(/(^|\r\n)\./g, "$1..") + ".\r\n";

const line = fc.string({
  unit: fc.constantFrom(..."ab.: \t\0\xff"),
  maxLength: 12,
}).map((line) => line + "\r\n");

Deno.test("what was sent is what is kept, wherever it is cut", () => {
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(200)), (lines, places) => {
      const content = lines.join("");
      const wire = Uint8Array.from(stuffed(content), (character) => character.charCodeAt(0));
      const limits = { maxSize: 10_000, bareNewline: "reject" as const };
      const reader = new ContentReader(limits, { transparency: true });
      let taken = 0;
      for (const place of [...places.toSorted((a, b) => a - b), wire.length]) {
        if (place > taken && !reader.ended) {
          taken = reader.take(wire, taken, Math.min(place, wire.length));
        }
      }
      assert.ok(reader.ended);
      assert.equal(taken, wire.length);
      assert.equal(reader.defect, undefined);
      assert.equal(text(reader.finish().chunks), content);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("normalized: LF alone ends a line, CR alone becomes a space", () => {
  const driver = new Driver({ bareNewline: "normalize" }).ready();
  driver.send("DATA\r\n");
  driver.send("Subject: x\n\na\n..b\rc\r\r\nd\r\n\r.e\r\n.\r\n");
  assert.equal(
    driver.messages[0].content,
    "Subject: x\r\n\r\na\r\n.b c \r\nd\r\n .e\r\n",
  );
});

Deno.test("BDAT content that ends in the middle of a line gets its CRLF", () => {
  for (
    const [sent, kept] of [
      ["a: b\r\n\r\nend", "a: b\r\n\r\nend\r\n"],
      ["a: b\r\n\r\n", "a: b\r\n\r\n"],
      ["..\r\n.\r\n", "..\r\n.\r\n"],
      ["", ""],
    ]
  ) {
    const driver = new Driver().ready();
    driver.send(`BDAT ${sent.length} LAST\r\n${sent}`);
    assert.equal(driver.messages[0].content, kept);
  }
});

Deno.test("10 MiB take at most 1.3 times their size, whole or trickled", () => {
  const size = 10 * 1024 * 1024;
  const limits = { maxSize: size, bareNewline: "reject" as const };
  for (const read of [64 * 1024, 8 * 1024, 1000]) {
    const piece = new TextEncoder().encode("\r\n" + "x".repeat(read - 2));
    let kept: ContentReader | undefined;
    const growth = heapGrowth(() => {
      const reader = new ContentReader(limits, { transparency: true });
      for (let sent = 0; sent + read <= size; sent += read) reader.take(piece);
      assert.equal(reader.defect, undefined);
      kept = reader;
      return reader;
    });
    assert.ok(kept!.finish().size > 0.99 * size - read);
    assert.ok(growth <= 1.3 * size, `reads of ${read}: ${growth} octets for ${size}`);
    assert.ok(growth >= 0.9 * size, "the measurement sees the content");
  }
});

Deno.test("once a message is handed over, or came to nothing, the session keeps nothing of it", () => {
  const body = new TextEncoder().encode("\r\n" + "x".repeat(8_000_000) + "\r\n");
  for (const ending of ["committed", "reset"]) {
    const driver = new Driver({ maxSize: 20_000_000 }).ready();
    const growth = heapGrowth(() => {
      driver.session.receive(new TextEncoder().encode(`BDAT ${body.length}\r\n`));
      driver.session.tell({ kind: "verdict" });
      driver.send(body);
      if (ending === "reset") driver.send("RSET\r\n");
      else {
        driver.session.receive(new TextEncoder().encode("BDAT 0 LAST\r\n"));
        assert.equal(driver.session.state.at, "committing");
        driver.session.tell({ kind: "committed", reply: replies.accepted("1") });
      }
      return driver;
    });
    assert.equal(driver.session.state.at, "idle");
    assert.ok(growth < 1_000_000, `${ending}: ${growth} octets are kept`);
  }
});

Deno.test("a chunked message of just the limit is taken, though its last CRLF is ours", () => {
  const driver = new Driver({ maxSize: 10 }).ready();
  assert.match(driver.send("BDAT 10 LAST\r\n\r\n12345678"), /^250/);
  assert.equal(driver.messages[0].content, "\r\n12345678\r\n");
});

Deno.test("octets that are given away are kept as they are, or copied where they are few", () => {
  const text = ("x".repeat(76) + "\r\n").repeat(100) + ".\r\n";
  for (const padding of [0, 100, 50_000]) {
    const driver = new Driver().ready();
    driver.send("DATA\r\n");
    const memory = new Uint8Array(padding + text.length);
    memory.set(new TextEncoder().encode(text), padding);
    const { session } = driver;
    session.receive(memory.subarray(padding), true);
    assert.ok(session.state.at === "committing");
    const { chunks, size } = session.state.content;
    assert.equal(size, text.length - 3);
    assert.equal(chunks.map((chunk) => new TextDecoder().decode(chunk)).join("") + ".\r\n", text);
    assert.equal(chunks[0].buffer === memory.buffer, padding < 10_000, `${padding} octets beside`);
  }
});
