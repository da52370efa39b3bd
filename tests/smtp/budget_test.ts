/** R8: the memory that messages under way share: all that is taken is given back, however they end. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { Budget } from "../../src/smtp/budget.ts";
import type { Reply } from "../../src/smtp/reply.ts";
import * as replies from "../../src/smtp/replies.ts";
import { type News, Session } from "../../src/smtp/session.ts";
import type { Rules } from "../../src/smtp/state.ts";
import { initialRules } from "../fakes/rules.ts";

Deno.test("R8 a budget gives what it has, no more, and what comes back again", () => {
  const budget = new Budget(100);
  assert.ok(budget.take(60) && budget.has(40) && !budget.has(41) && !budget.take(41));
  assert.equal(budget.taken, 60);
  assert.ok(budget.take(40) && budget.has(0) && !budget.has(1) && !budget.take(1));
  budget.give(30);
  assert.equal(budget.taken, 70);
  assert.ok(budget.take(30) && !budget.take(1));
});

const LARGE = "x: " + "y".repeat(995) + "\r\n";

/** A session whose questions are answered with yes; what becomes of its messages the test says. */
class Sender {
  readonly session: Session;

  constructor(readonly memory: Budget, rules: Partial<Rules> = {}) {
    this.session = new Session({ ...initialRules, maxSize: 5000, memory, ...rules });
    this.session.tell({ kind: "opened", early: false });
    this.send("EHLO x\r\n");
    this.send("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n");
  }

  get at() {
    return this.session.state.at;
  }

  /** The last reply. */
  send(octets: string): string {
    this.session.receive(new TextEncoder().encode(octets));
    while (this.at === "asking") this.session.tell({ kind: "verdict" });
    return this.#said();
  }

  tell(news: News): string {
    this.session.tell(news);
    return this.#said();
  }

  commit(reply: Reply = replies.accepted("id")): string {
    return this.tell({ kind: reply.code < 400 ? "committed" : "refused", reply });
  }

  #said(): string {
    return this.session.takeReplies().split("\r\n").at(-2) ?? "";
  }

  data(): this {
    assert.match(this.send("DATA\r\n"), /^354/);
    this.send(LARGE);
    return this.#holds();
  }

  bdat(): this {
    assert.match(this.send(`BDAT 1000\r\n${LARGE}`), /^250/);
    return this.#holds();
  }

  /** In the middle of a chunk. */
  chunk(): this {
    this.send(`BDAT 3000\r\n${LARGE}`);
    assert.equal(this.at, "chunk");
    return this.#holds();
  }

  committing(): this {
    this.data().send(".\r\n");
    assert.equal(this.at, "committing");
    return this.#holds();
  }

  #holds(): this {
    assert.ok(this.memory.taken >= 1000);
    return this;
  }
}

const TIMEOUT = { kind: "timeout" } as const;
const STOP = { kind: "stop", now: false } as const;
const STOP_NOW = { kind: "stop", now: true } as const;
const TLS = { kind: "secured", tls: { version: "TLSv1.3", cipher: "c" } } as const;

