/**
 * Signs messages with DKIM (RFC 6376), by RSA or Ed25519 (RFC 8463), with SHA-256 alone
 * (RFC 8301). Header and body are signed in their relaxed form, the whole body, without an end.
 *
 * Promises: one pass over the body, whatever the number of signers; the same content gives the
 * same signatures however its chunks are cut; no stretch of work is long. What a reader goes by,
 * as From and Subject, cannot be added later without the signature failing.
 *
 * A signer that fails makes the whole fail.
 */

import { asciiDomain } from "../smtp/address.ts";
import type { Content } from "../smtp/content.ts";
import { toBase64 } from "../smtp/sasl.ts";
import { RelaxedBody, relaxedField } from "./canonical.ts";
import { type Field, joined, partsOf, valueOf } from "./parts.ts";

type Octets = Uint8Array<ArrayBuffer>;

export type Algorithm = "rsa-sha256" | "ed25519-sha256";

/** A key in the name of a domain. */
export interface Signer {
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: Algorithm;
  /** Hashes the octets and signs, as the algorithm has it (RFC 8463 §3). */
  sign(octets: Octets): Promise<Uint8Array>;
}

export interface Sha256 {
  update(octets: Uint8Array): void;
  digest(): Uint8Array;
}

export interface Means {
  sha256(): Sha256;
  /** Lets others have the thread for a turn. */
  pause(): Promise<void>;
  /** In milliseconds since 1970. */
  readonly now: number;
}

/**
 * What is signed, and whether once more than it occurs: then one that is added, or added at all,
 * breaks the signature (RFC 6376 §8.15).
 */
const SIGNED: readonly (readonly [name: string, once: "more" | "each"])[] = [
  ["From", "more"],
  ["To", "more"],
  ["Subject", "more"],
  ["Date", "more"],
  ["Message-ID", "more"],
  ["Cc", "each"],
  ["Reply-To", "each"],
  ["Sender", "each"],
  ["In-Reply-To", "each"],
  ["References", "each"],
  ["MIME-Version", "each"],
  ["Content-Type", "each"],
  ["Content-Transfer-Encoding", "each"],
  ["Auto-Submitted", "each"],
  ["List-Unsubscribe", "each"],
  ["List-Unsubscribe-Post", "each"],
];
/** By their names in lower case, where they stand in that list. */
const PLACES = new Map(SIGNED.map(([name], place) => [name.toLowerCase(), place]));

/** A body is read in pieces of so many octets. */
const PIECE = 64 * 1024;
/** Octets read and octets hashed between two pauses: 256 KiB of a body are both. */
const TURN = 512 * 1024;

const LINE = 78;
/** What fits in a line behind ` b=`. */
const SIGNATURE_LINE = /.{1,75}/g;

const utf8 = new TextEncoder();

/** The DKIM-Signature fields, one for each signer, to be put in front of the message. */
export async function signatures(
  content: Content,
  signers: readonly Signer[],
  means: Means,
): Promise<string> {
  if (signers.length === 0) return "";
  const { fields: given, body } = partsOf(content);
  const { names, octets } = signedOf(given);
  const bodyHash = toBase64(await hashOf(body, means));
  const time = Math.floor(means.now / 1000);
  const fields = await Promise.all(signers.map(async (signer) => {
    const { domain, selector, algorithm } = signer;
    const field = inLines([
      "DKIM-Signature:",
      " v=1;",
      ` a=${algorithm};`,
      " c=relaxed/relaxed;",
      ` d=${asciiDomain(domain) ?? domain};`,
      ` s=${selector};`,
      ` t=${time};`,
      ...` h=${names.join(": ")};`.split(/(?<=:) /),
      ` bh=${bodyHash};`,
    ]) + "\r\n b=";
    // RFC 6376 §3.7: the field itself is signed last, without what is not there yet, nor its CRLF.
    const own = relaxedField(utf8.encode(field)).subarray(0, -2);
    const signature = await signer.sign(joined([...octets, own]));
    return `${field}${toBase64(signature).match(SIGNATURE_LINE)!.join("\r\n ")}\r\n`;
  }));
  return fields.join("");
}

/** Whether the message says of itself that the domain has signed it. Nothing is verified. */
export function isSignedBy(content: Content, domain: string): boolean {
  const wanted = comparable(domain);
  for (const field of partsOf(content).fields) {
    if (field.name !== "dkim-signature") continue;
    for (const tag of valueOf(field).split(";")) {
      const equals = tag.indexOf("=");
      if (tag.slice(0, Math.max(equals, 0)).trim() !== "d") continue;
      if (comparable(tag.slice(equals + 1).trim()) === wanted) return true;
    }
  }
  return false;
}

/** As domains are told from each other, whichever letters they are written in. */
export const comparable = (domain: string) => (asciiDomain(domain) ?? domain).toLowerCase();

/** The names for `h=`, and what is hashed of the header, in this order. */
function signedOf(fields: readonly Field[]): { names: string[]; octets: Uint8Array[] } {
  const found: (Uint8Array[] | undefined)[] = [];
  for (const { name, octets } of fields) {
    const place = PLACES.get(name);
    if (place !== undefined) (found[place] ??= []).push(octets);
  }
  const names: string[] = [];
  const octets: Uint8Array[] = [];
  for (const [place, [name, once]] of SIGNED.entries()) {
    const all = found[place] ?? [];
    const times = all.length + (once === "more" ? 1 : 0);
    for (let i = 0; i < times; i++) names.push(name);
    // RFC 6376 §5.4.2: of several, the last is signed first.
    for (const field of all.toReversed()) octets.push(relaxedField(field));
  }
  return { names, octets };
}

async function hashOf(body: readonly Uint8Array[], means: Means): Promise<Uint8Array> {
  const hash = means.sha256();
  const relaxed = new RelaxedBody();
  let done = 0;
  const rest = async (octets: number) => {
    done += octets;
    if (done < TURN) return;
    done = 0;
    await means.pause();
  };
  for (const chunk of body) {
    for (let at = 0; at < chunk.length; at += PIECE) {
      const piece = chunk.subarray(at, at + PIECE);
      // A few octets may call for many, and many for none: both are counted.
      for (const octets of relaxed.push(piece)) {
        hash.update(octets);
        await rest(octets.length);
      }
      await rest(piece.length);
    }
  }
  for (const octets of relaxed.end()) hash.update(octets);
  return hash.digest();
}

/** A line ends before a piece that would make it too long (RFC 5322 §2.2.3). */
function inLines(pieces: readonly string[]): string {
  let text = "", line = 0;
  for (const piece of pieces) {
    const fits = line + piece.length <= LINE;
    const next = fits ? piece : ` ${piece.trimStart()}`;
    text += fits ? next : `\r\n${next}`;
    line = (fits ? line : 0) + next.length;
  }
  return text;
}
