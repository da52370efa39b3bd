/** `dinopost hash-password`: makes of a password what may stand in the users file. */

import {
  NEW_ITERATIONS,
  SALT_OCTETS,
  scryptOf,
  verifierOf,
  writePassword,
} from "../auth/passwords.ts";
import { digests } from "../deno/digests.ts";
import { print } from "../deno/process.ts";
import { random } from "../deno/random.ts";
import { isTyped, piped, typed } from "../deno/secret.ts";
import { action, CommandError } from "./command.ts";
import * as status from "./status.ts";

export const hashPassword = action({
  name: "hash-password",
  summary: "makes a hash of a password, for the file of SMTP_AUTH_USERS_FILE",
  notes: "The password is typed, or read from standard input; it is never an argument, which\n" +
    "others would see. With USER a whole line of the file is printed. A hash of scrypt serves\n" +
    "PLAIN and LOGIN, a verifier serves SCRAM-SHA-256 as well.",
  options: { scram: { summary: "a verifier of SCRAM-SHA-256, in place of a hash of scrypt" } },
  operands: { name: "USER", least: 0, most: 1 },
  async run({ scram }, [user]) {
    if (user !== undefined && !/^[^:,#\s][^:,]*$/.test(user)) {
      throw new CommandError(
        `${JSON.stringify(user)} cannot be a user: give a name without colons and commas`,
        status.USAGE,
      );
    }
    const password = isTyped() ? askTwice() : piped();
    // deno-lint-ignore no-control-regex -- control characters are what must not pass
    if (password === "" || /[\x00-\x1f\x7f\ufffd]/.test(password)) {
      throw new CommandError("a password is one line of UTF-8 text, and not empty");
    }
    const salt = new Uint8Array(SALT_OCTETS);
    random.fill(salt);
    const made = scram
      ? await verifierOf(password, salt, NEW_ITERATIONS, digests)
      : await scryptOf(password, salt, digests);
    print((user === undefined ? "" : `${user}:`) + writePassword(made));
    return status.OK;
  },
});

function askTwice(): string {
  const password = typed("Password: ");
  const again = password === undefined ? undefined : typed("Again:    ");
  if (password === undefined || again === undefined) throw new CommandError("given up");
  if (password !== again) throw new CommandError("the two are not the same");
  return password;
}
