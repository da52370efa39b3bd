/** S29, B21, S9: whose keys sign a message, and what becomes of it where they cannot. */

import assert from "node:assert/strict";
import { loadConfig } from "../src/config.ts";
import { signing } from "../src/deno/signing.ts";
import { world } from "../src/deno/world.ts";
import { intake } from "../src/intake.ts";
import { Meter } from "../src/meter.ts";
import { fieldsOf } from "../src/ports.ts";
import { Signatures } from "../src/signing.ts";
import { parseMailbox } from "../src/smtp/address.ts";
import { environmentOf } from "./fakes/environment.ts";
import { contentFrom, envelopeOf, TestStore, textOf } from "./fakes/store.ts";

const keys = {
  rsa: (await signing.generate("rsa-sha256")).pem,
  ed25519: (await signing.generate("ed25519-sha256")).pem,
};

interface Given {
  readonly settings: Record<string, string>;
  readonly files?: Record<string, string>;
}

function configOf({ settings, files = {} }: Given) {
  return loadConfig(environmentOf(settings, files), { dev: false }).config;
}

/** Keys as the settings have them. */
function signatures(given: Given) {
  const files: Record<string, string> = { ...given.files };
  const logged: string[] = [];
  const meter = new Meter();
  const { readText, namesIn } = environmentOf({}, files);
  const made = new Signatures(configOf({ ...given, files }), {
    ...world,
    readText,
    namesIn,
    meter,
    log: (_, event, fields = {}) => logged.push(`${event} ${fieldsOf(fields).domain ?? ""}`.trim()),
  });
  /** Who signed: `domain/selector algorithm`. */
  const signed = async (from: string, sender: string | null = from, more = "") => {
    const content = contentFrom(`${more}From: <${from}>\r\nSubject: x\r\n\r\nx\r\n`);
    const fields = await made.sign(content, sender === null ? null : parseMailbox(sender)!);
    const plain = fields.replaceAll(/\r\n[ \t]+/g, "");
    return [...plain.matchAll(/a=([a-z0-9-]+);.*?d=([^;]+);\s*s=([^;]+);/g)]
      .map(([, algorithm, domain, selector]) => `${domain}/${selector} ${algorithm}`).sort();
  };
  return { made, signed, files, logged, counted: meter.signatures.values };
}

const DIRECTORY = {
  settings: { SMTP_DKIM_KEYS: "/keys" },
  files: {
    "/keys/a.example/r.pem": keys.rsa,
    "/keys/a.example/e.pem": keys.ed25519,
    "/keys/b.example/s.pem": keys.ed25519,
    "/keys/xn--bcher-kva.example/s.pem": keys.ed25519,
  },
};

Deno.test("B21 every key of a domain signs, and no other's", async () => {
  const { signed } = signatures(DIRECTORY);
  assert.deepEqual(await signed("x@a.example"), [
    "a.example/e ed25519-sha256",
    "a.example/r rsa-sha256",
  ]);
  assert.deepEqual(await signed("x@B.example"), ["b.example/s ed25519-sha256"]);
  // A domain that stands above signs for those below.
  assert.deepEqual(await signed("x@mail.b.example"), ["b.example/s ed25519-sha256"]);
  assert.deepEqual(await signed("x@bb.example"), []);
  assert.deepEqual(await signed("x@bücher.example"), [
    "xn--bcher-kva.example/s ed25519-sha256",
  ]);
});

Deno.test("S29 the author decides, not the envelope; a bounce has an author too", async () => {
  const { signed } = signatures(DIRECTORY);
  assert.deepEqual(await signed("x@b.example", "y@a.example"), ["b.example/s ed25519-sha256"]);
  assert.deepEqual(await signed("MAILER-DAEMON@b.example", null), ["b.example/s ed25519-sha256"]);
});

Deno.test("S29 what its domain has signed is left alone", async () => {
  const { signed } = signatures(DIRECTORY);
  const by = (domain: string) => `DKIM-Signature: v=1; a=rsa-sha256;\r\n d=${domain}; s=x; b=x\r\n`;
  assert.deepEqual(await signed("x@b.example", undefined, by("b.example")), []);
  assert.deepEqual(await signed("x@b.example", undefined, by("list.example")), [
    "b.example/s ed25519-sha256",
  ]);
});

