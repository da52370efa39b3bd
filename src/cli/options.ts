/** Options that several commands have. */

import * as kind from "../settings/kinds.ts";
import { isAddressLiteral, isDomain } from "../smtp/address.ts";
import type { Flag, Valued } from "./command.ts";

export const dev: Flag = { summary: "with the settings of development: the spool ./data/dev" };

export const json: Flag = { summary: "as JSON, times as in ISO 8601" };

export const jsonLines: Flag = { summary: "as JSON, an object a line, times as in ISO 8601" };

export const limit: Valued<number> = {
  value: "N",
  summary: "at most so many messages, 100 unless told; 0 for all",
  kind: kind.whole(0, 1e9),
};
export const STANDARD_LIMIT = 100;

export const domain: Valued<string> = {
  value: "DOMAIN",
  summary: "of messages to this domain, just as it stands in their addresses",
  kind: {
    accepted: "a domain, as example.net",
    read: (text) => isDomain(text) || isAddressLiteral(text) ? text.toLowerCase() : undefined,
  },
};
