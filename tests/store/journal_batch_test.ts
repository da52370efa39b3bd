/** A batch of the journal: what is written is read back, and what is not whole is none. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { disk } from "../../src/deno/files.ts";
import type { Described } from "../../src/store/commit.ts";
import {
  BatchWriter,
  describe,
  type Head,
  headOf,
  type Kept,
  messagesOf,
  PAGE,
  type Written,
} from "../../src/store/journal_batch.ts";
import { writtenOf } from "../fakes/journal.ts";

const { checksum } = disk;
const SECTOR = 512;
const HEAD = { salt: 2 ** 48 - 1, sequence: 7, time: Date.UTC(2026, 10, 20) };

/** With the prototype that JSON gives it. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(model, { noNullPrototype: true });

/** Whatever can be in a string, also halves of characters. */
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom("a", "ß", "€", "😀", "\ud800", "\udc00", "\0", '"', "\\", "\n"),
  }),
);
const mailbox = record({ local: text, domain: text });
const described: fc.Arbitrary<Described> = record({
  id: text,
  state: fc.constantFrom("queued" as const, "held" as const, "captured" as const),
  origin: fc.constantFrom("accepted" as const, "generated" as const),
  note: fc.option(text, { nil: undefined }),
  receivedAt: fc.maxSafeNat(),
  client: record({ address: text, port: fc.nat(65535), helo: text, esmtp: fc.boolean() }),
  sender: record({
    mailbox: fc.option(mailbox),
    body: fc.constant("8BITMIME" as const),
    utf8: fc.boolean(),
  }),
  recipients: fc.array(record({ mailbox }), { maxLength: 5 }),
  subject: text,
  keys: text,
  size: fc.nat(),
});
const chunks = fc.array(
  fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.uint8Array({ maxLength: 4 * PAGE, size: "max" })),
  { maxLength: 4 },
);
const message = record({ described, chunks });
const messages = fc.array(message, { maxLength: 5 });
const head = record({
  salt: fc.nat({ max: 2 ** 48 - 1 }),
  sequence: fc.maxSafeNat(),
  time: fc.double({ noNaN: true }),
});
type Messages = typeof sample;

function writtenFrom(messages: Messages): Written[] {
  return messages.map(({ described, chunks }) => {
    const size = chunks.reduce((sum, { length }) => sum + length, 0);
    const recipients = described.recipients.length;
    return { description: describe(described), chunks, size, recipients };
  });
}

/** Without what fills the last page of octets that were never used before. */
const lengthOf = (octets: Uint8Array): number => octets.findLastIndex((octet) => octet !== 0) + 1;

/** As it lies in a file: behind others, and before what is left of older ones. */
function among(octets: Uint8Array): Uint8Array {
  const file = new Uint8Array(octets.length + 2 * PAGE).fill(0xff);
  file.set(octets, PAGE);
  return file.subarray(PAGE);
}

const readBack = ({ message, octets }: Kept) => ({
  described: { ...message, note: message.note },
  octets: octets.slice(),
});

/** What was given for it. */
function headIn(octets: Uint8Array): Head {
  const { salt, sequence, time } = headOf(octets, checksum)!;
  return { salt, sequence, time };
}

