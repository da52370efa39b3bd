/** What a server offers to those who say EHLO, as its client reads it (RFC 5321 §4.1.1.1). */

import { upper } from "./address.ts";
import type { Reply } from "./reply.ts";

export interface Offers {
  /** RFC 1870: the largest message; 0 for any size. Absent: sizes are not spoken of. */
  readonly size?: number;
  readonly pipelining: boolean;
  readonly eightBit: boolean;
  readonly utf8: boolean;
  readonly dsn: boolean;
  readonly startTls: boolean;
  readonly requireTls: boolean;
  /** Of AUTH, in upper case. */
  readonly mechanisms: readonly string[];
  /** RFC 9422: in one message. */
  readonly mostRecipients?: number;
}

/** Of who knows HELO only. */
export const NO_OFFERS: Offers = {
  pipelining: false,
  eightBit: false,
  utf8: false,
  dsn: false,
  startTls: false,
  requireTls: false,
  mechanisms: [],
};

/** Of the reply to EHLO; the first line greets. What is not understood is passed over. */
export function offersOf({ lines }: Reply): Offers {
  const offered = new Map<string, string>();
  for (const line of lines.slice(1)) {
    // `AUTH=PLAIN` is how it was offered before RFC 2554.
    const [, keyword, parameters] = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:[ =](.*))?$/.exec(line) ?? [];
    if (keyword === undefined) continue;
    const name = upper(keyword);
    offered.set(name, [offered.get(name), parameters].filter(Boolean).join(" "));
  }
  const size = offered.get("SIZE");
  const most = /(?:^| )RCPTMAX=([1-9][0-9]{0,5})(?: |$)/i.exec(offered.get("LIMITS") ?? "");
  return {
    size: size === undefined ? undefined : /^[0-9]{1,15}$/.test(size) ? Number(size) : 0,
    pipelining: offered.has("PIPELINING"),
    eightBit: offered.has("8BITMIME"),
    utf8: offered.has("SMTPUTF8"),
    dsn: offered.has("DSN"),
    startTls: offered.has("STARTTLS"),
    requireTls: offered.has("REQUIRETLS"),
    mechanisms: upper(offered.get("AUTH") ?? "").split(" ").filter((each) => each !== ""),
    mostRecipients: most === null ? undefined : Number(most[1]),
  };
}
