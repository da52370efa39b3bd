/**
 * Names and addresses as this machine resolves them, /etc/hosts included: what an operator
 * means who allows a host by name.
 */

import dns from "node:dns/promises";
import { LookupError, type Resolver } from "../ports.ts";

export const resolver: Resolver = {
  addresses: (host) =>
    orNone(async () => (await dns.lookup(host, { all: true })).map(({ address }) => address)),
  names: (address) => orNone(() => dns.reverse(address)),
};

async function orNone(ask: () => Promise<string[]>): Promise<string[]> {
  try {
    return await ask();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "ENOTFOUND" || code === "ENODATA") return [];
    throw new LookupError(`look up: ${code ?? error}`);
  }
}