/** What a sender does, and what it is told last. */
const ENDINGS: Record<string, [(sender: Sender) => string, RegExp]> = {
  "committed": [(it) => it.committing().commit(), /^250 /],
  "committed, by BDAT": [
    (it) => {
      it.bdat().send("BDAT 0 LAST\r\n");
      return it.commit();
    },
    /^250 /,
  ],
  "refused": [(it) => it.committing().commit(replies.notStored), /^451 /],
  "refused for good": [(it) => it.committing().commit(replies.tooManyHops(50)), /^554 /],
  "refused with 421": [(it) => it.committing().commit(replies.tooManyClients), /^421 /],
  "too large": [(it) => it.data().send(LARGE.repeat(5) + "\r\n.\r\n"), /^552 5\.3\.4 /],
  "too large, by BDAT": [(it) => it.bdat().send("BDAT 4001\r\n" + "x".repeat(4001)), /^552 /],
  "too large, and its chunk still to come": [(it) => it.bdat().send("BDAT 4001\r\nx"), /^$/],
  "with a header too large": [
    (it) => {
      const larger = new Sender(it.memory, { maxSize: 1e6 });
      larger.data().send("x: y\r\n".repeat(2001));
      assert.equal(it.memory.taken, 0);
      return larger.send("\r\n.\r\n");
    },
    /^552 5\.3\.4 Header/,
  ],
  "with a bare newline": [(it) => it.data().send("\n"), /^$/],
  "with a bare newline, and ended": [(it) => it.data().send("\n\r\n.\r\n"), /^550 5\.5\.2 /],
  "with an ambiguous end": [(it) => it.data().send("\r\n.\n"), /^554 5\.5\.2 /],
  "without memory for the rest": [
    (it) => {
      it.memory.take(it.data() && 98_500);
      const said = it.send(LARGE + "\r\n.\r\n");
      it.memory.give(98_500);
      return said;
    },
    /^452 4\.3\.1 /,
  ],
  "without memory for the rest of a chunk": [
    (it) => {
      it.memory.take(it.chunk() && 98_500);
      const said = it.send(LARGE + LARGE);
      it.memory.give(98_500);
      return said;
    },
    /^452 4\.3\.1 /,
  ],
  "without memory for the next chunk": [
    (it) => {
      it.memory.take(it.bdat() && 98_500);
      const said = it.send("BDAT 1000\r\n" + LARGE);
      it.memory.give(98_500);
      return said;
    },
    /^452 4\.3\.1 /,
  ],
  "RSET between chunks": [(it) => it.bdat().send("RSET\r\n"), /^250 /],
  "EHLO between chunks": [(it) => it.bdat().send("EHLO y\r\n"), /^250 /],
  "HELO between chunks": [(it) => it.bdat().send("HELO y\r\n"), /^250 /],
  "QUIT between chunks": [(it) => it.bdat().send("QUIT\r\n"), /^221 /],
  "a BDAT between chunks that is none": [(it) => it.bdat().send("BDAT x\r\n"), /^501 /],
  "a flood of what is unknown": [(it) => it.bdat().send("WHAT\r\n".repeat(6)), /^421 /],
  "a flood of nothing": [(it) => it.bdat().send("NOOP\r\n".repeat(101)), /^421 /],
  "a flood of empty chunks": [(it) => it.bdat().send("BDAT 0\r\n".repeat(101)), /^421 /],
  "STARTTLS between chunks": [
    (it) => {
      const plain = new Sender(it.memory, { startTls: true });
      plain.bdat().send("STARTTLS\r\n");
      plain.tell(TLS);
      return plain.send("NOOP\r\n");
    },
    /^250 /,
  ],
  "no time left in DATA": [(it) => it.data().tell(TIMEOUT), /^421 4\.4\.2 /],
  "no time left in a chunk": [(it) => it.chunk().tell(TIMEOUT), /^421 4\.4\.2 /],
  "no time left between chunks": [(it) => it.bdat().tell(TIMEOUT), /^421 4\.4\.2 /],
  "the server stopped in DATA": [(it) => it.data().tell(STOP_NOW), /^421 4\.3\.2 /],
  "the server stopped in a chunk": [(it) => it.chunk().tell(STOP_NOW), /^421 4\.3\.2 /],
  "the server stopped between chunks": [(it) => it.bdat().tell(STOP), /^421 4\.3\.2 /],
  "finished while the server stops": [
    (it) => {
      it.data().tell(STOP);
      it.send(".\r\n");
      return it.commit();
    },
    /^421 4\.3\.2 /,
  ],
};

for (const [how, [end, said]] of Object.entries(ENDINGS)) {
  Deno.test(`R8 a message ${how}: its memory is given back`, () => {
    const memory = new Budget(100_000);
    const sender = new Sender(memory);
    const reply = end(sender);
    assert.equal(memory.taken, 0);
    assert.match(reply, said);
    sender.session.abandon();
    assert.equal(memory.taken, 0);
  });
}

