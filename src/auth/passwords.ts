/**
 * Passwords as they are kept: plain, or as what can only be compared with one. Read and made
 * here, so that the daemon and `dinopost hash-password` cannot differ.
 *
 *     $scrypt$ln=15,r=8,p=1$salt$hash          serves PLAIN and LOGIN
 *     SCRAM-SHA-256$4096:salt$stored:server    serves all three (RFC 5803)
 *
 * Promises: no text made here but a hash holds anything of a password.
 */

import type { Digests, ScryptCost } from "../ports/digests.ts";
import { fromBase64, toBase64 } from "../smtp/sasl.ts";

type Octets = Uint8Array<ArrayBuffer>;

export interface Verifier {
  readonly kind: "scram";
  readonly iterations: number;
  readonly salt: Octets;
  readonly storedKey: Octets;
  readonly serverKey: Octets;
}

export type Password =
  | { readonly kind: "plain"; readonly text: string }
  | {
    readonly kind: "scrypt";
    readonly cost: ScryptCost;
    readonly salt: Octets;
    readonly hash: Octets;
  }
  | Verifier;

export const SALT_OCTETS = 16;
/** 32 MiB, and a twentieth of a second. */
export const COST: ScryptCost = { ln: 15, r: 8, p: 1 };
/** RFC 7677 §4. */
export const ITERATIONS = 4096;
/** For new verifiers: clients compute it once for each connection. */
export const NEW_ITERATIONS = 16_384;

export const MOST_ITERATIONS = 10_000_000;
const MOST_MEMORY = 512 * 1024 * 1024;
const HASH_OCTETS = 32;
const utf8 = new TextEncoder();

/** `undefined` for what begins like a hash, but is none that can be checked. */
export function readPassword(text: string): Password | undefined {
  if (/^SCRAM-/i.test(text)) return readVerifier(text);
  // Others' hashes must not be taken for passwords, and wait for clients that send them.
  return /^(?:\$[a-z0-9,=_-]+\$|\{[a-z0-9._-]+\})/i.test(text)
    ? readScrypt(text)
    : { kind: "plain", text };
}

function readScrypt(text: string): Password | undefined {
  const [, ln, r, p, salt, hash] =
    /^\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,3}),p=([0-9]{1,2})\$([^$]+)\$([^$]+)$/.exec(text) ?? [];
  if (hash === undefined) return undefined;
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  const octets = { salt: fromBase64(padded(salt)), hash: fromBase64(padded(hash)) };
  // RFC 7914 §2 wants N below two to the power of 16 r.
  const sound = cost.ln > 0 && cost.ln < 16 * cost.r && cost.r > 0 && cost.p > 0 && cost.p <= 16 &&
    128 * cost.r * 2 ** cost.ln <= MOST_MEMORY;
  return sound && octets.salt !== undefined && octets.hash !== undefined &&
      octets.hash.length >= 16 && octets.hash.length <= 64
    ? { kind: "scrypt", cost, salt: octets.salt, hash: octets.hash }
    : undefined;
}

function readVerifier(text: string): Verifier | undefined {
  const [, iterations, ...octets] =
    /^SCRAM-SHA-256\$([0-9]{1,8}):([^$:]+)\$([^$:]+):([^$:]+)$/.exec(text) ?? [];
  const [salt, storedKey, serverKey] = octets.map(fromBase64);
  const count = Number(iterations);
  return salt !== undefined && storedKey?.length === HASH_OCTETS &&
      serverKey?.length === HASH_OCTETS && count > 0 && count <= MOST_ITERATIONS
    ? { kind: "scram", iterations: count, salt, storedKey, serverKey }
    : undefined;
}

/** Hashes are often written without what only fills up base64. */
const padded = (base64: string) => base64 + "=".repeat((4 - base64.length % 4) % 4);

export function writePassword(password: Exclude<Password, { kind: "plain" }>): string {
  if (password.kind === "scram") {
    const { iterations, salt, storedKey, serverKey } = password;
    return `SCRAM-SHA-256$${iterations}:${toBase64(salt)}` +
      `$${toBase64(storedKey)}:${toBase64(serverKey)}`;
  }
  const { cost: { ln, r, p }, salt, hash } = password;
  const bare = (octets: Octets) => toBase64(octets).replace(/=+$/, "");
  return `$scrypt$ln=${ln},r=${r},p=${p}$${bare(salt)}$${bare(hash)}`;
}

export async function scryptOf(
  text: string,
  salt: Octets,
  digests: Digests,
): Promise<Password & { kind: "scrypt" }> {
  const hash = await digests.scrypt(prepared(text), salt, COST, HASH_OCTETS);
  return { kind: "scrypt", cost: COST, salt, hash };
}

/** RFC 5802 §3. */
export async function verifierOf(
  text: string,
  salt: Octets,
  iterations: number,
  digests: Digests,
): Promise<Verifier> {
  const { clientKey, serverKey } = await keysOf(text, salt, iterations, digests);
  return { kind: "scram", iterations, salt, storedKey: digests.sha256(clientKey), serverKey };
}

/** What only who knows the password can compute. */
export async function keysOf(
  text: string,
  salt: Octets,
  iterations: number,
  digests: Digests,
): Promise<{ clientKey: Octets; serverKey: Octets }> {
  const salted = await digests.pbkdf2(prepared(text), salt, iterations);
  return {
    clientKey: digests.hmac(salted, utf8.encode("Client Key")),
    serverKey: digests.hmac(salted, utf8.encode("Server Key")),
  };
}

/** Whether it is the password that is kept. */
export async function isPassword(
  text: string,
  kept: Password,
  digests: Digests,
): Promise<boolean> {
  switch (kept.kind) {
    case "plain":
      // Of digests, so that the time tells nothing of the length.
      return digests.same(
        digests.sha256(prepared(text)),
        digests.sha256(prepared(kept.text)),
      );
    case "scrypt": {
      const hash = await digests.scrypt(prepared(text), kept.salt, kept.cost, kept.hash.length);
      return digests.same(hash, kept.hash);
    }
    case "scram": {
      const { storedKey } = await verifierOf(text, kept.salt, kept.iterations, digests);
      return digests.same(storedKey, kept.storedKey);
    }
  }
}

/**
 * What looks the same is the same (RFC 4013 §2): spaces are spaces, what is not seen is not
 * there, and composed characters are as they are composed.
 */
function prepared(text: string): Octets {
  const mapped = text.replace(/[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g, " ")
    .replace(/[\u00ad\u034f\u1806\u180b-\u180d\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]/g, "");
  return utf8.encode(mapped.normalize("NFKC"));
}
