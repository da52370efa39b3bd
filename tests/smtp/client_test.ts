/** The client's side of a transaction: what it says, and what it makes of the replies. */

import assert from "node:assert/strict";
import { type Consignment, type Decision, type Move, transact } from "../../src/smtp/client.ts";
import { NO_OFFERS, type Offers, offersOf } from "../../src/smtp/offers.ts";
import { parse, type Reply, reply } from "../../src/smtp/reply.ts";
import { parseMailbox } from "../../src/smtp/address.ts";

const ALL: Offers = {
  size: 1000,
  pipelining: true,
  eightBit: true,
  utf8: true,
  dsn: true,
  startTls: false,
  requireTls: false,
  mechanisms: [],
};

const consignment = (to: readonly string[], more: Partial<Consignment> = {}): Consignment => ({
  sender: { mailbox: parseMailbox("a@example.com")!, body: "7BIT", utf8: false },
  recipients: to.map((address) => ({ mailbox: parseMailbox(address)! })),
  size: 500,
  eightBit: false,
  utf8Header: false,
  ...more,
});

/** Runs it against replies given in order; what was said, and what was decided. */
function run(offers: Offers, given: Consignment, replies: readonly string[]) {
  const left = [...replies];
  const said: string[] = [];
  const transaction = transact(offers, given);
  const take = (count: number): Reply[] =>
    left.splice(0, count).map((text) => parse(`${text}\r\n`)!);
  let move = transaction.next([]);
  while (!move.done) {
    const { value }: { value: Move } = move;
    said.push(value.kind === "say" ? value.text : value.empty ? "(nothing)" : "(content)");
    move = transaction.next(take(value.kind === "say" ? value.commands.length : 1));
  }
  assert.deepEqual(left, [], "replies that nobody waited for");
  return { said, decided: move.value.map(inWords) };
}

const inWords = ({ recipient, command, reply: { code } }: Decision) =>
  `${recipient.mailbox.local} ${code} ${command}`;

Deno.test("B20 commands are pipelined where that is offered, in one piece", () => {
  const { said, decided } = run(ALL, consignment(["b@x.example", "c@x.example"]), [
    "250 OK",
    "250 OK",
    "550 5.1.1 no",
    "354 go",
    "250 OK",
  ]);
  assert.deepEqual(said, [
    "MAIL FROM:<a@example.com> SIZE=500\r\nRCPT TO:<b@x.example>\r\n" +
    "RCPT TO:<c@x.example>\r\nDATA\r\n",
    "(content)",
  ]);
  assert.deepEqual(decided, ["b 250 end of DATA", "c 550 RCPT TO"]);
});

Deno.test("without PIPELINING each command waits for its reply", () => {
  const { said, decided } = run(NO_OFFERS, consignment(["b@x.example", "c@x.example"]), [
    "250 OK",
    "450 later",
    "250 OK",
    "354 go",
    "451 later",
  ]);
  assert.deepEqual(said, [
    "MAIL FROM:<a@example.com>\r\n",
    "RCPT TO:<b@x.example>\r\n",
    "RCPT TO:<c@x.example>\r\n",
    "DATA\r\n",
    "(content)",
  ]);
  assert.deepEqual(decided, ["b 450 RCPT TO", "c 451 end of DATA"]);
});

Deno.test("a sender that is refused decides for all, and no content is given", () => {
  const to = ["b@x.example", "c@x.example"];
  const { decided } = run(ALL, consignment(to), ["553 no", "503 no", "503 no", "503 no"]);
  assert.deepEqual(decided, ["b 553 MAIL FROM", "c 553 MAIL FROM"]);
  assert.deepEqual(run(NO_OFFERS, consignment(to), ["553 no"]).decided, decided);
});

Deno.test("nobody accepted: the transaction is ended, by an empty content where it was asked for", () => {
  const refused = run(ALL, consignment(["b@x.example"]), ["250 OK", "550 no", "503 no", "250 OK"]);
  assert.deepEqual([refused.said.at(-1), refused.decided], ["RSET\r\n", ["b 550 RCPT TO"]]);
  const asked = run(ALL, consignment(["b@x.example"]), ["250 OK", "550 no", "354 go", "554 none"]);
  assert.deepEqual([asked.said.at(-1), asked.decided], ["(nothing)", ["b 550 RCPT TO"]]);
  const slow = run(NO_OFFERS, consignment(["b@x.example"]), ["250 OK", "550 no", "250 OK"]);
  assert.deepEqual([slow.said.at(-1), slow.decided], ["RSET\r\n", ["b 550 RCPT TO"]]);
});

