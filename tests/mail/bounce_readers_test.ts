/** What programs of others make of a bounce, whatever it tells: parsers, list managers, a mail program. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { isAscii } from "../../src/smtp/address.ts";
import {
  type Asked,
  bare,
  bounce,
  hostileReport,
  HOSTNAME,
  joined,
  latin1,
  partsOf,
  safe,
} from "../fakes/bounces.ts";
import { type Field, type Seen, testWithReaders } from "../fakes/bounce_readers.ts";
import { shownByMutt } from "../fakes/bounce_mutt.ts";
import { testWith } from "../fakes/tools.ts";

const valueOf = (fields: readonly Field[], name: string) =>
  fields.find(([each]) => each === name)?.[1];
const plainOf = (text: string) =>
  text.replace(/\\x\{([0-9A-F]+)\}/g, (_, hex) => String.fromCodePoint(parseInt(hex, 16)));
const OURS = "From To Subject Date Message-ID Auto-Submitted MIME-Version Content-Type".split(" ");
const MAY_BE = ["In-Reply-To", "References", "Content-Transfer-Encoding"];

testWithReaders(
  ["email"],
  "B12 whatever was said or sent, Python finds one sound report, and in it what was said",
  async ({ email }) => {
    const property = fc.asyncProperty(hostileReport, async (asked) => {
      const inUtf8 = !isAscii(asked.from!);
      const seen = await email.email(wellFormed(asked), inUtf8);
      assert.deepEqual(seen.defects, []);
      assert.deepEqual([seen.type, seen.report, seen.preamble, seen.epilogue], [
        "multipart/report",
        "delivery-status",
        null,
        "",
      ]);
      const names = seen.fields.map(([name]) => name);
      assert.deepEqual(names.filter((name) => !MAY_BE.includes(name)), OURS);
      assert.deepEqual(seen.parts.map(([type]) => type).slice(0, 2), [
        "text/plain",
        inUtf8 ? "message/global-delivery-status" : "message/delivery-status",
      ]);
      assert.equal(seen.parts.length, asked.original === null ? 2 : 3);
      tellsAll(seen, asked, inUtf8);
    });
    await fc.assert(property, { numRuns: 500 });
  },
);

/** The octets, whose lines are as they must be; those that are returned are their sender's. */
function wellFormed(asked: Asked): Uint8Array {
  const made = bounce(asked);
  const { content: { chunks }, sender } = made;
  const start = latin1(chunks[0]);
  for (const text of [start, latin1(chunks.at(-1)!)]) {
    assert.doesNotMatch(text, /\r(?!\n)|(?<!\r)\n/);
    for (const line of text.split("\r\n")) assert.ok(line.length <= 998, `${line.length} octets`);
  }
  // RFC 5322 §3.2.2: no line of a field is white space alone.
  const [header] = start.split("\r\n\r\n", 1);
  for (const fields of [header, partsOf(made)[1]]) assert.doesNotMatch(fields, /\n[ \t]+\r/);
  const octets = joined(made);
  const is7Bit = octets.every((octet) => octet < 128);
  if (!is7Bit) assert.equal(sender.body, "8BITMIME");
  // deno-lint-ignore no-control-regex -- what is beyond ASCII
  if (isAscii(asked.from!)) assert.doesNotMatch(start, /[^\x00-\x7f]/);
  return octets;
}

function tellsAll({ fields, groups, explanation }: Seen, asked: Asked, inUtf8: boolean): void {
  const { kind, from, sender, about = [] } = asked;
  assert.equal(valueOf(fields, "To"), `<${from}>`);
  const [perMessage, ...perRecipient] = groups;
  assert.equal(perRecipient.length, about.length);
  assert.equal(valueOf(perMessage, "Reporting-MTA"), `dns; ${HOSTNAME}`);
  const envid = valueOf(perMessage, "Original-Envelope-Id");
  assert.equal(envid?.trim(), sender?.envid?.trim());
  const words = bare(explanation);
  for (const [i, group] of perRecipient.entries()) {
    const { to = "", outcome: { host, reply = "", status } = {}, orcpt } = about[i];
    const value = (name: string) => valueOf(group, name);
    assert.deepEqual([value("Action"), value("Status")], [kind, status]);
    const final = plainOf(value("Final-Recipient")!);
    assert.equal(bare(final), bare(`${isAscii(to) ? "rfc822" : "utf-8"};${to}`));
    const [type, ...address] = (value("Original-Recipient") ?? ";").split(";");
    assert.equal(type.toLowerCase(), orcpt?.type.toLowerCase() ?? "");
    assert.equal(bare(plainOf(address.join(";"))), bare(orcpt?.address ?? ""));
    const [name] = host?.split(" ") ?? [];
    const mta = value("Remote-MTA")?.replace(/^dns;/, "");
    assert.equal(mta && bare(mta), name && safe(name, inUtf8));
    const said = value("Diagnostic-Code")!.replace(/^(?:smtp|x-dinopost);/, "");
    assert.equal(bare(said), safe(reply, inUtf8));
    assert.ok(words.includes(bare(to)) && words.includes(safe(reply, true)), explanation);
  }
}

