/** What is signed of a message, and in which words. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Means, signatures, type Signer } from "../../src/mail/dkim.ts";
import { binary, contentOf, cutAt, means, text } from "../fakes/dkim.ts";
import { settled } from "../fakes/settled.ts";

/** Signs with 64 octets that say nothing, and keeps what it was given. */
class Notary implements Signer {
  readonly domain: string = "example.com";
  readonly selector: string = "notary";
  readonly algorithm = "ed25519-sha256";
  readonly seen: string[] = [];

  constructor(fields: Partial<Signer> = {}) {
    Object.assign(this, fields);
  }

  sign(octets: Uint8Array): Promise<Uint8Array> {
    this.seen.push(text(octets));
    return Promise.resolve(new Uint8Array(64).fill(1));
  }
}

const EMPTY = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

async function signed(message: string, fields?: Partial<Signer>) {
  const notary = new Notary(fields);
  const field = await signatures(contentOf(message), [notary], means);
  return { field, seen: notary.seen[0], tags: tagsOf(field) };
}

/** The tags of the one field that there is. */
function tagsOf(field: string): Record<string, string> {
  const [name, value] = field.split(/: ?/, 1).concat(field.slice(field.indexOf(":") + 1));
  assert.equal(name, "DKIM-Signature");
  return Object.fromEntries(
    value.replace(/\r\n /g, " ").split(";").map((tag) => {
      const [name, ...value] = tag.trim().split("=");
      return [name, value.join("=").replaceAll(" ", "")];
    }),
  );
}

const LETTER = "From: a@example.com\r\nTo: b@example.net\r\nSubject: x\r\nDate: today\r\n" +
  "Message-ID: <1@example.com>\r\n\r\nHello\r\n";
const OVERSIGNED = "From:From:To:To:Subject:Subject:Date:Date:Message-ID:Message-ID";

Deno.test("S29 a signature says what, whose, when, and nothing that ends", async () => {
  const { field, tags } = await signed(LETTER);
  const { b, bh, ...others } = tags;
  assert.deepEqual(others, {
    v: "1",
    a: "ed25519-sha256",
    c: "relaxed/relaxed",
    d: "example.com",
    s: "notary",
    t: "1709164800",
    h: OVERSIGNED,
  });
  assert.equal(b, btoa("\x01".repeat(64)));
  assert.equal(atob(bh).length, 32);
  assert.ok(field.endsWith("\r\n"));
});

Deno.test("S29 what is hashed of the header: as named, from the last up, the field itself last", async () => {
  const message = "Cc: 1\r\nReceived: x\r\nFrom:\ta@example.com \r\nCC: 2\r\nX-Other: y\r\n" +
    "MIME-Version: 1.0\r\ncc:3\r\nContent-Type: text/plain;\r\n\tcharset=utf-8\r\n\r\n";
  const { seen, field } = await signed(message);
  assert.equal(
    seen,
    "from:a@example.com\r\ncc:3\r\ncc:2\r\ncc:1\r\nmime-version:1.0\r\n" +
      "content-type:text/plain; charset=utf-8\r\ndkim-signature:v=1; a=ed25519-sha256; " +
      "c=relaxed/relaxed; d=example.com; s=notary; t=1709164800; " +
      "h=From:From:To:Subject:Date:Message-ID:Cc:Cc:Cc: MIME-Version:Content-Type; " +
      `bh=${EMPTY}; b=`,
  );
  // The same without what the signature is, folded.
  const unsigned = field.replace(/ b=[^]*$/, " b=").replace(/\r\n /g, " ").toLowerCase();
  assert.ok(seen.toLowerCase().endsWith(unsigned.replace(": ", ":")));
});

for (
  const [what, header, names] of [
    ["what a reader goes by is named once more", LETTER, OVERSIGNED],
    [
      "what is not there, too",
      "From: a@example.com\r\n\r\n",
      "From:From:To:Subject:Date:Message-ID",
    ],
    [
      "the rest as often as it occurs",
      "Sender: a\r\nReply-To: b\r\nReferences: c\r\nIn-Reply-To: c\r\nReply-to: d\r\n\r\n",
      "From:To:Subject:Date:Message-ID:Reply-To:Reply-To:Sender:In-Reply-To:References",
    ],
    [
      "what tells how to read it, and where to say no",
      "List-Unsubscribe-Post: a\r\nList-Unsubscribe: b\r\nAuto-Submitted: c\r\n" +
      "Content-Transfer-Encoding: d\r\nContent-Type: e\r\nMIME-Version: f\r\nCc: g\r\n\r\n",
      "From:To:Subject:Date:Message-ID:Cc:MIME-Version:Content-Type:Content-Transfer-Encoding:" +
      "Auto-Submitted:List-Unsubscribe:List-Unsubscribe-Post",
    ],
    [
      "fields written strangely, but not what is none",
      "FROM \t: a\r\nto\r\n : b\r\n Subject: c\r\nSubject\r\nSubject c: d\r\nDate\x00: e\r\n\r\n" +
      "Subject: f\r\n",
      "From:From:To:To:Subject:Date:Message-ID",
    ],
    ["nothing at all", "\r\nFrom: a\r\n", "From:To:Subject:Date:Message-ID"],
  ] as const
) {
  Deno.test(`B21 in h=: ${what}`, async () => {
    assert.equal((await signed(header)).tags.h, names);
  });
}

