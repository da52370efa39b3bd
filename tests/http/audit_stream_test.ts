/** S30: the audit log as one reader has it, who may be slow. */

import assert from "node:assert/strict";
import type { AuditLog, AuditReader } from "../../src/audit.ts";
import { auditStream } from "../../src/http/audit_stream.ts";
import { Meter } from "../../src/meter.ts";
import { TurnedClock } from "../fakes/clock.ts";

const ROOM = 256 * 1024;

class Stream {
  readonly clock = new TurnedClock();
  readonly meter = new Meter();
  readonly readers = new Set<AuditReader>();
  closed = 0;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor() {
    const { clock, meter, readers } = this;
    const audit = {
      read(reader: AuditReader) {
        readers.add(reader);
        return () => readers.delete(reader);
      },
    } as unknown as AuditLog;
    this.#reader = auditStream({ audit, clock, meter, closed: () => this.closed++ }).getReader();
  }

  line(text: string): void {
    for (const reader of this.readers) reader.line({ at: 1_000, session: 1, side: "C", text });
  }

  end(): void {
    for (const reader of this.readers) reader.ended?.();
  }

  /** The next piece, once all that comes at one time has come; `undefined`: it has ended. */
  async next(): Promise<string | undefined> {
    const reading = this.#reader.read();
    await turns();
    this.clock.turn(25);
    const { value } = await reading;
    return value && new TextDecoder().decode(value);
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

/** Whatever waits for no more than promises goes on. */
const turns = () => new Promise((resolve) => setTimeout(resolve));
const shown = (text: string) => `1970-01-01T00:00:01.000Z 1 C: ${text}\n`;

Deno.test("lines that come together go in one piece, as they came", async () => {
  const stream = new Stream();
  assert.equal(await stream.next(), "OK\n");
  stream.line("one");
  stream.line("two");
  assert.equal(await stream.next(), shown("one") + shown("two"));
  stream.line("three");
  assert.equal(await stream.next(), shown("three"));
  await stream.cancel();
});

Deno.test("what a slow reader loses is told where it is missing, and counted", async () => {
  const stream = new Stream();
  await stream.next();
  const long = "x".repeat(1_000);
  const sent = 400;
  for (let i = 0; i < sent; i++) stream.line(`${i} ${long}`);
  assert.equal(stream.meter.lostAuditLines.value, 0);
  const piece = (await stream.next())!;
  // No more waits for it than there is room for, and one line.
  assert.ok(piece.length < ROOM + 2_000, `${piece.length}`);
  const [, lost] = /\n\((\d+) lines lost\)\n$/.exec(piece)!;
  const got = piece.split("\n").slice(0, -2);
  assert.equal(got.length + Number(lost), sent);
  for (const [i, line] of got.entries()) assert.equal(line + "\n", shown(`${i} ${long}`));
  assert.equal(stream.meter.lostAuditLines.value, Number(lost));
  // From here on there is room again, and nothing is told twice.
  stream.line("after");
  assert.equal(await stream.next(), shown("after"));
  assert.equal(stream.meter.lostAuditLines.value, Number(lost));
  await stream.cancel();
});

Deno.test("nothing comes behind what was lost before that is told", async () => {
  const stream = new Stream();
  await stream.next();
  const most = "x".repeat(ROOM);
  stream.line(most);
  for (const text of ["a", "b", "c"]) stream.line(text);
  assert.equal(await stream.next(), shown(most) + "(3 lines lost)\n");
  await stream.cancel();
});

Deno.test("whoever reads nothing at all costs no more than the room", async () => {
  const stream = new Stream();
  for (let i = 0; i < 100_000; i++) stream.line(`line ${i} of very many`);
  const piece = (await stream.next())!;
  assert.ok(piece.startsWith("OK\n") && piece.length < ROOM + 100, `${piece.length}`);
  await stream.cancel();
});

Deno.test("the end comes behind all that was before", async () => {
  const stream = new Stream();
  await stream.next();
  stream.line("last");
  stream.end();
  assert.equal(await stream.next(), shown("last") + "(audit log off)\n");
  assert.equal(await stream.next(), undefined);
  assert.deepEqual([stream.closed, stream.readers.size, stream.clock.timers], [1, 0, 0]);
});

const LEAVES: Record<string, (stream: Stream) => unknown> = {
  "before it has begun": () => {},
  "while nothing happens": (stream) => {
    void stream.next();
    return stream.next();
  },
  "while lines wait": async (stream) => {
    await stream.next();
    stream.line("x");
  },
  "behind the end": async (stream) => {
    stream.end();
    while (await stream.next() !== undefined);
  },
};

for (const [when, before] of Object.entries(LEAVES)) {
  Deno.test(`a reader that leaves ${when} is given nothing more, and its place once`, async () => {
    const stream = new Stream();
    void before(stream);
    await turns();
    stream.clock.turn(25);
    await turns();
    await stream.cancel();
    await stream.cancel();
    await turns();
    stream.clock.turn(25);
    await turns();
    assert.deepEqual([stream.closed, stream.readers.size, stream.clock.timers], [1, 0, 0]);
  });
}
