/** An authority that certifies servers of tests, so that their clients can verify them. */

import "reflect-metadata";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { tls } from "../../src/deno/tls.ts";
import type { TlsSource } from "../../src/inbound/certificates.ts";
import type { KeyPair } from "../../src/ports/tls.ts";

const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const RSA = {
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  modulusLength: 2048,
  publicExponent: Uint8Array.of(1, 0, 1),
};
const DAY = 24 * 60 * 60_000;

export interface Leaf {
  readonly names?: readonly string[];
  readonly algorithm?: "ECDSA" | "RSA";
  readonly from?: number;
  readonly until?: number;
  /** What the key may be used for, and nothing else. */
  readonly usage?: "serverAuth" | "clientAuth";
}

export class Authority {
  readonly #keys: CryptoKeyPair;
  readonly #name: string;
  /** As PEM; what clients trust, unless another one vouches for it. */
  readonly cert: string;
  #issued = 1;

  private constructor(keys: CryptoKeyPair, name: string, cert: string) {
    this.#keys = keys;
    this.#name = name;
    this.cert = cert;
  }

  /** Another one may vouch for it; then its own certificate belongs to the chain of a server. */
  static async make(above?: Authority): Promise<Authority> {
    const keys = await crypto.subtle.generateKey(ECDSA, true, ["sign", "verify"]);
    const signing = above === undefined ? keys : above.#keys;
    // Of two authorities of one name, clients would take the wrong one's key.
    const name = `CN=Authority ${crypto.randomUUID()}`;
    const certificate = await X509CertificateGenerator.create({
      serialNumber: "01",
      subject: name,
      issuer: above === undefined ? name : above.#name,
      ...validity({}),
      signingAlgorithm: ECDSA,
      publicKey: keys.publicKey,
      signingKey: signing.privateKey,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
        await AuthorityKeyIdentifierExtension.create(signing.publicKey),
      ],
    });
    return new Authority(keys, name, certificate.toString("pem"));
  }

  /** A certificate for the server on this machine. */
  certify(leaf: Leaf = {}): Promise<KeyPair> {
    return issue(leaf, (++this.#issued).toString(16).padStart(2, "0"), this.#name, this.#keys);
  }
}

/** For the same server, on nobody's word but its own. */
export const selfSigned = (): Promise<KeyPair> => issue({}, "01");

/** Signed by its own key where there is no authority. */
async function issue(
  leaf: Leaf,
  serialNumber: string,
  authority?: string,
  above?: CryptoKeyPair,
): Promise<KeyPair> {
  const { names = ["localhost"], algorithm = "ECDSA", usage = "serverAuth" } = leaf;
  const keys = await crypto.subtle.generateKey(algorithm === "RSA" ? RSA : ECDSA, true, [
    "sign",
    "verify",
  ]) as CryptoKeyPair;
  const signing = above ?? keys;
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage[usage]]),
    new SubjectAlternativeNameExtension([
      ...names.map((value) => ({ type: "dns" as const, value })),
      { type: "ip", value: "127.0.0.1" },
    ]),
    await AuthorityKeyIdentifierExtension.create(signing.publicKey),
  ];
  const certificate = await X509CertificateGenerator.create({
    serialNumber,
    subject: [{ CN: [names[0]] }],
    issuer: authority ?? [{ CN: [names[0]] }],
    ...validity(leaf),
    signingAlgorithm: ECDSA,
    publicKey: keys.publicKey,
    signingKey: signing.privateKey,
    extensions,
  });
  const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { cert: certificate.toString("pem"), key: PemConverter.encode(key, "PRIVATE KEY") };
}

function validity({ from = Date.now() - DAY, until = Date.now() + 90 * DAY }: Leaf) {
  return { notBefore: new Date(from), notAfter: new Date(until) };
}

/** What a server proves itself with, for good. */
export function sourceOf(pair: KeyPair): TlsSource {
  const context = tls.context(pair);
  return { context: () => context };
}

let made: Promise<{ ca: string; pair: KeyPair }> | undefined;

/** One authority and one certificate, for the tests of a file that need no others. */
export function certified(): Promise<{ ca: string; pair: KeyPair }> {
  return made ??= Authority.make().then(async (authority) => ({
    ca: authority.cert,
    pair: await authority.certify(),
  }));
}

/** The files of a pair in a folder, each put in its place at once, as a renewal does. */
export async function writePair(folder: string, { cert, key }: KeyPair): Promise<void> {
  for (const [name, text] of [["cert.pem", cert], ["key.pem", key]]) {
    await Deno.writeTextFile(`${folder}/${name}.new`, text);
    await Deno.rename(`${folder}/${name}.new`, `${folder}/${name}`);
  }
}
