/** `dinopost dkim keygen`: makes a key, and prints the record that is to be published. */

import { disk } from "../../deno/files.ts";
import { write } from "../../deno/report.ts";
import { signing } from "../../deno/signing.ts";
import { isSelector } from "../../config.ts";
import { zoneLine } from "../../mail/dkim_record.ts";
import { isDomain } from "../../smtp/address.ts";
import * as kind from "../../settings/kinds.ts";
import { action, CommandError, UsageError } from "../command.ts";
import { configure } from "../configure.ts";
import * as status from "../status.ts";
import { whyNotMade } from "../target.ts";
import { plain } from "../words.ts";

export const dkimKeygen = action({
  name: "keygen",
  summary: "makes a key for a domain, under a selector, and prints its record for DNS",
  notes:
    "The key is written to <FOLDER>/<DOMAIN>/<SELECTOR>.pem, for its owner alone: make it as\n" +
    "the user the daemon runs as. Name the folder in SMTP_DKIM_KEYS; SIGHUP reads it again.\n" +
    "Every server knows RSA; a key of Ed25519 beside it costs little, under a selector of its own.",
  options: {
    ed25519: { summary: "a key of Ed25519, in place of RSA with 2048 bits" },
    keys: { value: "FOLDER", summary: "in place of SMTP_DKIM_KEYS", kind: kind.path },
  },
  operands: { name: "DOMAIN SELECTOR", least: 2, most: 2 },
  async run({ ed25519, keys }, [domain, selector]) {
    if (!isDomain(domain)) throw new UsageError(`${JSON.stringify(domain)} is no domain`);
    if (!isSelector(selector)) {
      throw new UsageError(
        `${JSON.stringify(selector)} is no selector: labels of letters, digits and hyphens`,
      );
    }
    const folder = keys ?? folderOfSettings();
    const path = `${folder}/${domain.toLowerCase()}/${selector}.pem`;
    const algorithm = ed25519 ? "ed25519-sha256" : "rsa-sha256";
    const { pem, key } = await signing.generate(algorithm);
    await keep(path, pem);
    const record = zoneLine({ domain, selector, algorithm, publicKey: key.publicKey });
    await write(
      `${plain(path)}: a key of ${ed25519 ? "Ed25519" : `RSA, ${key.bits} bits`}\n` +
        `publish this record, then see dinopost dkim check:\n\n${record}\n`,
    );
    return status.OK;
  },
});

function folderOfSettings(): string {
  const folder = configure({ dev: false, quiet: true })?.config.dkimKeys;
  if (folder !== undefined) return folder;
  throw new CommandError("no folder for keys: set SMTP_DKIM_KEYS, or give --keys", status.CONFIG);
}

async function keep(path: string, pem: string): Promise<void> {
  const { files } = disk;
  try {
    if (files.look(path) !== undefined) {
      throw new CommandError(`write ${path}: it is there already: take another selector`);
    }
    files.makeFolder(path.slice(0, path.lastIndexOf("/")));
    await files.keep(path, [new TextEncoder().encode(pem)]);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`write ${path}: ${whyNotMade(path, error)}`);
  }
}
