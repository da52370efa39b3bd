/**
 * XCLIENT: a proxy says for whom it speaks. As Postfix has defined it: `NAME=value` pairs,
 * values in xtext (RFC 3461 §4), unknown ones `[UNAVAILABLE]` or `[TEMPUNAVAIL]`.
 *
 * Promises: what is claimed has the form that the same thing has when a client says it itself.
 */

import { isAddressLiteral, isDomain, upper } from "./address.ts";
import { decodeXtext } from "./parameters.ts";

/** For whom a proxy speaks. What is absent holds on; `undefined` is not known. */
export interface Claim {
  readonly address?: string;
  readonly port?: number;
  readonly name?: string | undefined;
  readonly helo?: string | undefined;
  readonly esmtp?: boolean;
  readonly user?: string | undefined;
}

export const ATTRIBUTES = ["NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN"] as const;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The attributes; or the name of what is not known or cannot be understood. */
export function parseClaim(text: string, isHelloName: (name: string) => boolean): Claim | string {
  const claim: Mutable<Claim> = {};
  for (const word of text.split(/ +/)) {
    const equals = word.indexOf("=");
    const name = upper(equals < 0 ? word : word.slice(0, equals));
    const value = equals < 0 ? undefined : decodeXtext(word.slice(equals + 1));
    if (value === undefined || value === "") return name;
    const isKnown = !/^\[(UNAVAILABLE|TEMPUNAVAIL)\]$/i.test(value);
    const given = isKnown ? value : undefined;
    switch (name) {
      case "ADDR": {
        const address = given?.replace(/^ipv6:/i, "");
        // An address that is not known stays that of the proxy.
        if (address === undefined) break;
        if (!isAddress(address)) return name;
        claim.address = address;
        break;
      }
      case "PORT":
        if (given === undefined) break;
        if (!/^[0-9]{1,5}$/.test(given) || Number(given) > 65535) return name;
        claim.port = Number(given);
        break;
      case "NAME":
        if (given !== undefined && !isDomain(given)) return name;
        claim.name = given;
        break;
      case "HELO":
        if (given !== undefined && !isHelloName(given)) return name;
        claim.helo = given;
        break;
      case "PROTO":
        if (given === undefined || !/^E?SMTP$/i.test(given)) return name;
        claim.esmtp = upper(given) === "ESMTP";
        break;
      case "LOGIN":
        claim.user = given;
        break;
      // Where the client connected to says nothing that is used here.
      case "DESTADDR":
      case "DESTPORT":
        break;
      default:
        return name;
    }
  }
  return claim;
}

/** Numbers that begin with a zero are octal to some. */
function isAddress(text: string): boolean {
  return text.includes(":")
    ? isAddressLiteral(`[IPv6:${text}]`)
    : isAddressLiteral(`[${text}]`) && !/(?:^|\.)0[0-9]/.test(text);
}
