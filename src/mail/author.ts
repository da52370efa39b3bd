/**
 * Whose a message is: the domain of its author (RFC 5322 §3.6.2).
 *
 * What can be read in two ways is not read: then nobody is its author.
 */

import { isDomain } from "../smtp/address.ts";
import type { Content } from "../smtp/content.ts";
import { partsOf, valueOf } from "./parts.ts";

/** The domain of the first address in From, in lower case. */
export function authorDomain(content: Content): string | undefined {
  const authors = partsOf(content).fields.filter(({ name }) => name === "from");
  // There is one (RFC 5322 §3.6). Of several, programs differ in which they show.
  return authors.length === 1 ? firstDomain(valueOf(authors[0])) : undefined;
}

/** RFC 5322 §3.4. What can be read in two ways is not read. */
function firstDomain(addresses: string): string | undefined {
  // RFC 5322 §4.4: of old, a route could stand in front of an address.
  const text = plain(addresses)?.replace(/<\s*@[^<>:]*:/g, "<");
  for (const [, member, end] of text?.matchAll(/([^,;:]*)([,;:]|$)/g) ?? []) {
    const isAddress = /[<>@]/.test(member);
    // The name of a group, or half a name without the quotes that it should have.
    if (!isAddress) continue;
    const [, named, bare] = /^[^<>]*<([^<>]*)>\s*$|^([^<>]*)$/.exec(member) ?? [];
    const [local, domain, ...more] = (named ?? bare ?? "").split("@");
    const name = domain?.replace(/ ?\. ?/g, ".").trim();
    const isWhole = end !== ":" && more.length === 0 && local.trim() !== "" && isDomain(name ?? "");
    return isWhole ? name.toLowerCase() : undefined;
  }
  return undefined;
}

/** Without comments, and with marks for quoted strings and literals: they may hold anything. */
function plain(text: string): string | undefined {
  let out = "", depth = 0, until = "", isGap = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === "\\" && (depth > 0 || until !== "")) at++;
    else if (until !== "") {
      if (character === until) until = "";
    } else if (character === "(") depth++;
    else if (depth > 0) {
      if (character === ")") depth--;
      isGap = true;
    } else if (/\s/.test(character)) isGap = true;
    else {
      out += isGap ? ` ${character}` : character;
      isGap = false;
      if (character === '"') until = '"';
      if (character === "[") until = "]";
    }
  }
  return depth > 0 || until !== "" ? undefined : out;
}
