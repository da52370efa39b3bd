/** `dinopost dkim check`: whether DNS has the keys that are signed with. */

import { type DkimKey, dkimKeys } from "../../config.ts";
import { dnsOf } from "../../deno/dns.ts";
import { environment } from "../../deno/environment.ts";
import { write } from "../../deno/report.ts";
import { signing } from "../../deno/signing.ts";
import { faultOf, isTest, nameOf, type PublishedKey, zoneLine } from "../../mail/dkim_record.ts";
import type { Dns } from "../../ports/dns.ts";
import { action, CommandError } from "../command.ts";
import { configure } from "../configure.ts";
import { dev } from "../options.ts";
import * as status from "../status.ts";
import { plain } from "../words.ts";

export const dkimCheck = action({
  name: "check",
  summary: "compares the keys of the settings with DNS; ends with 1 where one differs",
  notes: "The one key without SMTP_DKIM_DOMAIN is looked for at SMTP_HOSTNAME and each of\n" +
    "SMTP_LOCAL_DOMAINS.",
  options: { dev },
  async run({ dev }) {
    const loaded = configure({ dev, quiet: true });
    if (loaded === undefined) return status.CONFIG;
    const { config } = loaded;
    const { one, ofDomains } = dkimKeys(config, environment);
    const senders = [config.hostname, ...config.localDomains ?? []];
    const published = await Promise.all([
      ...(one === undefined ? [] : one.domain === undefined ? senders : [one.domain])
        .map((domain) => publishedOf({ ...one!, domain })),
      ...ofDomains.map(publishedOf),
    ]);
    if (published.length === 0) {
      throw new CommandError(
        "there are no keys: set SMTP_DKIM_KEYS, see dinopost dkim keygen",
        status.CONFIG,
      );
    }
    const dns = dnsOf(config.dnsServers);
    const verdicts = await Promise.all(published.map((key) => verdictOf(key, dns)));
    await write(verdicts.map(({ lines }) => lines).join(""));
    return verdicts.every(({ isGood }) => isGood) ? status.OK : status.FAILED;
  },
});

async function publishedOf(
  { domain, selector, pem }: DkimKey & { readonly domain: string },
): Promise<PublishedKey> {
  const { algorithm, publicKey } = await signing.key(pem);
  return { domain, selector, algorithm, publicKey };
}

async function verdictOf(key: PublishedKey, dns: Dns) {
  const name = nameOf(key);
  const answer = await dns.texts(name);
  if (answer.kind === "unknown") {
    return { isGood: false, lines: `${name}: not known now: ${plain(answer.reason)}\n` };
  }
  const texts = answer.kind === "found" ? answer.records : [];
  const fault = faultOf(texts, key);
  const test = isTest(texts) ? ", for tests only (t=y)" : "";
  return fault === undefined
    ? { isGood: true, lines: `${name}: good, ${key.algorithm}${test}\n` }
    : { isGood: false, lines: `${name}: ${fault}: publish\n${zoneLine(key)}\n` };
}
