/**
 * TLS as a server, over connections of this runtime: its own `startTls` is for clients only.
 *
 * Promises: whatever the handshake comes to, the connection beneath is closed with the secure
 * one, or before it; no failure of either is thrown where nobody waits for it.
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import type { Connection } from "../ports.ts";
import { CertificateError, type SecureConnection, type Tls } from "../ports/tls.ts";
import { shakeHands } from "./secure.ts";

export const tls: Tls = {
  context(pair) {
    const chain = chainOf(pair.cert);
    const secureContext = contextOf(chain, pair.key);
    return {
      ends: Date.parse(chain[0].validTo),
      accept: (connection) => accept(connection, secureContext),
    };
  },
};

/** Curves and algorithms of keys that the runtime can sign handshakes with. */
const KEYS = new Set(["rsa", "prime256v1", "secp384r1", "secp521r1", "ed25519"]);

function contextOf(chain: readonly X509Certificate[], key: string): SecureContext {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(key);
  } catch {
    throw new CertificateError("the key is no PEM private key without a passphrase");
  }
  if (!chain[0].checkPrivateKey(privateKey)) {
    throw new CertificateError("the key does not belong to the certificate");
  }
  const { asymmetricKeyType, asymmetricKeyDetails } = privateKey;
  const kind = asymmetricKeyDetails?.namedCurve ?? asymmetricKeyType!;
  if (!KEYS.has(kind)) throw new CertificateError(`keys of kind ${kind} do not serve here`);
  try {
    return createSecureContext({ cert: chain.join("\n"), key, minVersion: "TLSv1.2" });
  } catch (error) {
    throw new CertificateError(error instanceof Error ? error.message : String(error));
  }
}

/** What is cut in its middle is no chain yet: clients may want just what is missing. */
function chainOf(cert: string): X509Certificate[] {
  const blocks = cert.split(/(?=-----BEGIN CERTIFICATE-----)/)
    .filter((block) => block.startsWith("-----BEGIN CERTIFICATE-----"));
  const chain = blocks.flatMap((block) => certificateOf(block) ?? []);
  if (chain.length === 0) throw new CertificateError("the certificate is no PEM certificate");
  if (chain.length < blocks.length) {
    throw new CertificateError("one certificate of the chain is no PEM certificate");
  }
  return chain;
}

function certificateOf(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

async function accept(
  connection: Connection,
  secureContext: SecureContext,
): Promise<SecureConnection> {
  // What is not in the types: a server's side, over any stream.
  const options = { isServer: true, secureContext } as ConstructorParameters<typeof TLSSocket>[1];
  const lay = (beneath: unknown) => new TLSSocket(beneath as never, options);
  return (await shakeHands(connection, "secure", lay)).secure;
}