Deno.test("a refused DATA decides for those who were accepted; 250 in place of 354 took nothing", () => {
  const data = run(ALL, consignment(["b@x.example"]), ["250 OK", "250 OK", "452 full", "250 OK"]);
  assert.deepEqual([data.said.at(-1), data.decided], ["RSET\r\n", ["b 452 DATA"]]);
  const odd = run(ALL, consignment(["b@x.example"]), ["250 OK", "250 OK", "250 OK", "250 OK"]);
  assert.deepEqual(odd.decided, ["b 451 DATA"]);
});

Deno.test("O8 behind a 421 nothing more is said", () => {
  const { said, decided } = run(NO_OFFERS, consignment(["b@x.example", "c@x.example"]), [
    "250 OK",
    "421 going",
  ]);
  assert.equal(said.length, 2);
  assert.deepEqual(decided, ["b 421 RCPT TO", "c 421 RCPT TO"]);
  const data = run(ALL, consignment(["b@x.example"]), ["250 OK", "250 OK", "421 going"]);
  assert.deepEqual([data.said.length, data.decided], [1, ["b 421 DATA"]]);
});

Deno.test("O8 a 421 takes back what was said to the recipients before it, but no refusal", () => {
  const to = ["b@x.example", "c@x.example", "d@x.example", "e@x.example"];
  const replies = ["250 OK", "250 OK", "550 no", "421 going"];
  const { said, decided } = run(NO_OFFERS, consignment(to), replies);
  assert.equal(said.length, 4);
  assert.deepEqual(decided, ["b 421 RCPT TO", "c 550 RCPT TO", "d 421 RCPT TO", "e 421 RCPT TO"]);
});

Deno.test("what is in vain is not tried: size, 8-bit octets, UTF-8, REQUIRETLS", () => {
  const decide = (offers: Partial<Offers>, more: Partial<Consignment>, to = "b@x.example") => {
    const transaction = transact({ ...ALL, ...offers }, consignment([to], more)).next([]);
    assert.ok(transaction.done, "something was said");
    const [{ reply: { enhanced } }] = transaction.value;
    return enhanced;
  };
  assert.equal(decide({ size: 100 }, {}), "5.3.4");
  assert.equal(decide({ eightBit: false }, { eightBit: true }), "5.6.3");
  assert.equal(decide({ utf8: false }, { utf8Header: true }), "5.6.7");
  assert.equal(decide({ utf8: false }, {}, "bjørn@x.example"), "5.6.7");
  const requireTls = { ...consignment([]).sender, requireTls: true };
  assert.equal(decide({}, { sender: requireTls }), "5.7.30");
});

Deno.test("B22 who cannot be named to a server without SMTPUTF8 fails alone", () => {
  const to = consignment(["böb@x.example", "c@x.example"]);
  const { said, decided } = run({ ...ALL, utf8: false }, to, ["250 OK", "250 OK", "354", "250 OK"]);
  assert.deepEqual(decided, ["böb 550 undefined", "c 250 end of DATA"]);
  assert.ok(!said[0].includes("b\u00f6b"));
});

Deno.test("parameters are given where they are offered, and only there", () => {
  const given = consignment([], {
    sender: {
      mailbox: parseMailbox("a@example.com")!,
      body: "8BITMIME",
      utf8: true,
      ret: "HDRS",
      envid: "id +=\u007e1",
      requireTls: false,
    },
    recipients: [{
      mailbox: parseMailbox("b@x.example")!,
      notify: ["SUCCESS", "DELAY"],
      orcpt: { type: "rfc822", address: "first+one@x.example" },
    }],
  });
  const all = ["250 OK", "250 OK", "354 go", "250 OK"];
  assert.deepEqual(run(ALL, given, all).said[0].split("\r\n").slice(0, 2), [
    "MAIL FROM:<a@example.com> SIZE=500 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id+20+2B+3D~1",
    "RCPT TO:<b@x.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;first+2Bone@x.example",
  ]);
  const bare = { ...NO_OFFERS, pipelining: true };
  assert.deepEqual(run(bare, given, all).said[0].split("\r\n").slice(0, 2), [
    "MAIL FROM:<a@example.com>",
    "RCPT TO:<b@x.example>",
  ]);
});

Deno.test("the offers of a server are read whatever else it says", () => {
  const offers = offersOf(reply(
    250,
    undefined,
    "mx.example greets",
    "size 35882577",
    "8BITMIME",
    "AUTH=LOGIN",
    "AUTH PLAIN xoauth2",
    "LIMITS MAILMAX=3 RCPTMAX=50",
    "X-WHATEVER ...",
    "(nothing)",
  ));
  assert.deepEqual(offers, {
    ...NO_OFFERS,
    size: 35882577,
    eightBit: true,
    mechanisms: ["LOGIN", "PLAIN", "XOAUTH2"],
    mostRecipients: 50,
  });
  assert.equal(offersOf(reply(250, undefined, "x", "SIZE")).size, 0);
});
