/** Whose keys sign, and what becomes of mail that cannot be signed. */

import type { Mutant } from "./mutant.ts";

const SIGNING = "src/signing.ts";
const tests = ["tests/signing_test.ts"];

export const signing: readonly Mutant[] = [
  {
    row: "S29",
    what: "what its domain has signed is signed again",
    file: SIGNING,
    find: "signers.filter((signer) => !isSignedBy(content, signer.domain))",
    put: "signers",
    tests,
  },
  {
    row: "S29",
    what: "mail goes out unsigned where it cannot be signed",
    file: "src/intake.ts",
    find: "      return replies.notSigned;\n",
    put: '      signature = "";\n',
    tests,
  },
  {
    row: "S29",
    what: "a domain without a key is told of each time",
    file: SIGNING,
    find: "if (this.#told.has(domain) ||",
    put: "if (",
    tests,
  },
  {
    row: "S29",
    what: "the envelope decides whose keys sign",
    file: SIGNING,
    find: "authorDomain(content) ?? sender?.domain.toLowerCase()",
    put: "sender?.domain.toLowerCase()",
    tests,
  },
  {
    row: "B21",
    what: "of a domain's keys one signs",
    file: SIGNING,
    find: 'for (const loaded of this.#keys.get(domain ?? "") ?? []) {',
    put: 'for (const loaded of this.#keys.get(domain ?? "")?.slice(0, 1) ?? []) {',
    tests,
  },
  {
    row: "B4",
    what: "keys that cannot be read take the place of those of before",
    file: SIGNING,
    find: "      return before;\n",
    put: "      throw error;\n",
    tests,
  },
  {
    row: "S9",
    what: "a key that cannot work does not stop the start",
    file: "src/settings/judgement.ts",
    find: "const fault = environment.faultOfKey(pem);",
    put: "const fault = undefined;",
    tests: ["tests/cli/dkim_test.ts"],
  },
  {
    row: "B21",
    what: "a key may be written over",
    file: "src/cli/dkim/keygen.ts",
    find: "if (files.look(path) !== undefined)",
    put: "files.remove(path);\n  if (false)",
    tests: ["tests/cli/dkim_test.ts"],
  },
  {
    row: "B21",
    what: "another key in DNS is good as well",
    file: "src/mail/dkim_record.ts",
    find: 'if (published !== key.publicKey) return "another key is published";',
    put: "",
    tests: ["tests/mail/dkim_record_test.ts"],
  },
];