Deno.test("what is written is read back, whatever the messages", () => {
  const writer = new BatchWriter(checksum);
  fc.assert(
    fc.property(messages, head, (messages, head) => {
      const octets = writer.write(writtenFrom(messages), head);
      assert.equal(octets.length % PAGE, 0);
      for (const found of [octets, among(octets)]) {
        assert.deepEqual(headIn(found), head);
        assert.deepEqual(
          messagesOf(found).map(readBack),
          messages.map(({ described, chunks }) => ({
            described,
            octets: Uint8Array.from(chunks.flatMap((chunk) => [...chunk])),
          })),
        );
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("a batch takes the pages that it needs, and no more", () => {
  fc.assert(
    fc.property(messages, (messages) => {
      const written = [...writtenFrom(messages), writtenOf()];
      const octets = new BatchWriter(checksum).write(written, HEAD);
      assert.equal(octets.length, Math.ceil(lengthOf(octets) / PAGE) * PAGE);
    }),
    { numRuns: 30 },
  );
});

Deno.test("more than there was room for is written whole, also in letters of three octets", () => {
  const writer = new BatchWriter(checksum);
  for (const characters of [30_000, 60_000, 10]) {
    const subject = "€".repeat(characters);
    const written = { ...writtenOf(), description: JSON.stringify({ subject }) };
    const octets = writer.write([written, written], HEAD);
    assert.deepEqual(headIn(octets), HEAD);
    const subjects = messagesOf(octets).map(({ message }) => message.subject);
    assert.ok(subjects.length === 2 && subjects.every((read) => read === subject));
  }
});

Deno.test("each bit of a batch counts", () => {
  const written = [writtenOf({ text: "" }), writtenOf({ text: "x" })];
  const octets = new BatchWriter(checksum).write(written, HEAD);
  const length = lengthOf(octets);
  for (let at = 0; at < length; at++) {
    for (let bit = 1; bit < 256; bit *= 2) {
      octets[at] ^= bit;
      assert.equal(headOf(octets, checksum), undefined, `bit ${bit} of octet ${at}`);
      octets[at] ^= bit;
    }
  }
  assert.deepEqual(headIn(octets), HEAD);
});

Deno.test("a batch of which an octet was changed is none, however large", () => {
  fc.assert(
    fc.property(
      messages,
      head,
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.integer({ min: 1, max: 255 }),
      (messages, head, place, change) => {
        const octets = new BatchWriter(checksum).write(writtenFrom(messages), head);
        octets[Math.floor(place * lengthOf(octets))] ^= change;
        assert.equal(headOf(octets, checksum), undefined);
        assert.equal(headOf(among(octets), checksum), undefined);
      },
    ),
  );
});

Deno.test("a batch that is cut is none, wherever it is cut", () => {
  const written = [writtenOf(), writtenOf({ text: "y".repeat(3 * PAGE) })];
  const octets = new BatchWriter(checksum).write(written, HEAD);
  for (let length = 0; length < octets.length; length++) {
    assert.equal(headOf(octets.subarray(0, length), checksum), undefined, `${length} octets`);
  }
  assert.deepEqual(headIn(octets), HEAD);
});

Deno.test("of a batch written over another in part there is neither, or it is all there", () => {
  fc.assert(
    fc.property(messages, messages, fc.nat(), (before, messages, place) => {
      const old = new BatchWriter(checksum).write(writtenFrom(before), { ...HEAD, sequence: 6 });
      const octets = new BatchWriter(checksum).write(writtenFrom(messages), HEAD);
      const file = new Uint8Array(Math.max(old.length, octets.length));
      file.set(old);
      const sectors = 1 + place % (octets.length / SECTOR);
      file.set(octets.subarray(0, sectors * SECTOR));
      if (headOf(file, checksum) === undefined) return;
      assert.deepEqual(headIn(file), HEAD);
      const end = lengthOf(octets);
      assert.deepEqual(file.subarray(0, end), octets.subarray(0, end));
    }),
    { numRuns: 100 },
  );
});

Deno.test("what does not begin as a batch does is none", () => {
  const octets = new BatchWriter(checksum).write([writtenOf()], HEAD).slice();
  for (const nothing of [new Uint8Array(0), new Uint8Array(PAGE), octets.subarray(SECTOR)]) {
    assert.equal(headOf(nothing, checksum), undefined);
  }
});

Deno.test("nothing of the batch before is left behind the end of one", () => {
  fc.assert(
    fc.property(messages, messages, (before, messages) => {
      const writer = new BatchWriter(checksum);
      const full = {
        ...writtenOf(),
        chunks: [new Uint8Array(5 * PAGE).fill(0xff)],
        size: 5 * PAGE,
      };
      writer.write([...writtenFrom(before), full], HEAD);
      const written = writtenFrom(messages);
      const octets = new BatchWriter(checksum).write(written, HEAD);
      assert.deepEqual(writer.write(written, HEAD), octets, "as if nothing had been before");
    }),
    { numRuns: 30 },
  );
});

const [sample] = fc.sample(messages, 1);
