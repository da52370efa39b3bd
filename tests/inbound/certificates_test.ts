/** Which certificate serves, while files change, clocks go on and settings are read again. */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { CertificateError } from "../../src/ports/tls.ts";
import { Authority } from "../fakes/certificate.ts";
import { Client } from "../fakes/client.ts";
import { TestServer } from "../fakes/server.ts";
import { DAY, FILES, SECOND, Shelf } from "../fakes/shelf.ts";

const NEXT = { cert: "/next/cert.pem", key: "/next/key.pem" };
const authority = await Authority.make();
const from = Date.UTC(2025, 11, 1);
const certify = (until = Date.UTC(2026, 5, 1)) => authority.certify({ from, until });
const first = await certify(), second = await certify();

Deno.test("S15 the pair of files serves, and changed files from ten seconds after", async () => {
  using shelf = new Shelf(FILES);
  shelf.put(first);
  shelf.certificates.start();
  assert.deepEqual(await shelf.serving(), first);
  const until = new Date("2026-06-01T00:00:00.000Z");
  assert.deepEqual(shelf.logged[0].fields, { file: FILES.cert, until });
  assert.deepEqual(shelf.told(), ["certificate read"]);
  shelf.put(second);
  assert.deepEqual(await shelf.serving(), first);
  shelf.clock.turn(10 * SECOND);
  assert.deepEqual(await shelf.serving(), second);
  assert.deepEqual(shelf.told(), ["certificate read"]);
});

Deno.test("S15 files that stay as they are keep their context, and nothing is said", async () => {
  using shelf = new Shelf(FILES);
  shelf.put(first);
  shelf.certificates.start();
  const context = await shelf.certificates.context();
  shelf.told();
  shelf.clock.turn(3600 * SECOND);
  assert.equal(await shelf.certificates.context(), context);
  assert.deepEqual(shelf.told(), []);
});

Deno.test("S15 a renewal half done keeps the old pair and says why, once", async () => {
  using shelf = new Shelf(FILES);
  shelf.put(first);
  shelf.certificates.start();
  shelf.told();
  const kept = "certificate kept as it was";
  const steps: [string, () => void][] = [
    ["the key does not belong to the certificate", () => shelf.put({ cert: second.cert })],
    ["the certificate is no PEM certificate", () => shelf.put({ cert: "" })],
    ["the certificate is no PEM certificate", () => shelf.put({ cert: second.cert.slice(0, 300) })],
    ["cannot read /cert.pem: no such file", () => delete shelf.files[FILES.cert]],
    ["cannot read /key.pem: no such file", () => {
      shelf.put({ cert: second.cert });
      delete shelf.files[FILES.key];
    }],
    ["the key is no PEM private key without a passphrase", () => shelf.put({ key: "" })],
  ];
  let last = "";
  for (const [problem, step] of steps) {
    step();
    // Longer than one look: it is not told again.
    shelf.clock.turn(60 * SECOND);
    assert.deepEqual(await shelf.serving(), first);
    assert.deepEqual(shelf.told(), problem === last ? [] : [`${kept}: ${problem}`]);
    last = problem;
  }
  shelf.put(second);
  shelf.clock.turn(10 * SECOND);
  assert.deepEqual(await shelf.serving(), second);
  assert.deepEqual(shelf.told(), ["certificate read"]);
});

Deno.test("S15 trouble that was put right is told of when it comes again", () => {
  using shelf = new Shelf(FILES);
  shelf.put(first);
  shelf.certificates.start();
  for (let time = 0; time < 2; time++) {
    shelf.told();
    shelf.put({ key: second.key });
    shelf.clock.turn(10 * SECOND);
    assert.deepEqual(shelf.told(), [
      "certificate kept as it was: the key does not belong to the certificate",
    ]);
    shelf.put(first);
    shelf.clock.turn(10 * SECOND);
  }
});

Deno.test("S15 files that are no pair from the start serve nobody, until they are one", async () => {
  using shelf = new Shelf(FILES);
  shelf.certificates.start();
  await assert.rejects(async () => await shelf.certificates.context(), CertificateError);
  shelf.put(first);
  shelf.clock.turn(10 * SECOND);
  assert.deepEqual(await shelf.serving(), first);
});

Deno.test("B4 settings read again: files are looked at at once, other ones are taken", async () => {
  using shelf = new Shelf(FILES);
  shelf.put(first);
  shelf.certificates.start();
  shelf.put(second);
  shelf.certificates.update(FILES);
  assert.deepEqual(await shelf.serving(), second);
  shelf.put(first, NEXT);
  shelf.certificates.update(NEXT);
  assert.deepEqual(await shelf.serving(), first);
  // The old files are nobody's business any more.
  shelf.put(await certify());
  shelf.clock.turn(10 * SECOND);
  assert.deepEqual(await shelf.serving(), first);
});

