/** Defences on the way out. */

import type { Mutant } from "./mutant.ts";

const way = ["tests/outbound/outbound_test.ts"];
const route = ["tests/outbound/route_test.ts"];
const tls = ["tests/outbound/tls_test.ts"];
const names = ["tests/deno/dns_test.ts"];

export const outbound: readonly Mutant[] = [
  {
    row: "P2",
    what: "a bare LF is sent as it is",
    file: "src/smtp/transparency.ts",
    find: `if ((i === 0 ? before : chunk[i - 1]) !== CR) throw bare("LF");`,
    put: "",
    tests: ["tests/smtp/transparency_test.ts"],
  },
  {
    row: "P2",
    what: "a dot at the beginning of a line stays alone",
    file: "src/smtp/transparency.ts",
    find: "    if (isLineStart && chunk[0] === DOT) pieces.push(ONE_DOT);\n",
    put: "",
    tests: ["tests/smtp/transparency_test.ts"],
  },
  {
    row: "T3",
    what: "what a server says before the handshake counts behind it",
    file: "src/outbound/connection.ts",
    find: "if (this.#wire.hasMore)",
    put: "if (false)",
    tests: tls,
  },
  {
    row: "T4",
    what: "a certificate that is not valid is accepted",
    file: "src/outbound/connection.ts",
    find: `const verified = policy === "verify" || policy === "require";`,
    put: "const verified = false;",
    tests: tls,
  },
  {
    row: "T4",
    what: "what fails to shake hands gets the mail in plain text",
    file: "src/outbound/outbound.ts",
    find: `command === "STARTTLS" && target.policy === "opportunistic"`,
    put: `command === "STARTTLS"`,
    tests: tls,
  },
  {
    row: "B18",
    what: "TLS that is required may be missing",
    file: "src/outbound/connection.ts",
    find: `if (this.target.policy !== "require") return;`,
    put: "return;",
    tests: tls,
  },
  {
    row: "B5",
    what: "mail that requires TLS goes to anybody",
    file: "src/outbound/outbound.ts",
    find: `? { ...wished, policy: "require" }`,
    put: "? wished",
    tests: tls,
  },
  {
    row: "O4",
    what: "a line may be of any length",
    file: "src/outbound/wire.ts",
    find: "if (end > LONGEST_LINE || (end < 0 && this.#text.length > LONGEST_LINE))",
    put: "if (false)",
    tests: way,
  },
  {
    row: "O4",
    what: "a reply may have any number of lines",
    file: "src/outbound/wire.ts",
    find: "lines < MOST_LINES",
    put: "lines < Infinity",
    tests: way,
  },
  {
    row: "O5",
    what: "a name server that failed is believed",
    file: "src/deno/dns.ts",
    find: `if (code !== "NOERROR") reason`,
    put:
      `if (code === "SERVFAIL") return { kind: "nonexistent" };\n      if (code !== "NOERROR") reason`,
    tests: names,
  },
  {
    row: "O5",
    what: "somebody else's answer is taken",
    file: "src/deno/dns.ts",
    find: "answer.id === question.id && ",
    put: "",
    tests: names,
  },
  {
    row: "O5",
    what: "a null MX is no MX",
    file: "src/outbound/route.ts",
    find: `if (records.every(({ host }) => host === ""))`,
    put: "if (false)",
    tests: route,
  },
  {
    row: "O5",
    what: "mail goes into the networks behind this host",
    file: "src/outbound/route.ts",
    find: "if (this.#rules().allowLocalTargets) return { targets };",
    put: "return { targets };",
    tests: route,
  },
  {
    row: "B17",
    what: "hosts behind this one are tried",
    file: "src/outbound/route.ts",
    find:
      "const better = found.filter(({ preference }) => preference < (own?.preference ?? Infinity));",
    put: "const better = found;",
    tests: route,
  },
  {
    row: "O8",
    what: "a 421 is of the message",
    file: "src/outbound/failure.ts",
    find: "if (reply.code === 421)",
    put: "if (reply.code === 422)",
    tests: way,
  },
  {
    row: "D9",
    what: "what may have been taken is given to another host at once",
    file: "src/outbound/outbound.ts",
    find:
      "if (connection.gaveContent) attempt.decideAll(outcome);\n      else attempt.note(outcome);\n      return !connection.gaveContent;",
    put: "attempt.note(outcome);\n      return true;",
    tests: way,
  },
  {
    row: "T5",
    what: "a policy of MTA-STS requires no TLS",
    file: "src/outbound/route.ts",
    find: "return requiring(await this.#targetsOf(domain, named));",
    put: "return await this.#targetsOf(domain, named);",
    tests: ["tests/outbound/mta_sts_test.ts"],
  },
  {
    row: "T5",
    what: "a policy is forgotten with its record",
    file: "src/outbound/mta_sts.ts",
    find: "if (id === undefined || id === valid?.id) return valid?.policy;",
    put: "if (id === undefined) return undefined;\n    if (id === valid?.id) return valid?.policy;",
    tests: ["tests/outbound/mta_sts_test.ts"],
  },
  {
    row: "T5",
    what: "a policy names any host",
    file: "src/outbound/route.ts",
    find: "hosts.hosts.filter(({ host }) => isNamed(sts, host))",
    put: "hosts.hosts",
    tests: ["tests/outbound/mta_sts_test.ts"],
  },
];
