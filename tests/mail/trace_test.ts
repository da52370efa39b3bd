/** What the relay writes in front of a message, whoever sent it. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { examine } from "../../src/mail/headers.ts";
import { prepend } from "../../src/mail/insertion.ts";
import { missing, received } from "../../src/mail/trace.ts";
import { format, parseMailbox } from "../../src/smtp/address.ts";

const recipient = (address: string) => ({ mailbox: parseMailbox(address)! });

const by = { hostname: "mail.example.com", hideClient: false };
const client = { address: "192.0.2.1", port: 1025, helo: "pc.example.com", esmtp: true };
const sender = { mailbox: null, body: "7BIT" as const, utf8: false };
const envelope = {
  id: "01hmx2p4aa0123456789",
  client,
  sender,
  recipients: [recipient("bob@example.net")],
  receivedAt: Date.UTC(2024, 1, 5, 10, 0, 0),
};
const DATE = "Mon, 05 Feb 2024 10:00:00 +0000";

const unfolded = (field: string) => field.replaceAll("\r\n ", " ");
const from = (changes: Partial<typeof client>) =>
  unfolded(received({ ...envelope, client: { ...client, ...changes } }, by))
    .replace(/ by mail\.example\.com .*\r\n$/s, "");

Deno.test("Received tells from where, by whom, how, for whom and when", () => {
  assert.equal(
    received(envelope, by),
    "Received: from pc.example.com ([192.0.2.1]) by mail.example.com (Dinopost)\r\n" +
      " with ESMTP id 01hmx2p4aa0123456789 for <bob@example.net>;\r\n" +
      ` ${DATE}\r\n`,
  );
});

Deno.test("Received names the protocol: SMTP, ESMTP, UTF8SMTP", () => {
  const how = (esmtp: boolean, utf8: boolean) =>
    / with (\S+) id /.exec(unfolded(received({
      ...envelope,
      client: { ...client, esmtp },
      sender: { ...sender, utf8 },
    }, by)))?.[1];
  assert.equal(how(false, false), "SMTP");
  assert.equal(how(true, false), "ESMTP");
  assert.equal(how(true, true), "UTF8SMTP");
});

Deno.test("a client that is to be hidden is not in Received", () => {
  const field = received(envelope, { ...by, hideClient: true });
  assert.match(field, /^Received: by mail\.example\.com \(Dinopost\) with ESMTP id 01hmx/);
  assert.doesNotMatch(field, /192|pc\.example|from/);
});

Deno.test("Received names a recipient that is alone, and never one of several", () => {
  const field = (...recipients: { mailbox: { local: string; domain: string } }[]) =>
    / for (.*); /.exec(unfolded(received({ ...envelope, recipients }, by)))?.[1];
  assert.equal(field(recipient('"a b"@example.net')), '<"a b"@example.net>');
  assert.equal(
    field({ mailbox: { local: "postmaster", domain: "" } }),
    "<postmaster@mail.example.com>",
  );
  assert.equal(field(recipient("a@example.net"), recipient("b@example.net")), undefined);
  assert.equal(field(), undefined);
  assert.equal(field({ mailbox: { local: "a>\r\nBcc: b", domain: "example.net" } }), undefined);
});

Deno.test("Received holds UTF-8 only where the message declared it", () => {
  const field = (utf8: boolean) =>
    received({
      ...envelope,
      sender: { ...sender, utf8 },
      recipients: [recipient("jürgen@example.net")],
    }, by);
  assert.match(field(true), / for <jürgen@example\.net>;/);
  assert.doesNotMatch(field(false), /jürgen| for /);
  assert.equal(
    from({ helo: "bücher.example" }),
    "Received: from [192.0.2.1] (helo b?cher.example)",
  );
});

for (
  const [what, changes, shown] of [
    ["IPv6", { address: "2001:db8::1" }, "pc.example.com ([IPv6:2001:db8::1])"],
    ["a zone", { address: "fe80::1%eth0" }, "pc.example.com ([IPv6:fe80::1])"],
    ["no address", { address: "unix" }, "pc.example.com"],
    ["neither address nor name", { address: "unix", helo: "a:b" }, "unknown (helo a:b)"],
    ["an address literal", { helo: "[192.0.2.7]" }, "[192.0.2.7] ([192.0.2.1])"],
    ["an underscore", { helo: "MY_PC" }, "MY_PC ([192.0.2.1])"],
    ["an apostrophe", { helo: "John's-laptop" }, "[192.0.2.1] (helo John's-laptop)"],
    ["half a literal", { helo: "[::1]" }, "[192.0.2.1] (helo [::1])"],
    ["no name", { helo: "" }, "[192.0.2.1]"],
    ["parentheses", { helo: "a) by (b\\" }, "[192.0.2.1] (helo a\\)?by?\\(b\\\\)"],
    ["a line end", { helo: "a\r\nBcc: b" }, "[192.0.2.1] (helo a??Bcc:?b)"],
  ] as const
) {
  Deno.test(`Received stays sound, whatever a client calls itself: ${what}`, () => {
    assert.equal(from(changes), `Received: from ${shown}`);
  });
}

const odd = fc.string({ unit: fc.constantFrom(...'ab.1:-_()[]\\"<>;@ \t\r\n\0é\u0085\u2028') });
const long = fc.string({ unit: fc.constantFrom("a", "(", "."), maxLength: 2000, size: "max" });

Deno.test("Received is one field of lines that are not too long, whatever it is made of", () => {
  const text = fc.oneof(odd, long);
  fc.assert(
    fc.property(
      fc.record({
        helo: text,
        address: text,
        local: text,
        domain: text,
        id: odd,
        esmtp: fc.boolean(),
      }),
      fc.record({ hostname: odd, hideClient: fc.boolean() }),
      ({ helo, address, local, domain, id, esmtp }, by) => {
        const client = { address, port: 1, helo, esmtp };
        const recipients = [{ mailbox: { local, domain } }];
        const field = received({ ...envelope, id, client, recipients }, by);
        assert.ok(field.startsWith("Received: ") && field.endsWith("\r\n"));
        const inner = field.slice(0, -2);
        assert.doesNotMatch(inner.replaceAll("\r\n ", ""), /[\p{Cc}\u2028\u2029]/u);
        for (const line of inner.split("\r\n")) assert.ok(line.length <= 998, line);
        const { hops, subject } = examine(
          prepend({ chunks: [], size: 0 }, field + "Subject: x\r\n"),
        );
        assert.deepEqual({ hops, subject }, { hops: 1, subject: "x" });
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("no line of Received is over 78 characters where its words are not", () => {
  const label = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(label, label, label, (helo, hostname, local) => {
      const recipients = [recipient(`${local}@${helo}.example.net`)];
      const field = received({ ...envelope, client: { ...client, helo }, recipients }, {
        hostname,
        hideClient: false,
      });
      for (const line of field.split("\r\n")) assert.ok(line.length <= 78, line);
      assert.equal(
        unfolded(field),
        `Received: from ${helo} ([192.0.2.1]) by ${hostname} (Dinopost) with ESMTP ` +
          `id ${envelope.id} for <${format(recipients[0].mailbox)}>; ${DATE}\r\n`,
      );
    }),
  );
});

Deno.test("a message gets the Date and Message-ID that it lacks, and keeps those it has", () => {
  const id = `Message-ID: <${envelope.id}@mail.example.com>\r\n`;
  const date = `Date: ${DATE}\r\n`;
  for (
    const [header, added] of [
      ["Subject: x\r\n", id + date],
      ["Message-ID: <own>\r\n", date],
      ["date: own\r\n", id],
      ["Date: own\r\nmessage-id: <own>\r\n", ""],
    ]
  ) {
    const octets = new TextEncoder().encode(header + "\r\nbody\r\n");
    const message = { chunks: [octets], size: octets.length };
    const fields = missing(examine(message), envelope, "mail.example.com");
    assert.equal(fields, added);
    const { hasDate, hasMessageId } = examine(prepend(message, fields));
    assert.ok(hasDate && hasMessageId);
  }
});

Deno.test("the line of an mbox becomes a field behind those that were added", () => {
  const message = "From a Mon Jan  1\r\nDate: own\r\nMessage-ID: <own>\r\n\r\n";
  const octets = new TextEncoder().encode(message);
  const content = { chunks: [octets], size: octets.length };
  const fields = missing(examine(content), envelope, "mail.example.com");
  assert.equal(fields, "X-Mailbox-Line: ");
  assert.equal(examine(prepend(content, fields)).hasMailboxLine, false);
});
