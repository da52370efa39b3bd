/** The messages of SCRAM-SHA-256 (RFC 5802, RFC 7677), to the letter. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { verifierOf } from "../../src/auth/passwords.ts";
import { readFirst, serverFinal, serverFirst } from "../../src/auth/scram.ts";
import { digests } from "../../src/deno/digests.ts";
import { fromBase64, toBase64 } from "../../src/smtp/sasl.ts";
import { base64, octets, ScramClient, text } from "../fakes/sasl.ts";

/** RFC 7677 §3. */
const CLIENT_FIRST = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SERVER_NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const SERVER_FIRST = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0," +
  "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const CLIENT_FINAL = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0," +
  "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SERVER_FINAL = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

const verifier = await verifierOf(
  "pencil",
  fromBase64("W22ZaJ0SNY7soEsUEjb6gQ==")!,
  4096,
  digests,
);

/** What the server says to the client's last message; to begin with that of RFC 7677. */
function answer(last: string | Uint8Array, first = CLIENT_FIRST, asked = SERVER_FIRST): string {
  const messages = {
    first: readFirst(octets(first))!,
    asked: octets(asked),
    last: typeof last === "string" ? octets(last) : last,
  };
  const result = serverFinal(messages, verifier, digests);
  return typeof result === "string" ? result : text(result.final);
}

Deno.test("RFC 7677 §3: the example, octet by octet", () => {
  const first = readFirst(octets(CLIENT_FIRST))!;
  assert.deepEqual(first, {
    user: "user",
    nonce: "rOprNGfwEbeRWgbNEkqO",
    actsFor: "",
    bare: "n=user,r=rOprNGfwEbeRWgbNEkqO",
    channel: "n,,",
  });
  assert.equal(text(serverFirst(first, SERVER_NONCE, verifier)), SERVER_FIRST);
  assert.equal(answer(CLIENT_FINAL), SERVER_FINAL);
  // The client of these tests says the same.
  const client = new ScramClient({ user: "user", password: "pencil" }, "rOprNGfwEbeRWgbNEkqO");
  assert.equal(client.first, CLIENT_FIRST);
  assert.equal(client.last(SERVER_FIRST), CLIENT_FINAL);
  assert.ok(client.believes(SERVER_FINAL));
});

Deno.test("RFC 5802 §7: a first message with everything that it may have", () => {
  const read = (message: string) => readFirst(octets(message));
  const { user, actsFor, channel, bare, nonce } = read("y,a=b=2Cc,n=d=3D2C,r=a!~+-=,x=1,y=")!;
  assert.deepEqual([user, actsFor, channel, bare, nonce], [
    "d=2C",
    "b,c",
    "y,a=b=2Cc,",
    "n=d=3D2C,r=a!~+-=,x=1,y=",
    "a!~+-=",
  ]);
  assert.equal(read("n,,n=j\u00f6rg,r=x")!.user, "j\u00f6rg");
});

const NOT_FIRST = [
  "",
  "n,,",
  "n,,n=user",
  "n,,n=,r=x",
  "n,,n=user,r=",
  "n,,r=x,n=user",
  "n,,m=new,n=user,r=x",
  "n,n=user,r=x",
  "n,a=,n=user,r=x",
  "x,,n=user,r=x",
  // The channel cannot be bound here: who wants that must not believe it was.
  "p=tls-exporter,,n=user,r=x",
  "n,,n=us=er,r=x",
  "n,,n=us=2cer,r=x",
  "n,a=us=er,n=user,r=x",
  "n,,n=user,r=with space",
  "n,,n=user,r=x,more",
  "n,,n=us\0er,r=x",
  // RFC 5802 §5.1: of either case, letters are different attributes.
  "n,,N=user,r=x",
  "n,,n=user,R=x",
];

Deno.test("RFC 5802 §7: what is no first message", () => {
  for (const message of NOT_FIRST) assert.equal(readFirst(octets(message)), undefined, message);
  assert.equal(readFirst(Uint8Array.of(0x6e, 0x2c, 0x2c, 0x6e, 0x3d, 0xff)), undefined);
});

