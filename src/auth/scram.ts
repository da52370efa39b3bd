/**
 * The messages of SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side.
 *
 * Promises: a message that is not to the letter is `undefined`; nothing is decided by its time.
 */

import type { Digests } from "../ports/digests.ts";
import { fromBase64, toBase64 } from "../smtp/sasl.ts";
import type { Verifier } from "./passwords.ts";

type Octets = Uint8Array<ArrayBuffer>;

export interface ClientFirst {
  readonly user: string;
  readonly nonce: string;
  /** Whether it would act for another. */
  readonly actsFor: string;
  /** The message without its beginning about channels. */
  readonly bare: string;
  /** That beginning. */
  readonly channel: string;
}

const utf8 = new TextEncoder();
const strict = () => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function textOf(octets: Uint8Array): string | undefined {
  try {
    const text = strict().decode(octets);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

export function readFirst(octets: Uint8Array): ClientFirst | undefined {
  // `y`: the client could bind the channel, and believes that the server cannot. It is right.
  const [, channel, actsFor = "", bare] =
    /^([ny],(?:a=([^,]+))?,)([^]+)$/.exec(textOf(octets) ?? "") ?? [];
  const [, user, nonce] = /^n=([^,]+),r=([!-+\--~]+)(?:,[A-Za-z]=[^,]*)*$/.exec(bare ?? "") ?? [];
  const names = [nameOf(user ?? ""), nameOf(actsFor)];
  return nonce === undefined || names.includes(undefined)
    ? undefined
    : { user: names[0]!, nonce, actsFor: names[1]!, bare, channel };
}

/** Commas and equals signs are `=2C` and `=3D`. */
function nameOf(text: string): string | undefined {
  return /=(?!2C|3D)/.test(text) ? undefined : text.replace(/=2C/g, ",").replace(/=3D/g, "=");
}

export function serverFirst(
  { nonce }: ClientFirst,
  ours: string,
  { salt, iterations }: Pick<Verifier, "salt" | "iterations">,
): Octets {
  return utf8.encode(`r=${nonce}${ours},s=${toBase64(salt)},i=${iterations}`);
}

/** What proves to the client that we know its verifier too, if it has proved that it does. */
export function serverFinal(
  { first, asked, last }: { first: ClientFirst; asked: Uint8Array; last: Uint8Array },
  { storedKey, serverKey }: Pick<Verifier, "storedKey" | "serverKey">,
  digests: Digests,
): { final: Octets } | "malformed" | "refused" {
  const challenge = textOf(asked)!;
  const [, without, channel, nonce, base64] =
    /^(c=([^,]+),r=([^,]+)(?:,[A-Za-z]=[^,]*)*?),p=([^,]+)$/.exec(textOf(last) ?? "") ?? [];
  const proof = fromBase64(base64 ?? "");
  if (proof?.length !== 32 || fromBase64(channel) === undefined) return "malformed";
  const isOurs = toBase64(utf8.encode(first.channel)) === channel &&
    challenge.startsWith(`r=${nonce},`);
  if (!isOurs) return "refused";
  const message = utf8.encode(`${first.bare},${challenge},${without}`);
  const signature = digests.hmac(storedKey, message);
  const clientKey = proof.map((octet, i) => octet ^ signature[i]);
  if (!digests.same(digests.sha256(clientKey), storedKey)) return "refused";
  return { final: utf8.encode(`v=${toBase64(digests.hmac(serverKey, message))}`) };
}
