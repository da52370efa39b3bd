/** Certificates that nobody has vouched for: they encrypt, and prove nothing. */

import "reflect-metadata";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { KeyPair } from "../ports/tls.ts";
import { asciiDomain } from "../smtp/address.ts";

/** ECDSA over P-256: made in a moment, and known to every client. */
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
/** RFC 5280 §A.1: a common name has no more characters. */
const MOST_COMMON_NAME = 64;

export async function selfSigned(
  hostname: string,
  { from, until }: { from: number; until: number },
): Promise<KeyPair> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const serial = crypto.getRandomValues(new Uint8Array(16));
  // RFC 5280 §4.1.2.2: a positive number.
  serial[0] = serial[0] & 0x7f | 0x40;
  const name = asciiDomain(hostname) ?? hostname;
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: [...serial].map((octet) => octet.toString(16).padStart(2, "0")).join(""),
    name: [{ CN: [name.slice(0, MOST_COMMON_NAME)] }],
    notBefore: new Date(from),
    notAfter: new Date(until),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([{ type: "dns", value: name }]),
    ],
  });
  const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { cert: certificate.toString("pem"), key: PemConverter.encode(key, "PRIVATE KEY") };
}