const PROOF = CLIENT_FINAL.slice(CLIENT_FINAL.indexOf(",p=") + 3);
const NONCE = "rOprNGfwEbeRWgbNEkqO" + SERVER_NONCE;

Deno.test("RFC 5802 §5.1: the last message must be about this exchange", () => {
  const refused = [
    // Another nonce: of the client alone, of the server alone, with more, of another exchange.
    "c=biws,r=rOprNGfwEbeRWgbNEkqO,p=" + PROOF,
    `c=biws,r=${SERVER_NONCE},p=${PROOF}`,
    `c=biws,r=${NONCE}x,p=${PROOF}`,
    `c=biws,r=${NONCE.slice(0, -1)},p=${PROOF}`,
    // Another beginning than it was begun with.
    `c=${base64("y,,")},r=${NONCE},p=${PROOF}`,
    `c=${base64("n,a=other,")},r=${NONCE},p=${PROOF}`,
    // An extension that the proof is not about.
    `c=biws,r=${NONCE},x=1,p=${PROOF}`,
  ];
  for (const last of refused) assert.equal(answer(last), "refused", last);
  // Nor with a proof of just that.
  const client = new ScramClient({ user: "user", password: "pencil" }, "rOprNGfwEbeRWgbNEkqO");
  const proved = (wrong: { nonce?: string; channel?: string }) =>
    answer(client.last(SERVER_FIRST, undefined, wrong));
  assert.equal(proved({}), SERVER_FINAL);
  for (const nonce of ["rOprNGfwEbeRWgbNEkqO", NONCE + "x", NONCE.slice(0, -1), NONCE.slice(1)]) {
    assert.equal(proved({ nonce }), "refused", nonce);
  }
  for (const channel of ["y,,", "n,a=other,", "n,,n=", "x"]) {
    assert.equal(proved({ channel }), "refused", channel);
  }
});

Deno.test("RFC 5802 §7: what is no last message", () => {
  const malformed = [
    "",
    `c=biws,r=${NONCE}`,
    `c=biws,r=${NONCE},p=`,
    `c=biws,r=${NONCE},p=${PROOF},x=1`,
    `c=biws,r=${NONCE},p=${PROOF.slice(0, -4)}`,
    `c=biws,r=${NONCE},p=${base64(new Uint8Array(33))}`,
    `c=biws,r=${NONCE},p=not!base64`,
    `c=!,r=${NONCE},p=${PROOF}`,
    `r=${NONCE},c=biws,p=${PROOF}`,
    `c=biws,r=${NONCE},p=${PROOF}\0`,
    `c=biws,r=${NONCE},P=${PROOF}`,
  ];
  for (const last of malformed) assert.equal(answer(last), "malformed", last);
});

Deno.test("a proof with any other bit proves nothing", () => {
  const proof = fromBase64(PROOF)!;
  for (let bit = 0; bit < proof.length * 8; bit++) {
    const other = Uint8Array.from(proof);
    other[bit >> 3] ^= 1 << (bit & 7);
    assert.equal(answer(`c=biws,r=${NONCE},p=${toBase64(other)}`), "refused", `bit ${bit}`);
  }
});

Deno.test("a last message that was changed anywhere is refused", () => {
  const sound = octets(CLIENT_FINAL);
  fc.assert(fc.property(fc.nat(sound.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
    const changed = Uint8Array.from(sound);
    changed[at] ^= bits;
    assert.match(answer(changed), /^(?:refused|malformed)$/);
  }));
});

Deno.test("a proof of another password, or with another's keys, proves nothing", async () => {
  const client = new ScramClient({ user: "user", password: "pen" }, "rOprNGfwEbeRWgbNEkqO");
  assert.equal(answer(client.last(SERVER_FIRST)), "refused");
  const other = await verifierOf("other", verifier.salt, 4096, digests);
  const messages = {
    first: readFirst(octets(CLIENT_FIRST))!,
    asked: octets(SERVER_FIRST),
    last: octets(CLIENT_FINAL),
  };
  assert.equal(serverFinal(messages, other, digests), "refused");
});
