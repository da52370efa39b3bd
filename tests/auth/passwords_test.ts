/** Passwords as they are kept: what is read, what is written, and what is taken for the same. */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  isPassword,
  type Password,
  readPassword,
  scryptOf,
  verifierOf,
  writePassword,
} from "../../src/auth/passwords.ts";
import { digests } from "../../src/deno/digests.ts";
import { CountedDigests } from "../fakes/digests.ts";

const utf8 = new TextEncoder();
const hex = (octets: Uint8Array) =>
  [...octets].map((octet) => octet.toString(16).padStart(2, "0")).join("");

/** RFC 7914 §12, the first 32 octets; the last vector wants a gigabyte. */
const SCRYPT = [
  ["", "", 4, 1, 1, "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"],
  [
    "password",
    "NaCl",
    10,
    8,
    16,
    "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162",
  ],
  [
    "pleaseletmein",
    "SodiumChloride",
    14,
    8,
    1,
    "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2",
  ],
] as const;

for (const [password, salt, ln, r, p, known] of SCRYPT) {
  Deno.test(`RFC 7914 §12: scrypt of ${JSON.stringify(password)}`, async () => {
    const hash = await digests.scrypt(utf8.encode(password), utf8.encode(salt), { ln, r, p }, 64);
    assert.equal(hash.length, 64);
    assert.equal(hex(hash.subarray(0, 32)), known);
  });
}

Deno.test("RFC 7914 §11: PBKDF2-HMAC-SHA-256", async () => {
  const key = await digests.pbkdf2(utf8.encode("Password"), utf8.encode("NaCl"), 80_000);
  assert.equal(hex(key), "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
});

const HASH =
  "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI";
const VERIFIER = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" +
  "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

Deno.test("B7 a hash of scrypt that another program has made is read, checked, and written", async () => {
  const kept = readPassword(HASH)!;
  assert.equal(kept.kind, "scrypt");
  assert.equal(await isPassword("pleaseletmein", kept, digests), true);
  assert.equal(await isPassword("pleaseletmeout", kept, digests), false);
  assert.equal(writePassword(kept as Exclude<Password, { kind: "plain" }>), HASH);
  // With what only fills up base64 it says the same.
  assert.deepEqual(readPassword(HASH.replace("ZGU$", "ZGU=$") + "="), kept);
});

Deno.test("B7 a verifier that another program has made is read, checked, and written", async () => {
  const kept = readPassword(VERIFIER)!;
  assert.equal(kept.kind, "scram");
  assert.equal(await isPassword("pencil", kept, digests), true);
  assert.equal(await isPassword("pencils", kept, digests), false);
  assert.equal(writePassword(kept as Exclude<Password, { kind: "plain" }>), VERIFIER);
});

const LOOKS_LIKE_A_HASH = [
  // Of other programs.
  "$2y$10$abcdefghijklmnopqrstuv",
  "$1$salt$hash",
  "$6$rounds=5000$salt$hash",
  "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA",
  "$y$j9T$salt$hash",
  "$md5,rounds=904$salt$hash",
  "$pbkdf2-sha256$29000$c2FsdA$aGFzaA",
  "{SSHA}c2FsdGhhc2g=",
  "{ssha256.hex}00",
  "{SCRAM-SHA-256}4096,c2FsdA==,a,b",
  "SCRAM-SHA-1$4096:c2FsdA==$a:b",
  "scram-sha-256$4096:c2FsdA==$a:b",
  "SCRAM-SHA-512$4096:c2FsdA==$a:b",
  // Of ours, but not to be checked.
  "$scrypt$",
  HASH.slice(0, 40),
  HASH.replace("ln=14", "ln=0"),
  HASH.replace("ln=14", "ln=99"),
  HASH.replace("r=8", "r=0"),
  HASH.replace("p=1", "p=0"),
  HASH.replace("p=1", "p=17"),
  HASH.replace("ln=14,r=8", "r=8,ln=14"),
  HASH.replace("ln=14,r=8", "ln=20,r=8"),
  HASH.replace("ln=14,r=8", "ln=16,r=1"),
  HASH.replace("ZGU$", "ZG*$"),
  HASH.replace("ZGU$", "ZGV$"),
  HASH + "=====",
  HASH + "$more",
  `$scrypt$ln=14,r=8,p=1$c2FsdA$${btoa("x".repeat(15))}`,
  `$scrypt$ln=14,r=8,p=1$c2FsdA$${btoa("x".repeat(65))}`,
  VERIFIER.slice(0, -2),
  VERIFIER.replace("4096", "0"),
  VERIFIER.replace("4096", "10000001"),
  VERIFIER.replace("4096", "-1"),
  VERIFIER.replace("W22ZaJ0SNY7soEsUEjb6gQ==", ""),
  VERIFIER.replace("WG5d8oPm", "WG5d8oPmAAAA"),
  VERIFIER + ":more",
];

Deno.test("B7 what looks like a hash, and is none that can be checked, is no password", () => {
  for (const text of LOOKS_LIKE_A_HASH) assert.equal(readPassword(text), undefined, text);
});

Deno.test("B7 what has only something of a hash is a password", () => {
  for (const text of ["secret", "$ecret", "$5 and $10", "{brace", "a}b", "a SCRAM-SHA-256", " "]) {
    assert.deepEqual(readPassword(text), { kind: "plain", text });
  }
});

const salts = fc.uint8Array({ minLength: 1, maxLength: 32 }).map((salt) => Uint8Array.from(salt));
const words = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 20 });

