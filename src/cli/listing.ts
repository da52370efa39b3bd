/**
 * Messages of the store, as many as were asked for, written a page at a time: a queue may be
 * longer than memory.
 */

import { complain } from "../deno/process.ts";
import { columns, write } from "../deno/report.ts";
import type { MessageRow, RecipientRow, RecipientState } from "../ports/store.ts";
import { isAscii } from "../smtp/address.ts";
import { jsonLine } from "./json.ts";
import { STANDARD_LIMIT } from "./options.ts";
import { domainOf, HEADING, messageLines } from "./rows.ts";
import type { Spool } from "./spool.ts";

export interface Wanted {
  readonly states?: readonly RecipientState[];
  readonly text?: string;
  readonly domain?: string;
  readonly oldestFirst: boolean;
  /** 0 for all. */
  readonly limit?: number;
}

/** Messages that are in memory at once. */
const PAGE = 50;

const MORE = "there are more: --limit 0 lists all";

/** How many messages were listed. */
export async function list(
  spool: Spool,
  wanted: Wanted,
  { json, subject }: { json: boolean; subject: boolean },
): Promise<number> {
  const { limit = STANDARD_LIMIT } = wanted;
  const lines = linesOf(spool, wanted, subject);
  let listed = 0;
  for (const page of pages(spool, wanted)) {
    const room = limit === 0 ? Infinity : limit - listed;
    const messages = page.slice(0, room);
    if (json) await write(messages.map(jsonLine).join(""));
    else if (messages.length > 0) {
      await write((listed === 0 ? `${HEADING}\n` : "") + lines(messages));
    }
    listed += messages.length;
    if (page.length <= room) continue;
    if (json) complain(MORE);
    else await write(`${MORE}\n`);
    break;
  }
  return listed;
}

function linesOf({ times }: Spool, { states, domain }: Wanted, subject: boolean) {
  const wanted = (recipient: RecipientRow) =>
    (states === undefined || states.includes(recipient.state)) &&
    (domain === undefined || domainOf(recipient) === domain);
  const shown = { now: times.wall, columns: columns(), subject, wanted };
  return (messages: readonly MessageRow[]) =>
    messages.flatMap((message) => messageLines(message, shown)).map((line) => line + "\n").join("");
}

function* pages({ looks, times }: Spool, wanted: Wanted): Generator<readonly MessageRow[]> {
  const { states, domain, oldestFirst } = wanted;
  // The database knows no case but that of ASCII.
  const atDomain = domain !== undefined && isAscii(domain) ? `@${domain}` : undefined;
  const filter = { states, text: wanted.text ?? atDomain, limit: PAGE };
  const isWanted = ({ recipients }: MessageRow) =>
    domain === undefined ||
    recipients.some((recipient) =>
      domainOf(recipient) === domain && (states?.includes(recipient.state) ?? true)
    );
  let place: { before?: number; after?: number } = oldestFirst ? { after: 0 } : {};
  for (;;) {
    const page = looks.list({ ...filter, ...place }, times);
    if (page.length === 0) return;
    yield page.filter(isWanted);
    const { number } = page.at(-1)!;
    place = oldestFirst ? { after: number } : { before: number };
  }
}
