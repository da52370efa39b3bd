/**
 * Keys for signatures, read from PEM and made. RSA takes milliseconds: WebCrypto does it off this
 * thread.
 *
 * Promises: a key that was taken signs what its public key verifies; no error holds anything of
 * a key.
 */

import { Buffer } from "node:buffer";
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { type Algorithm, KeyError, type Signing, type SigningKey } from "../ports/signing.ts";

type Octets = Uint8Array<ArrayBuffer>;

/** RFC 8301 §3.2: verifiers take no less, and need not take more. */
const LEAST_BITS = 1024;
const MOST_BITS = 4096;
const MADE_BITS = 2048;

const RSA = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
const ED25519 = { name: "Ed25519" };

const ACCEPTED =
  `accepted is an unencrypted RSA key of ${LEAST_BITS} to ${MOST_BITS} bits, as PKCS#1 or PKCS#8, ` +
  `or an Ed25519 key, as PKCS#8`;

export const signing: Signing = {
  async key(pem) {
    const { key, algorithm, pkcs8 } = judged(pem);
    return {
      algorithm,
      publicKey: publishedOf(key, algorithm),
      bits: key.asymmetricKeyDetails?.modulusLength ?? 256,
      sign: algorithm === "rsa-sha256" ? await rsaSigner(pkcs8) : ed25519Signer(key),
    };
  },

  async generate(algorithm) {
    const made = algorithm === "ed25519-sha256" ? ED25519 : {
      ...RSA,
      modulusLength: MADE_BITS,
      publicExponent: new Uint8Array([1, 0, 1]),
    };
    const pair = await crypto.subtle.generateKey(made, true, ["sign", "verify"]) as CryptoKeyPair;
    const der = await crypto.subtle.exportKey("pkcs8", pair.privateKey);
    const lines = Buffer.from(der).toString("base64").match(/.{1,64}/g)!;
    const pem = `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`;
    return { pem, key: await signing.key(pem) };
  },

  sha256() {
    const hash = createHash("sha256");
    return {
      update: (octets) => void hash.update(octets),
      digest: () => new Uint8Array(hash.digest()),
    };
  },
};

/** What can be said against a key without using it. */
export function faultOfKey(pem: string): string | undefined {
  try {
    judged(pem);
    return undefined;
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    return error.message;
  }
}

const refused = (why: string) => new KeyError(`read the key: ${why}; ${ACCEPTED}`);

const sha256Of = (octets: Octets): Octets =>
  new Uint8Array(createHash("sha256").update(octets).digest());

function judged(pem: string): { key: KeyObject; algorithm: Algorithm; pkcs8: Octets } {
  const key = read(pem);
  const algorithm = algorithmOf(key);
  // What its numbers are good for together is looked at here.
  const pkcs8 = attempt(() => new Uint8Array(key.export({ type: "pkcs8", format: "der" })));
  return { key, algorithm, pkcs8 };
}

function read(pem: string): KeyObject {
  const blocks = [...pem.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([^]*?)-----END \1-----/g)];
  const keys = blocks.filter(([, label]) => label.endsWith("PRIVATE KEY"));
  if (keys.length > 1) throw refused("it is several keys");
  if (keys.length === 0) throw refused(insteadOfKey(blocks.map(([, label]) => label)));
  const [[, label, text]] = keys;
  if (label.startsWith("ENCRYPTED ") || text.includes("4,ENCRYPTED")) {
    throw refused("it is encrypted");
  }
  const base64 = text.replace(/\s+/g, "");
  const key = Buffer.from(base64, "base64");
  if (base64 === "" || key.toString("base64") !== base64) throw refused("it cannot be read");
  switch (label) {
    case "PRIVATE KEY":
      return attempt(() => createPrivateKey({ key, format: "der", type: "pkcs8" }));
    case "RSA PRIVATE KEY":
      return attempt(() => createPrivateKey({ key, format: "der", type: "pkcs1" }));
    case "EC PRIVATE KEY":
    case "DSA PRIVATE KEY":
      throw refused(`it is a key for ${label.split(" ")[0]}`);
    case "OPENSSH PRIVATE KEY":
      throw refused("it is in the form of OpenSSH");
    default:
      throw refused("it is a key of another kind");
  }
}

function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch {
    // What is said of a key may hold some of it.
    throw refused("it cannot be read");
  }
}

function insteadOfKey(labels: readonly string[]): string {
  if (labels.includes("CERTIFICATE")) return "it is a certificate";
  if (labels.some((label) => label.endsWith("PUBLIC KEY"))) return "it is a public key";
  return labels.length > 0 ? "it holds no private key" : "it is no PEM";
}

function algorithmOf({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject) {
  if (type === "ed25519") return "ed25519-sha256";
  if (type !== "rsa") throw refused(`it is a key for ${type?.toUpperCase() ?? "something else"}`);
  const bits = details?.modulusLength ?? 0;
  if (bits < LEAST_BITS || bits > MOST_BITS) throw refused(`it is an RSA key of ${bits} bits`);
  return "rsa-sha256";
}

/** RFC 8463 §4.2: of Ed25519 the key alone, which comes last there. */
function publishedOf(key: KeyObject, algorithm: Algorithm): string {
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  return Buffer.from(algorithm === "rsa-sha256" ? spki : spki.subarray(-32)).toString("base64");
}

async function rsaSigner(pkcs8: Octets): Promise<SigningKey["sign"]> {
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, RSA, false, ["sign"]);
  return async (octets) => new Uint8Array(await crypto.subtle.sign(RSA, key, octets));
}

/** The way to another thread and back takes longer than it does. */
function ed25519Signer(key: KeyObject): SigningKey["sign"] {
  // RFC 8463 §3: it signs the hash, and hashes that again in its own way.
  return (octets) => Promise.resolve(new Uint8Array(sign(null, sha256Of(octets), key)));
}