Deno.test("S29 a domain without a key is counted each time, and told of once", async () => {
  const { signed, logged, counted } = signatures(DIRECTORY);
  for (const from of ["x@c.example", "y@c.example", "x@d.example", "x@b.example"]) {
    await signed(from);
  }
  assert.equal(counted["no key"], 3);
  assert.deepEqual(logged, [
    "mail of a domain without a key is not signed c.example",
    "mail of a domain without a key is not signed d.example",
  ]);
  const none = signatures({ settings: {} });
  assert.deepEqual(await none.signed("x@c.example"), []);
  assert.deepEqual([none.counted["no key"], none.logged], [0, []]);
});

Deno.test("S9 the one key signs for whoever sends, or for the domain that is named", async () => {
  const one = { SMTP_DKIM_SELECTOR: "s", SMTP_DKIM_PRIVATE_KEY: keys.ed25519 };
  const open = signatures({ settings: one });
  assert.deepEqual(await open.signed("x@a.example"), ["a.example/s ed25519-sha256"]);
  const named = signatures({ settings: { ...one, SMTP_DKIM_DOMAIN: "a.example" } });
  assert.deepEqual(await named.signed("x@c.example"), ["a.example/s ed25519-sha256"]);
  const path = { SMTP_DKIM_SELECTOR: "s", SMTP_DKIM_KEY_PATH: "/key" };
  const fromFile = signatures({ settings: path, files: { "/key": keys.rsa } });
  assert.deepEqual(await fromFile.signed("x@a.example"), ["a.example/s rsa-sha256"]);
  const beside = signatures({ ...DIRECTORY, settings: { ...one, SMTP_DKIM_KEYS: "/keys" } });
  assert.deepEqual(await beside.signed("x@b.example"), ["b.example/s ed25519-sha256"]);
  assert.deepEqual(await beside.signed("x@c.example"), ["c.example/s ed25519-sha256"]);
});

Deno.test("B4 keys are read again; what cannot be used leaves the old ones", async () => {
  const { made, signed, files, logged } = signatures(DIRECTORY);
  files["/keys/c.example/s.pem"] = keys.ed25519;
  made.update(configOf({ ...DIRECTORY, files }));
  assert.deepEqual(await signed("x@c.example"), ["c.example/s ed25519-sha256"]);
  files["/keys/c.example/s.pem"] = "-----BEGIN PUBLIC KEY-----";
  made.update(configOf(DIRECTORY));
  assert.deepEqual(await signed("x@c.example"), ["c.example/s ed25519-sha256"]);
  assert.deepEqual(logged, ["DKIM keys not read, the old ones stay"]);
});

Deno.test("S29 what cannot be signed is not taken: 451, and a line in the log", async () => {
  await using test = await TestStore.open();
  const logged: string[] = [];
  const rules = () =>
    ({ hostname: "h.example", hideClient: false, state: "held", minFree: 0 }) as const;
  const handler = intake(
    test.store,
    { log: (level, event) => logged.push(`${level} ${event}`), meter: new Meter() },
    rules,
    () => Promise.reject(new Error("no key")),
  );
  assert.equal((await handler(envelopeOf())).code, 451);
  assert.deepEqual(logged, ["error message not signed"]);
  assert.equal((await test.store.stats()).accepted, 0);
});

Deno.test("S29 a signature stands behind the trace, and covers what was added", async () => {
  await using test = await TestStore.open();
  const { made } = signatures(DIRECTORY);
  const rules = () =>
    ({ hostname: "h.example", hideClient: false, state: "held", minFree: 0 }) as const;
  const handler = intake(test.store, { log() {}, meter: new Meter() }, rules, made.sign);
  const text = "From: x@b.example\r\n\r\nx\r\n";
  assert.equal((await handler(envelopeOf({ text }))).code, 250);
  const stored = await textOf(test.store.content(1));
  const names = stored.split("\r\n\r\n")[0].replaceAll(/\r\n[ \t]+/g, "").split("\r\n")
    .map((line) => line.split(":")[0]);
  assert.deepEqual(names, ["Received", "DKIM-Signature", "Message-ID", "Date", "From"]);
  assert.match(stored.replaceAll(/\r\n[ \t]+/g, ""), /h=[^;]*Message-ID:Message-ID/i);
});