Deno.test("S29 a signature stands on lines of 78 columns, and what is longer on its own", async () => {
  const { field } = await signed(`${"Cc: x\r\n".repeat(40)}${LETTER}`, {
    sign: () => Promise.resolve(new Uint8Array(512)),
  });
  const lines = field.split("\r\n");
  assert.equal(lines.pop(), "");
  assert.ok(lines.every((line) => line.length <= 78 && /^(DKIM-Signature:)? \S/.test(line)), field);
  assert.ok(lines.length <= 20, field);
  const domain = `${"a".repeat(60)}.${"b".repeat(60)}.example`;
  const long = (await signed(LETTER, { domain })).field;
  assert.equal(tagsOf(long).d, domain);
  assert.equal(long.split("\r\n").filter((line) => line.length > 78).length, 1);
});

Deno.test("B21 each signer has a field, all at once, and the body is read once", async () => {
  let hashed = 0, made = 0, underWay = 0;
  const counted: Means = {
    ...means,
    sha256() {
      made++;
      const real = means.sha256();
      return { ...real, update: (octets) => (hashed += octets.length, real.update(octets)) };
    },
  };
  const all = Promise.withResolvers<void>();
  const signers = ["one", "two", "three"].map((selector, i) =>
    new Notary({
      selector,
      domain: `${selector}.example`,
      async sign() {
        if (++underWay === 3) all.resolve();
        await all.promise;
        return new Uint8Array(64).fill(i);
      },
    })
  );
  const fields = await signatures(contentOf(LETTER), signers, counted);
  const each = fields.split(/(?=DKIM-Signature:)/).map(tagsOf);
  assert.deepEqual(each.map(({ d, s, b }) => [d, s, atob(b).charCodeAt(0)]), [
    ["one.example", "one", 0],
    ["two.example", "two", 1],
    ["three.example", "three", 2],
  ]);
  assert.deepEqual([made, hashed], [1, "Hello\r\n".length]);
});

Deno.test("nobody signs: nothing is said, and nothing hashed", async () => {
  const sha256 = () => assert.fail("hashed");
  assert.equal(await signatures(contentOf(LETTER), [], { ...means, sha256 }), "");
});

Deno.test("a signer that fails leaves no half of the signatures", async () => {
  const failing = new Notary({ sign: () => Promise.reject(new Error("no key")) });
  const signing = signatures(contentOf(LETTER), [new Notary(), failing], means);
  await assert.rejects(signing, /no key/);
});

const KIB = 1024;

for (
  const [what, body, least, most] of [
    ["text", "All work and no play.\r\n".repeat(1024 * KIB / 23), 4, 4],
    ["little", "x".repeat(255 * KIB), 0, 0],
    ["empty lines before something", `${"\r\n".repeat(1024 * KIB)}x`, 7, 9],
    ["white space", " ".repeat(1024 * KIB), 2, 4],
    ["empty lines at the end", "\r\n".repeat(1024 * KIB), 4, 8],
  ] as const
) {
  Deno.test(`others have their turn while a body is hashed: ${what}`, async () => {
    let pauses = 0, since = 0, longest = 0;
    const watched: Means = {
      ...means,
      sha256() {
        const real = means.sha256();
        return { ...real, update: (octets) => (since += octets.length, real.update(octets)) };
      },
      pause() {
        pauses++;
        longest = Math.max(longest, since);
        since = 0;
        return Promise.resolve();
      },
    };
    await signatures(contentOf(`${LETTER}${body}`), [new Notary()], watched);
    assert.ok(pauses >= least && pauses <= most, `${pauses} pauses`);
    assert.ok(Math.max(longest, since) <= 600 * KIB, `${longest} octets without one`);
  });
}

Deno.test("nothing is signed before a pause has come to its end", async () => {
  const gate = Promise.withResolvers<void>();
  const notary = new Notary();
  const content = contentOf(LETTER + "x".repeat(300 * KIB));
  const paused = Promise.withResolvers<void>();
  const signing = signatures(content, [notary], {
    ...means,
    pause() {
      paused.resolve();
      return gate.promise;
    },
  });
  await paused.promise;
  await settled();
  assert.equal(notary.seen.length, 0);
  gate.resolve();
  await signing;
  assert.equal(notary.seen.length, 1);
});

const messages = fc.array(
  fc.constantFrom("From: a@x.example\r\n", "\r\n", "Subject: b\r\n c\r\n", "d", " ", "\r", "CC:\t"),
  { maxLength: 30 },
).map((parts) => binary(parts.join("")));

Deno.test("the same is signed however a message is cut", async () => {
  await fc.assert(
    fc.asyncProperty(messages, fc.array(fc.nat({ max: 200 })), async (message, places) => {
      const [whole, inPieces] = [new Notary(), new Notary()];
      const fields = await signatures(contentOf(message), [whole], means);
      assert.equal(await signatures(cutAt(message, places), [inPieces], means), fields);
      assert.deepEqual(inPieces.seen, whole.seen);
    }),
    { numRuns: 500 },
  );
});

Deno.test("B21 a domain in UTF-8 signs in its A-labels", async () => {
  assert.equal(
    (await signed(LETTER, { domain: "bücher.example" })).tags.d,
    "xn--bcher-kva.example",
  );
});