for (const where of ["data", "chunk", "bdat", "committing"] as const) {
  Deno.test(`R8 the client gone in ${where}: its memory is given back, once`, () => {
    const memory = new Budget(100_000);
    const sender = new Sender(memory);
    sender[where]();
    sender.session.abandon();
    assert.equal(memory.taken, 0);
    sender.session.abandon();
    assert.equal(memory.taken, 0);
  });
}

Deno.test("R8 what does not fit is refused as soon as that is known, and taken later", () => {
  const memory = new Budget(3000);
  const first = new Sender(memory).data();
  const second = new Sender(memory).data();
  second.send(LARGE);
  const known = new Sender(memory);
  assert.match(known.send("DATA\r\n"), /^452 4\.3\.1 Too much mail at once/);
  assert.match(known.send("BDAT 1 LAST\r\nx"), /^452 4\.3\.1 /);
  // One octet more, and it is over; its memory is another's at once.
  second.send("x");
  assert.equal(memory.taken, 1000);
  assert.match(known.send("MAIL FROM:<a@example.com> SIZE=2001\r\n"), /^250 /);
  assert.match(known.send("RCPT TO:<b@example.net>\r\n"), /^250 /);
  assert.match(known.send("DATA\r\n"), /^452 4\.3\.1 /);
  assert.match(known.send("BDAT 1000 LAST\r\n" + LARGE), /^250 |^$/);
  assert.equal(known.at, "committing");
  assert.match(known.commit(), /^250 /);
  assert.match(second.send("\r\n.\r\n"), /^452 4\.3\.1 /);
  // In step: the next message of the same session goes through.
  assert.match(second.send("MAIL FROM:<a@example.com>\r\n"), /^250 /);
  assert.match(second.send("RCPT TO:<b@example.net>\r\n"), /^250 /);
  assert.match(second.send("DATA\r\n"), /^354 /);
  second.send("x: y\r\n.\r\n");
  assert.match(second.commit(), /^250 /);
  first.send(".\r\n");
  assert.match(first.commit(), /^250 /);
  assert.equal(memory.taken, 0);
});

const words = fc.oneof(
  fc.constantFrom(
    "EHLO x\r\n",
    "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n",
    "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n",
    "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nBDAT 500\r\n",
    "BDAT 700\r\n",
    "BDAT 300 LAST\r\n",
    "BDAT 6000\r\n",
    "RSET\r\n",
    LARGE,
    "x".repeat(300),
    "\r\n.\r\n",
    "\n",
  ),
);
const acts = fc.array(
  fc.record({
    who: fc.nat(2),
    does: fc.oneof(
      { weight: 20, arbitrary: words },
      { weight: 1, arbitrary: fc.constantFrom(TIMEOUT, STOP, STOP_NOW) },
    ),
    kept: fc.boolean(),
  }),
  { maxLength: 60 },
);
const MAY_HOLD: ReadonlySet<string> = new Set(["mail", "content", "chunk", "committing"]);

Deno.test("R8 whatever is sent, never more is taken than there is, and none for nothing", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), acts, (count, acts) => {
      const memory = new Budget(4000);
      const senders = [...Array(count)].map(() => new Sender(memory, { maxUnknownCommands: 1000 }));
      for (const { who, does, kept } of acts) {
        const sender = senders[who % count];
        if (sender.at === "committing") sender.commit(kept ? undefined : replies.notStored);
        if (typeof does === "string") sender.send(does);
        else sender.tell(does);
        assert.ok(memory.taken >= 0 && memory.taken <= 4000);
        if (!senders.some(({ at }) => MAY_HOLD.has(at))) assert.equal(memory.taken, 0);
      }
      for (const { session } of senders) session.abandon();
      assert.equal(memory.taken, 0);
    }),
    { numRuns: 1000 },
  );
});
