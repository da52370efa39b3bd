/** Keys as OpenSSL makes them, and signatures as it verifies them. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { signing } from "../../src/deno/signing.ts";
import { RelaxedBody, relaxedField } from "../../src/mail/canonical.ts";
import { KeyError } from "../../src/ports/signing.ts";
import { testWith } from "../fakes/tools.ts";

const DATA = new TextEncoder().encode("what is signed");

/** Runs it in a folder of its own, which is gone afterwards. */
class Openssl implements AsyncDisposable {
  private constructor(readonly program: string, readonly folder: string) {}

  static async in(program: string): Promise<Openssl> {
    return new Openssl(program, await Deno.makeTempDir());
  }

  async run(command: string): Promise<string> {
    const args = command.split(" ");
    const started = new Deno.Command(this.program, { args, cwd: this.folder, stdin: "null" });
    const { success, stdout, stderr } = await started.output();
    if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  }

  /** What it prints, which then is `key`. */
  async made(command: string): Promise<string> {
    const pem = await this.run(command);
    await this.write("key", pem);
    return pem;
  }

  async write(name: string, content: string | Uint8Array): Promise<void> {
    await Deno.writeFile(
      `${this.folder}/${name}`,
      typeof content === "string" ? new TextEncoder().encode(content) : content,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

const linesOf = (base64: string) => base64.match(/.{1,64}/g)!.join("\n");
const spki = (base64: string) =>
  `-----BEGIN PUBLIC KEY-----\n${linesOf(base64)}\n-----END PUBLIC KEY-----\n`;
/** What stands in front of the key of Ed25519 there, and of a private one (RFC 8410 §10). */
const ED25519_PUBLIC = "302a300506032b6570032100";
const ED25519_PRIVATE = "302e020100300506032b657004220420";

function ed25519Pem(secret: string): string {
  const der = Buffer.concat([Buffer.from(ED25519_PRIVATE, "hex"), Buffer.from(secret, "base64")]);
  const base64 = der.toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${base64}\n-----END PRIVATE KEY-----\n`;
}

for (const bits of [1024, 2048, 4096]) {
  testWith(
    "openssl",
    `S29 RSA of ${bits} bits is read in both forms, and OpenSSL verifies`,
    async (program) => {
      await using openssl = await Openssl.in(program);
      const forms = [
        await openssl.made(`genrsa ${bits}`),
        await openssl.made("rsa -in key -traditional"),
      ];
      assert.match(forms[0], /^-----BEGIN PRIVATE KEY-----\n/);
      assert.match(forms[1], /^-----BEGIN RSA PRIVATE KEY-----\n/);
      for (const pem of forms) {
        const key = await signing.key(pem);
        assert.deepEqual([key.algorithm, key.bits], ["rsa-sha256", bits]);
        await openssl.write("public", spki(key.publicKey));
        await openssl.write("signature", await key.sign(DATA));
        await openssl.write("data", DATA);
        const said = await openssl.run("dgst -sha256 -verify public -signature signature data");
        assert.equal(said, "Verified OK\n");
        const own = await openssl.run("pkey -in key -pubout");
        assert.equal(own, spki(key.publicKey));
      }
    },
  );
}

testWith(
  "openssl",
  "B21 Ed25519 signs the hash of what it is given, and OpenSSL verifies",
  async (program) => {
    await using openssl = await Openssl.in(program);
    const key = await signing.key(await openssl.made("genpkey -algorithm ed25519"));
    assert.equal(key.algorithm, "ed25519-sha256");
    assert.equal(Buffer.from(key.publicKey, "base64").length, 32);
    const der = ED25519_PUBLIC + Buffer.from(key.publicKey, "base64").toString("hex");
    await openssl.write("public", spki(Buffer.from(der, "hex").toString("base64")));
    await openssl.write("signature", await key.sign(DATA));
    const hash = signing.sha256();
    hash.update(DATA);
    await openssl.write("hash", hash.digest());
    const options = "-verify -pubin -inkey public -rawin -in hash -sigfile signature";
    assert.match(await openssl.run(`pkeyutl ${options}`), /Verified Successfully/);
  },
);

testWith("openssl", "S9 text around a key, other line ends and none are borne", async (program) => {
  await using openssl = await Openssl.in(program);
  const pem = await openssl.made("genpkey -algorithm ed25519");
  const { publicKey } = await signing.key(pem);
  const [certificate] = await Promise.all([openssl.run("req -x509 -key key -subj /CN=x")]);
  for (
    const each of [
      pem.replaceAll("\n", "\r\n"),
      pem.replaceAll("\n", " "),
      `Bag Attributes\n  friendlyName: x\n${pem}\n`,
      certificate + pem,
    ]
  ) {
    assert.equal((await signing.key(each)).publicKey, publicKey);
  }
});

/** No eight characters of it stand in an error. */
function tellsNothingOf(pem: string, { message, stack, cause }: Error): void {
  const said = `${message} ${stack} ${cause}`;
  const secret = pem.replace(/-----[^-]*-----|\s/g, "");
  for (let at = 0; at + 8 <= secret.length; at++) {
    assert.ok(!said.includes(secret.slice(at, at + 8)), said);
  }
}

async function refusalOf(pem: string): Promise<string> {
  try {
    await signing.key(pem);
  } catch (error) {
    assert.ok(error instanceof KeyError, String(error));
    tellsNothingOf(pem, error);
    const [, why, accepted] = /^read the key: ([^;]*); (.*)$/.exec(error.message)!;
    assert.match(accepted, /^accepted is .*RSA.*1024 to 4096 bits.*PKCS#1.*PKCS#8.*Ed25519/);
    return why;
  }
  return "none";
}

for (
  const [commands, why] of [
    [["genrsa 1023"], "it is an RSA key of 1023 bits"],
    [["genrsa 512"], "it is an RSA key of 512 bits"],
    [["genrsa 1016", "rsa -in key -traditional"], "it is an RSA key of 1016 bits"],
    [["genrsa 4104"], "it is an RSA key of 4104 bits"],
    [["genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"], "it is a key for EC"],
    [["ecparam -name prime256v1 -genkey"], "it is a key for EC"],
    [["dsaparam -genkey 1024", "dsa -in key"], "it is a key for DSA"],
    [["genpkey -algorithm ed448"], "it is a key for ED448"],
    [["genpkey -algorithm x25519"], "it is a key for X25519"],
    [
      ["genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:1024"],
      "it is a key for RSA-PSS",
    ],
    [["genrsa 1024", "pkcs8 -topk8 -in key -passout pass:x"], "it is encrypted"],
    [["genrsa 1024", "rsa -in key -traditional -aes128 -passout pass:x"], "it is encrypted"],
    [["genrsa 1024", "rsa -in key -pubout"], "it is a public key"],
    [["genrsa 1024", "rsa -in key -RSAPublicKey_out"], "it is a public key"],
    [["genrsa 1024", "req -x509 -key key -subj /CN=x"], "it is a certificate"],
    [["dsaparam 1024"], "it holds no private key"],
  ] as const
) {
  testWith("openssl", `S9 refused: ${commands.join(", then ")}`, async (program) => {
    await using openssl = await Openssl.in(program);
    let pem = "";
    for (const command of commands) pem = await openssl.made(command);
    assert.equal(await refusalOf(pem), why);
  });
}

testWith("openssl", "S9 refused: what is damaged, or is several, or nothing", async (program) => {
  await using openssl = await Openssl.in(program);
  const pem = await openssl.made("genrsa 1024");
  const lines = pem.split("\n");
  const without = (from: number, count: number) => lines.toSpliced(from, count).join("\n");
  for (
    const [given, why] of [
      ["", "it is no PEM"],
      ["secret-secret-secret", "it is no PEM"],
      [lines.slice(1, -2).join("\n"), "it is no PEM"],
      [without(-2, 1), "it is no PEM"],
      [without(0, 1), "it is no PEM"],
      [without(3, 1), "it cannot be read"],
      [without(-3, 1), "it cannot be read"],
      [without(1, lines.length - 3), "it cannot be read"],
      [pem.replace(lines[2], lines[2].replace(/^./, "!")), "it cannot be read"],
      [pem.replace("\n-----END", "!\n-----END"), "it cannot be read"],
      [pem.replaceAll("PRIVATE KEY", "RSA PRIVATE KEY"), "it cannot be read"],
      [pem.replaceAll("PRIVATE KEY", "OPENSSH PRIVATE KEY"), "it is in the form of OpenSSH"],
      [pem.replaceAll("PRIVATE KEY", "ANY PRIVATE KEY"), "it is a key of another kind"],
      [pem + pem, "it is several keys"],
    ]
  ) {
    assert.equal(await refusalOf(given), why, given.slice(0, 40));
  }
});

testWith(
  "openssl",
  "S9 a key with an octet altered is refused, or signs as before",
  async (program) => {
    await using openssl = await Openssl.in(program);
    const pem = await openssl.made("genrsa 1024");
    const der = Buffer.from(pem.replace(/-----.*-----/g, ""), "base64");
    const key = await signing.key(pem);
    const wanted = await key.sign(DATA);
    let refused = 0;
    for (let at = 0; at < der.length; at++) {
      const octets = Buffer.from(der);
      octets[at] ^= 1;
      const text = linesOf(octets.toString("base64"));
      const altered = `-----BEGIN PRIVATE KEY-----\n${text}\n-----END PRIVATE KEY-----\n`;
      try {
        // Some numbers of it can be found anew out of the others.
        const same = await signing.key(altered);
        assert.equal(same.publicKey, key.publicKey);
        assert.deepEqual(await same.sign(DATA), wanted);
      } catch (error) {
        assert.ok(error instanceof KeyError, `${at}: ${error}`);
        refused++;
      }
    }
    assert.ok(refused > 400, `${refused} refused`);
  },
);

testWith("openssl", "B21 keys that are made can be read by us and by OpenSSL", async (program) => {
  await using openssl = await Openssl.in(program);
  for (const [algorithm, bits] of [["rsa-sha256", 2048], ["ed25519-sha256", 256]] as const) {
    const { pem, key } = await signing.generate(algorithm);
    assert.deepEqual([key.algorithm, key.bits], [algorithm, bits]);
    assert.equal((await signing.key(pem)).publicKey, key.publicKey);
    assert.notEqual((await signing.generate("ed25519-sha256")).key.publicKey, key.publicKey);
    await openssl.write("key", pem);
    const said = await openssl.run("pkey -in key -noout -text");
    assert.match(said, bits === 256 ? /^ED25519 / : /^Private-Key: \(2048 bit/);
    assert.equal(await openssl.run("pkey -in key"), pem);
  }
});

Deno.test("the hash of RFC 6234 §8.5, in one piece and in two", () => {
  const hash = signing.sha256();
  hash.update(new TextEncoder().encode("a"));
  hash.update(new TextEncoder().encode("bc"));
  assert.equal(
    Buffer.from(hash.digest()).toString("hex"),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});

/** RFC 8463 §A: the key, the message, and the signature that there can be but one of. */
const SECRET = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const PUBLIC = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const FIELDS = [
  "From: Joe SixPack <joe@football.example.com>\r\n",
  "To: Suzie Q <suzie@shopping.example.net>\r\n",
  "Subject: Is dinner ready?\r\n",
  "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n",
  "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n",
];
const BODY = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
const OWN = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n" +
  " d=football.example.com; i=@football.example.com;\r\n" +
  " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n" +
  " subject : date : message-id : from : subject : date;\r\n" +
  " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=\r\n";
const SIGNATURE = "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus" +
  "Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==";

Deno.test("B21 the example of RFC 8463 §A has the same hash and signature here", async () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  const hash = signing.sha256();
  const relaxed = new RelaxedBody();
  for (const octets of relaxed.push(encode(BODY))) hash.update(octets);
  for (const octets of relaxed.end()) hash.update(octets);
  const bodyHash = Buffer.from(hash.digest()).toString("base64");
  assert.ok(OWN.includes(`bh=${bodyHash};`));
  const key = await signing.key(ed25519Pem(SECRET));
  assert.equal(key.publicKey, PUBLIC);
  const octets = Buffer.concat([...FIELDS, OWN].map((field) => relaxedField(encode(field))));
  const signature = await key.sign(new Uint8Array(octets.subarray(0, -2)));
  assert.equal(Buffer.from(signature).toString("base64"), SIGNATURE);
});
