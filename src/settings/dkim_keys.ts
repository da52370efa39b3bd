/**
 * The keys that the settings name for DKIM: one, or a directory of them. Which they are is found
 * here alone: when settings are judged, when keys are loaded, and when somebody asks for them.
 */

import type { Environment } from "../ports.ts";
import { isDomain } from "../smtp/address.ts";
import type { Config } from "./table.ts";

export interface DkimKey {
  /** Absent: it signs for whoever sends. */
  readonly domain?: string;
  readonly selector: string;
  /** As PEM. */
  readonly pem: string;
  /** Where it comes from, in words. */
  readonly place: string;
}

export interface DkimKeys {
  /** For the domain that is named with it, or for whoever sends. */
  readonly one?: DkimKey;
  /** For the domains that have keys of their own. */
  readonly ofDomains: readonly (DkimKey & { readonly domain: string })[];
  readonly problems: readonly Problem[];
}

interface Problem {
  readonly names: readonly string[];
  readonly problem: string;
}

type Given = Pick<
  Config,
  "dkimSelector" | "dkimDomain" | "dkimKeyPath" | "dkimPrivateKey" | "dkimKeys"
>;
type Means = Pick<Environment, "readText" | "namesIn">;

/** RFC 6376 §3.1: labels of host names, parted by dots. */
export function isSelector(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/i.test(text) &&
    text.split(".").every((label) => label.length <= 63) && text.length <= 200;
}

export function dkimKeys(given: Given, means: Means): DkimKeys {
  const problems: Problem[] = [];
  const one = oneKey(given, means, problems);
  const { dkimKeys: folder } = given;
  const ofDomains = folder === undefined ? [] : keysIn(folder, means, problems);
  return { one, ofDomains, problems };
}

function oneKey(given: Given, { readText }: Means, problems: Problem[]): DkimKey | undefined {
  const { dkimSelector: selector, dkimDomain: domain, dkimKeyPath: path, dkimPrivateKey } = given;
  const name = dkimPrivateKey === undefined ? "SMTP_DKIM_KEY_PATH" : "SMTP_DKIM_PRIVATE_KEY";
  const wrong = (names: string[], problem: string) => void problems.push({ names, problem });
  const hasKey = dkimPrivateKey !== undefined || path !== undefined;
  if (selector === undefined) {
    if (hasKey) return wrong(["SMTP_DKIM_SELECTOR", name], "a key wants a selector: set both");
    return domain === undefined
      ? undefined
      : wrong(["SMTP_DKIM_DOMAIN"], "there is no key for it: set SMTP_DKIM_SELECTOR and a key");
  }
  if (!hasKey) {
    return wrong(["SMTP_DKIM_SELECTOR"], "there is no key for it: set SMTP_DKIM_KEY_PATH");
  }
  // An environment seldom has lines: their ends are written out.
  const pem = dkimPrivateKey?.replaceAll("\\n", "\n") ?? readText(path!);
  if (typeof pem !== "string") return wrong([name], `cannot read ${path}: ${pem.reason}`);
  return { domain, selector, pem, place: name };
}

/** `<domain>/<selector>.pem`; other names in it are passed over. */
function keysIn(folder: string, { readText, namesIn }: Means, problems: Problem[]) {
  const keys: (DkimKey & { readonly domain: string })[] = [];
  const wrong = (problem: string) => problems.push({ names: ["SMTP_DKIM_KEYS"], problem });
  const domains = namesIn(folder);
  if ("reason" in domains) {
    wrong(`cannot read ${folder}: ${domains.reason}`);
    return keys;
  }
  for (const domain of [...domains].sort()) {
    const files = namesIn(`${folder}/${domain}`);
    if (domain.startsWith(".")) continue;
    if ("reason" in files) {
      // A file beside the folders is nobody's business.
      if (!files.file) wrong(`cannot read ${folder}/${domain}: ${files.reason}`);
      continue;
    }
    for (const file of [...files].sort()) {
      const selector = /^([^.].*)\.pem$/.exec(file)?.[1];
      if (selector === undefined) continue;
      const place = `${folder}/${domain}/${file}`;
      const pem = readText(place);
      if (!isDomain(domain)) wrong(`${place}: ${JSON.stringify(domain)} is no domain`);
      else if (!isSelector(selector)) {
        wrong(`${place}: ${JSON.stringify(selector)} is no selector: labels of a host name`);
      } else if (typeof pem !== "string") wrong(`cannot read ${place}: ${pem.reason}`);
      else keys.push({ domain: domain.toLowerCase(), selector, pem, place });
    }
  }
  if (keys.length === 0 && problems.length === 0) {
    wrong(`no key in ${folder}: keys are <domain>/<selector>.pem`);
  }
  return keys;
}
