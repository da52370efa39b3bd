/** The octets of a message: as the store has them, or else as one of its names in the spool. */

import { disk } from "../../deno/files.ts";
import type { MessageRow } from "../../ports/store.ts";
import { content } from "../../store/reader.ts";
import type { Spool } from "../spool.ts";

export type Octets = { readonly octets: Uint8Array } | { readonly why: string };

export function octetsOf(spool: Spool, message: MessageRow): Octets {
  const { looks, layout } = spool;
  const kept = content(looks, message.number, layout, disk);
  if ("octets" in kept) return kept;
  const octets = ofName(spool, message);
  if (octets !== undefined) return { octets };
  return { why: "damaged" in kept ? kept.damaged : "its octets are no longer kept" };
}

/** A name may have been changed by anybody who may write there: only what was stored counts. */
function ofName({ looks, layout }: Spool, message: MessageRow): Uint8Array | undefined {
  const { number, id, receivedAt, size, recipients } = message;
  const addresses = recipients.map(({ address }) => address);
  const checksum = looks.body(number)?.checksum;
  for (const name of layout.names({ id, receivedAt, addresses }, disk.digest)) {
    const found = disk.files.look(name);
    if (found?.kind !== "file" || found.size !== size) continue;
    const octets = disk.files.read(name);
    if (disk.checksum(octets) === checksum) return octets;
  }
  return undefined;
}
