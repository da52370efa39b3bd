/** The last message of a client in SCRAM-SHA-256 (RFC 5802 §5.1), and what it is to hear then. */

import type { Digests } from "../ports/digests.ts";
import { fromBase64, toBase64 } from "../smtp/sasl.ts";
import { keysOf, MOST_ITERATIONS } from "./passwords.ts";

export interface Challenged {
  /** Our first message, without its beginning about channels. */
  readonly bare: string;
  readonly challenge: string;
  readonly password: string;
}

const utf8 = new TextEncoder();

/** `undefined` where the challenge is none, or not of our nonce. */
export async function clientFinal(
  { bare, challenge, password }: Challenged,
  digests: Digests,
): Promise<{ final: string; proof: string } | undefined> {
  const [, nonce, base64, iterations] = /^r=([^,]+),s=([^,]+),i=([0-9]{1,8})(?:,|$)/
    .exec(challenge) ?? [];
  const salt = fromBase64(base64 ?? "");
  const ours = /,r=(.*)$/.exec(bare)![1];
  const count = Number(iterations);
  const isOurs = nonce?.startsWith(ours) && nonce.length > ours.length;
  // Whoever asks for more wants only to keep the processor busy.
  if (salt === undefined || !isOurs || !(count > 0 && count <= MOST_ITERATIONS)) return undefined;
  const { clientKey, serverKey } = await keysOf(password, salt, count, digests);
  const without = `c=${toBase64(utf8.encode("n,,"))},r=${nonce}`;
  const message = utf8.encode(`${bare},${challenge},${without}`);
  const signature = digests.hmac(digests.sha256(clientKey), message);
  const proof = clientKey.map((octet, i) => octet ^ signature[i]);
  return {
    final: `${without},p=${toBase64(proof)}`,
    proof: `v=${toBase64(digests.hmac(serverKey, message))}`,
  };
}