/** Addresses that BounceParser does not take apart; it knows of no UTF-8. */
const plainReport = fc.tuple(hostileReport, fc.constantFrom("bob", "b-o_b+x", "b.o.b"))
  .map(([asked, local]): Asked => ({
    ...asked,
    from: "alice@example.com",
    about: asked.about!.map((each, i) => ({ ...each, to: `${local}${i}@example.net` })),
  }));

testWithReaders(
  ["perl"],
  "B12 whatever was said, BounceParser finds whom, what and why",
  async ({ perl }) => {
    const property = fc.asyncProperty(plainReport, async (asked) => {
      const { kind, about = [], original } = asked;
      const { isBounce, parts, reports } = await perl.parsed(joined(bounce(asked)));
      assert.deepEqual(parts.slice(0, 2), ["text/plain", "message/delivery-status"]);
      assert.equal(parts.length, original === null ? 2 : 3);
      assert.equal(isBounce, kind === "failed");
      if (!isBounce) return;
      assert.deepEqual(
        reports.map(({ email, action, status }) => [email, action, status]),
        about.map(({ to, outcome }) => [to, "failed", outcome!.status]),
      );
      for (const [i, { reason }] of reports.entries()) {
        assert.equal(bare(reason), safe(about[i].outcome!.reply!, false));
      }
    });
    await fc.assert(property, { numRuns: 300 });
  },
);

const LONG = `${"a-name-as-lists-make-them-".repeat(2)}bob@example.net`;
/** Of a server, or of ours; and the reason that Sisimai makes of it. */
const REASONS: [reply: string, status: string, reason: string, host?: string][] = [
  ["550 5.1.1 user unknown", "5.1.1", "userunknown", "mx.example.net [192.0.2.1]"],
  ["552 5.2.2 mailbox full", "5.2.2", "mailboxfull", "mx.example.net [192.0.2.1]"],
  ["552 5.3.4 message too big", "5.3.4", "mesgtoobig", "mx.example.net [192.0.2.1]"],
  ["gave up: 451 4.3.0 later", "4.4.7", "expired", "mx.example.net [192.0.2.1]"],
  ["domain example.net does not exist", "5.1.2", "hostunknown"],
  ["domain example.net takes no mail (null MX)", "5.1.10", "notaccept"],
];

testWithReaders(
  ["perl", "mailman"],
  "B12 Sisimai and Mailman understand whom, what and why",
  async ({ perl, mailman }) => {
    for (const to of ["bob@example.net", LONG]) {
      for (const [reply, status, reason, host] of REASONS) {
        const octets = joined(bounce({ about: [{ to, outcome: { reply, status, host } }] }));
        const [found, ...more] = await perl.analysed(octets);
        assert.deepEqual(more, []);
        assert.deepEqual(
          [found?.recipient, found?.action, found?.deliverystatus, found?.reason],
          [to, "failed", status, reason],
        );
        assert.deepEqual(
          [found.diagnosticcode, found.addresser, found.messageid, found.rhost],
          [reply, "alice@example.com", "m1@example.com", host?.split(" ")[0] ?? HOSTNAME],
        );
        assert.deepEqual(await mailman.listed(octets), { failed: [to], delayed: [] });
      }
    }
    const outcome = { reply: "451 4.3.0 later", status: "4.3.0" };
    const delayed = joined(bounce({ kind: "delayed", about: [{ outcome }] }));
    const [late] = await perl.analysed(delayed);
    assert.deepEqual([late.action, late.deliverystatus], ["delayed", "4.3.0"]);
    const listed = { failed: [], delayed: ["bob@example.net"] };
    assert.deepEqual(await mailman.listed(delayed), listed);
    const told = { reply: "250 2.0.0 taken", status: "2.0.0" };
    const relayed = joined(bounce({ kind: "relayed", about: [{ outcome: told }] }));
    const [handed] = await perl.analysed(relayed);
    assert.deepEqual([handed.action, handed.reason], ["relayed", "delivered"]);
    assert.deepEqual(await mailman.listed(relayed), { failed: [], delayed: [] });
  },
);

testWith("mutt", "B12 Mutt shows all of it to a person, each part decoded", async (mutt) => {
  const original = `Subject: hello\r\nMessage-ID: <m1@example.com>\r\n\r\nthe body\r\n`;
  const shown = await shownByMutt(
    mutt,
    joined(bounce({ about: [{ to: "bö@example.net" }], original })),
  );
  for (
    const words of [
      "\nSubject: Your message could not be delivered\n",
      "\n  bö@example.net\n    mx.example.net [192.0.2.1] said: 550 5.1.1 nobody (RCPT)\n",
      "\nFinal-Recipient: utf-8; b\\x{F6}@example.net\nAction: failed\nStatus: 5.1.1\n",
      "\nDiagnostic-Code: smtp; 550 5.1.1 nobody\n",
      "\nSubject: hello\nMessage-ID: <m1@example.com>\n\nthe body\n",
    ]
  ) assert.ok(shown.includes(words), shown);
});
