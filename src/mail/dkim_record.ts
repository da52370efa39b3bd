/** The record in DNS that says with which key a domain signs (RFC 6376 §3.6.1, RFC 8463 §4). */

import type { Algorithm } from "./dkim.ts";

export interface PublishedKey {
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: Algorithm;
  /** In base64. */
  readonly publicKey: string;
}

/** RFC 1035 §3.3.14: a string of a TXT record has no more octets. */
const LONGEST_STRING = 255;

export const nameOf = ({ domain, selector }: Pick<PublishedKey, "domain" | "selector">): string =>
  `${selector}._domainkey.${domain}`;

export function recordOf({ algorithm, publicKey }: PublishedKey): string {
  const kind = algorithm === "rsa-sha256" ? "rsa" : "ed25519";
  return `v=DKIM1; k=${kind}; p=${publicKey}`;
}

/** As a line of a zone, in strings that are short enough. */
export function zoneLine(key: PublishedKey): string {
  const record = recordOf(key);
  const strings = record.match(new RegExp(`.{1,${LONGEST_STRING}}`, "g"))!;
  return strings.length === 1
    ? `${nameOf(key)}. IN TXT "${record}"`
    : `${nameOf(key)}. IN TXT (\n${strings.map((text) => `    "${text}"\n`).join("")})`;
}

/** What is wrong with what is published, if something is. */
export function faultOf(texts: readonly string[], key: PublishedKey): string | undefined {
  const records = texts.map(tagsOf).filter((tags) => (tags.get("v") ?? "DKIM1") === "DKIM1");
  const keys = records.filter((tags) => tags.has("p"));
  if (keys.length === 0) return "no record of DKIM is there";
  // RFC 6376 §3.6.2.2: what a verifier does then is not defined.
  if (keys.length > 1) return `there are ${keys.length} records: leave one`;
  const [tags] = keys;
  const published = tags.get("p")!.replace(/\s+/g, "");
  const kind = tags.get("k") ?? "rsa";
  const wanted = key.algorithm === "rsa-sha256" ? "rsa" : "ed25519";
  if (published === "") return "the key is revoked: p= is empty";
  if (kind !== wanted) return `the record is for ${kind}, the key is for ${wanted}`;
  if (published !== key.publicKey) return "another key is published";
  const hashes = tags.get("h")?.split(":").map((each) => each.trim());
  if (hashes !== undefined && !hashes.includes("sha256")) return "h= leaves out sha256";
  const services = (tags.get("s") ?? "*").split(":").map((each) => each.trim());
  if (!services.includes("*") && !services.includes("email")) return "s= leaves out email";
  return undefined;
}

/** RFC 6376 §3.6.1, t=y: verifiers treat signatures as if there were none. */
export function isTest(texts: readonly string[]): boolean {
  return texts.some((text) => tagsOf(text).get("t")?.split(":").includes("y"));
}

function tagsOf(text: string): Map<string, string> {
  return new Map(
    text.split(";").map((tag) => /^\s*([A-Za-z][A-Za-z0-9_]*)\s*=\s*([^]*?)\s*$/.exec(tag))
      .filter((tag) => tag !== null).map(([, name, value]) => [name, value]),
  );
}
