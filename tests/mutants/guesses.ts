/** Defences of passwords: what it costs to check them, and what it costs to guess. */

import { fault, type Mutant } from "./mutant.ts";

const AUTHENTICATION = "src/inbound/authentication.ts";
const judged = ["tests/inbound/authentication_test.ts"];
const session = ["tests/smtp/auth_test.ts"];
const passwords = ["tests/auth/passwords_test.ts"];
const T7 = fault("T7_brute_force");
const DIGEST = `this.#digest([user, known?.text ?? "", password])`;

export const guesses: readonly Mutant[] = [
  {
    row: "B7",
    what: "once a user was right, any password of his is",
    file: AUTHENTICATION,
    find: DIGEST,
    put: `this.#digest([user, known?.text ?? ""])`,
    tests: judged,
  },
  {
    row: "B7",
    what: "what was right is remembered past a change of the password",
    file: AUTHENTICATION,
    find: DIGEST,
    put: "this.#digest([user, password])",
    tests: judged,
  },
  {
    row: "B7",
    what: "verifiers outlive their passwords",
    file: AUTHENTICATION,
    find: "    this.#verifiers.clear();\n",
    put: "",
    tests: judged,
  },
  {
    row: "B7",
    what: "a verifier that could not be made is kept",
    file: AUTHENTICATION,
    find: "verifier.catch(() => this.#verifiers.delete(user));",
    put: "verifier.catch(() => {});",
    tests: judged,
  },
  {
    row: "B7",
    what: "each login is checked anew",
    file: AUTHENTICATION,
    find: "known === undefined || !this.#right.has(digest)",
    put: "known !== null",
    tests: judged,
  },
  {
    row: "B7",
    what: "what was right is remembered for good",
    file: "src/inbound/remembered.ts",
    find: "until >= this.#clock.monotonic()",
    put: "until >= 0",
    tests: judged,
  },
  {
    row: "B7",
    what: "the same login by many at once is checked for each",
    file: AUTHENTICATION,
    find: "if (checking === undefined) {",
    put: "if (checking !== null) {",
    tests: judged,
  },
  {
    row: "B7",
    what: "all are checked at once",
    file: "src/turns.ts",
    find: "this.#busy >= this.#atOnce",
    put: "this.#busy < 0",
    tests: judged,
  },
  {
    row: "B7",
    what: "any number may wait to be checked",
    file: "src/turns.ts",
    find: "this.#waiting.length >= this.#mostWaiting",
    put: "this.#waiting.length < 0",
    tests: judged,
  },
  {
    row: "B7",
    what: "passwords are checked on the critical thread",
    file: "src/deno/digests.ts",
    find: 'pbkdf2, scrypt, timingSafeEqual } from "node:crypto";',
    put: 'pbkdf2, scryptSync, timingSafeEqual } from "node:crypto";\n' +
      "const scrypt = (p, s, l, o, call) => call(null, scryptSync(p, s, l, o));",
    tests: passwords,
  },
  {
    row: "B7",
    what: "some costs cannot be computed",
    file: "src/deno/digests.ts",
    find: "(2 ** ln + p + 2)",
    put: "(2 ** ln + 0 * p)",
    tests: passwords,
  },
  {
    row: "B7",
    what: "a cost that is none is taken",
    file: "src/auth/passwords.ts",
    find: "cost.ln < 16 * cost.r",
    put: "cost.r < 1000",
    tests: passwords,
  },
  {
    row: "B7",
    what: "what looks the same is another password",
    file: "src/auth/passwords.ts",
    find: `mapped.normalize("NFKC")`,
    put: "mapped",
    tests: passwords,
  },
  {
    row: "T7",
    what: "a failure is told at once",
    file: AUTHENTICATION,
    find: "if (left > 0) await new",
    put: "if (left < 0) await new",
    tests: T7,
  },
  {
    row: "T7",
    what: "failures of a session are not counted",
    file: "src/smtp/identity.ts",
    find: "(refusal.code === 535 ? 1 : 0)",
    put: "0",
    tests: session,
  },
  {
    row: "T7",
    what: "failures of an address are not counted",
    file: AUTHENTICATION,
    find:
      "if (this.#withOneUser.take(at(address, user))) this.#withAllUsers.take(networkOf(address));",
    put: "",
    tests: T7,
  },
  {
    row: "T7",
    what: "failures of an address with many users are not counted",
    file: AUTHENTICATION,
    find:
      "if (this.#withOneUser.take(at(address, user))) this.#withAllUsers.take(networkOf(address));",
    put: "this.#withOneUser.take(at(address, user));",
    tests: T7,
  },
  {
    row: "T7",
    what: "a loop with one user shuts out the others",
    file: AUTHENTICATION,
    find:
      "if (this.#withOneUser.take(at(address, user))) this.#withAllUsers.take(networkOf(address));",
    put: "this.#withOneUser.take(at(address, user)); this.#withAllUsers.take(networkOf(address));",
    tests: T7,
  },
  {
    row: "T7",
    what: "who guesses is heard while somebody is right elsewhere",
    file: AUTHENTICATION,
    find: "if (isFailing && !this.#wasRight(user, address)) return",
    put: `if (isFailing && address === "") return`,
    tests: T7,
  },
  {
    row: "T7",
    what: "who was right a moment ago is turned away with the others",
    file: AUTHENTICATION,
    find: "return this.#rightThere.has(at(address, user));",
    put: "return false;",
    tests: T7,
  },
  {
    row: "T7",
    what: "guesses where somebody was right are told at once",
    file: AUTHENTICATION,
    find: "        await this.#delay(since);\n        return",
    put: "        return",
    tests: T7,
  },
  {
    row: "T7",
    what: "who there is not is told without work",
    file: AUTHENTICATION,
    find: "      const isRight = await this.#check(",
    put: "      if (known === undefined) return await this.#failed(user, address, since);\n" +
      "      const isRight = await this.#check(",
    tests: T7,
  },
  {
    row: "T7",
    what: "by SCRAM, who there is not is told without work",
    file: AUTHENTICATION,
    find: "    const messages = {",
    put: "    if (verifier === undefined) return await this.#failed(user, address, since);\n" +
      "    const messages = {",
    tests: T7,
  },
  {
    row: "T7",
    what: "by SCRAM, who there is not has another salt each time",
    file: AUTHENTICATION,
    find: "utf8.encode(`salt ${user}`)",
    put: "utf8.encode(`salt ${Math.random()}`)",
    tests: T7,
  },
  {
    row: "T7",
    what: "endless names are counted in full",
    file: AUTHENTICATION,
    find: "user.slice(0, MOST_NAME)",
    put: "user",
    tests: T7,
  },
  {
    row: "T7",
    what: "each address of one client of IPv6 may guess anew",
    file: "src/inbound/authentication.ts",
    find: "`${networkOf(address)} ${user.slice(0, MOST_NAME)}`;",
    put: "`${address} ${user.slice(0, MOST_NAME)}`;",
    tests: fault("T7_brute_force"),
  },
];