Deno.test("B4 settings read again: a bad pair keeps the old one and says so", async () => {
  using shelf = new Shelf(FILES);
  shelf.put(first);
  shelf.certificates.start();
  shelf.told();
  shelf.put({ cert: first.cert, key: second.key }, NEXT);
  shelf.certificates.update(NEXT);
  assert.deepEqual(await shelf.serving(), first);
  assert.deepEqual(shelf.told(), [
    "certificate kept as it was: the key does not belong to the certificate",
  ]);
});

Deno.test("B4 settings read again: files that are named no more serve no longer", async () => {
  using shelf = new Shelf(FILES);
  shelf.put(first);
  shelf.certificates.start();
  shelf.certificates.update(undefined);
  const own = await shelf.serving();
  assert.notDeepEqual(own, first);
  shelf.certificates.update(FILES);
  assert.deepEqual(await shelf.serving(), first);
});

Deno.test("a certificate of files that is soon to end is warned of, once a day", () => {
  using shelf = new Shelf(FILES);
  shelf.put(first);
  shelf.certificates.start();
  const days = (Date.UTC(2026, 5, 1) - shelf.now()) / DAY;
  shelf.told();
  shelf.jump(days - 15);
  shelf.clock.turn(60 * SECOND);
  assert.deepEqual(shelf.told(), []);
  shelf.jump(2);
  shelf.clock.turn(60 * SECOND);
  assert.deepEqual(shelf.told(), ["certificate ends soon"]);
  shelf.clock.turn(DAY);
  assert.deepEqual(shelf.told(), ["certificate ends soon"]);
  shelf.jump(20);
  shelf.clock.turn(DAY);
  assert.deepEqual(shelf.told(), ["certificate has ended"]);
});

const READ = ["bücher.example", "xn--bcher-kva.example"];
for (
  const [hostname, name] of [["mail.example.com"], [`${"x".repeat(60)}.example.com`], READ]
) {
  Deno.test(`S15 with no files one is made for the hostname: ${hostname}`, async () => {
    using shelf = new Shelf(undefined, hostname);
    shelf.certificates.start();
    const made = new X509Certificate((await shelf.serving()).cert);
    assert.equal(made.subjectAltName, `DNS:${name ?? hostname}`);
    assert.equal(made.checkHost(name ?? hostname), name ?? hostname);
    assert.ok(made.verify(made.publicKey));
    assert.equal(made.ca, false);
    const begins = Date.parse(made.validFrom), ends = Date.parse(made.validTo);
    // Clocks of clients may be late; and some trust nothing that lasts longer than 398 days.
    assert.ok(begins <= shelf.now() - DAY && ends > shelf.now() + 300 * DAY);
    assert.ok(ends - begins <= 398 * DAY);
  });
}

Deno.test("S15 one's own is made once, however many clients wait for it", async () => {
  using shelf = new Shelf();
  shelf.certificates.start();
  const waiting = Array.from({ length: 5 }, () => shelf.serving());
  const [one, ...others] = await Promise.all(waiting);
  for (const other of others) assert.equal(other.cert, one.cert);
  shelf.clock.turn(3600 * SECOND);
  assert.equal((await shelf.serving()).cert, one.cert);
  using elsewhere = new Shelf();
  assert.notEqual((await elsewhere.serving()).key, one.key);
});

Deno.test("S15 one's own is made anew a month before its end; until then the old one serves", async () => {
  using shelf = new Shelf();
  shelf.certificates.start();
  const old = await shelf.serving();
  const ends = Date.parse(new X509Certificate(old.cert).validTo);
  shelf.jump((ends - shelf.now()) / DAY - 31);
  shelf.clock.turn(10 * SECOND);
  assert.equal((await shelf.serving()).cert, old.cert);
  const { next } = shelf;
  shelf.jump(2);
  shelf.clock.turn(10 * SECOND);
  assert.equal((await shelf.serving()).cert, old.cert);
  await next;
  const renewed = new X509Certificate((await shelf.serving()).cert);
  assert.ok(Date.parse(renewed.validTo) > shelf.now() + 300 * DAY);
});

Deno.test("S15 one's own that has ended serves nobody: the client waits for the new one", async () => {
  using shelf = new Shelf();
  const old = await shelf.serving();
  shelf.jump(1000);
  const renewed = await shelf.serving();
  assert.notEqual(renewed.cert, old.cert);
  assert.ok(Date.parse(new X509Certificate(renewed.cert).validTo) > shelf.now());
});

Deno.test("S15 clients that come are shown the new certificate, sessions under way go on", async () => {
  using shelf = new Shelf(FILES);
  const [before, after] = [await Authority.make(), await Authority.make()];
  shelf.put(await before.certify());
  shelf.certificates.start();
  await using server = new TestServer({ tls: shelf.certificates, tlsPort: 0 });
  const { port } = server.server.tlsAddresses[0];
  using old = await Client.overTls(port, before.cert);
  await old.reply();
  await assert.rejects(Client.overTls(port, after.cert));
  shelf.put(await after.certify());
  shelf.clock.turn(10 * SECOND);
  using young = await Client.overTls(port, after.cert);
  assert.match(await young.reply(), /^220 /);
  await assert.rejects(Client.overTls(port, before.cert));
  assert.match(await old.ask("EHLO x"), /^250-/);
});