Deno.test("B7 what is written is read again, and says nothing of the password", async () => {
  const digests = new CountedDigests();
  await fc.assert(
    fc.asyncProperty(words, salts, fc.integer({ min: 1, max: 1e7 }), async (text, salt, count) => {
      const made = [
        await scryptOf(text, salt, digests),
        await verifierOf(text, salt, count, digests),
      ];
      for (const each of made) {
        const written = writePassword(each);
        assert.deepEqual(readPassword(written), each);
        assert.doesNotMatch(written, /[\r\n,:]$|\s/);
        if (text.length > 8) assert.ok(!written.includes(text) && !written.includes(btoa(text)));
      }
    }),
  );
});

Deno.test("B7 whatever stands there is a password, a hash that is written the same, or refused", () => {
  const pieces = fc.array(
    fc.constantFrom("$", "scrypt", "ln=1", "ln=15", ",", "r=8", "p=1", "SCRAM-SHA-256", ":", "4096")
      .chain((piece) => fc.oneof(fc.constant(piece), fc.base64String({ maxLength: 48 }))),
    { maxLength: 12 },
  ).map((all) => all.join(""));
  fc.assert(fc.property(fc.oneof(pieces, fc.string()), (text) => {
    const read = readPassword(text);
    if (read === undefined) return;
    if (read.kind === "plain") assert.deepEqual(read, { kind: "plain", text });
    else assert.deepEqual(readPassword(writePassword(read)), read);
  }));
});

Deno.test("B7 every cost that is read can be computed", async () => {
  const costs = fc.record({
    ln: fc.integer({ min: 0, max: 8 }),
    r: fc.integer({ min: 0, max: 4 }),
    p: fc.integer({ min: 0, max: 20 }),
  });
  await fc.assert(
    fc.asyncProperty(costs, async ({ ln, r, p }) => {
      const kept = readPassword(HASH.replace("ln=14,r=8,p=1", `ln=${ln},r=${r},p=${p}`));
      if (kept !== undefined) assert.equal(await isPassword("x", kept, digests), false);
    }),
    { numRuns: 30, examples: [[{ ln: 1, r: 1, p: 16 }], [{ ln: 2, r: 4, p: 16 }]] },
  );
});

async function keptAs(text: string, digests: CountedDigests): Promise<Password[]> {
  const salt = Uint8Array.of(1, 2, 3);
  return [
    { kind: "plain", text },
    await scryptOf(text, salt, digests),
    await verifierOf(text, salt, 4096, digests),
  ];
}

Deno.test("B7 a password is itself and no other, however it is kept", async () => {
  const digests = new CountedDigests();
  await fc.assert(fc.asyncProperty(words, words, async (text, other) => {
    for (const kept of await keptAs(text, digests)) {
      assert.equal(await isPassword(text, kept, digests), true);
      assert.equal(await isPassword(other, kept, digests), other === text);
    }
  }));
});

Deno.test("RFC 4013 §2: what looks the same is the same password, and nothing else is", async () => {
  const digests = new CountedDigests();
  for (const kept of await keptAs("Caf\u00e9 IX", digests)) {
    for (const same of ["Cafe\u0301 IX", "Caf\u00e9\u00a0IX", "Ca\u00adf\u00e9 \u2168"]) {
      assert.equal(await isPassword(same, kept, digests), true, escape(same));
    }
    for (const other of ["caf\u00e9 IX", "Cafe IX", "Caf\u00e9IX", "Caf\u00e9 IX "]) {
      assert.equal(await isPassword(other, kept, digests), false, escape(other));
    }
  }
});

const escape = (text: string) => JSON.stringify(text).replace(/[^ -~]/g, (c) => encodeURI(c));

/** Turns of the event loop until something is there. */
async function turnsUntil(something: Promise<unknown>): Promise<number> {
  let isThere = false;
  const done = something.then(() => isThere = true);
  let turns = 0;
  for (; !isThere && turns < 10_000; turns++) {
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
  }
  await done;
  return turns;
}

Deno.test("B7 while a password is checked the event loop turns", async () => {
  const [password, salt] = [utf8.encode("x"), utf8.encode("salt")];
  // On the critical thread each would be there at the first turn.
  assert.ok(await turnsUntil(digests.scrypt(password, salt, { ln: 17, r: 8, p: 1 }, 32)) > 2);
  assert.ok(await turnsUntil(digests.pbkdf2(password, salt, 300_000)) > 2);
});
