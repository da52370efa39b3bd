/** Judges logins with a clock that is turned and digests that are counted. */

import { scryptOf, verifierOf, writePassword } from "../../src/auth/passwords.ts";
import { random } from "../../src/deno/random.ts";
import { type Answer, Authentication } from "../../src/inbound/authentication.ts";
import type { Mechanism } from "../../src/smtp/sasl.ts";
import { TurnedClock } from "./clock.ts";
import { CountedDigests } from "./digests.ts";
import { type Credentials, logIn } from "./sasl.ts";
import type { Logged } from "./server.ts";

const SALT = new Uint8Array(16).fill(7);

/** As passwords are kept. */
export const KINDS = ["plain", "scrypt", "scram"] as const;
export type Kind = (typeof KINDS)[number];

/** A password as it stands in the settings, for digests that are counted. */
export async function keptAs(kind: Kind, password: string): Promise<string> {
  const digests = new CountedDigests();
  if (kind === "plain") return password;
  return writePassword(
    kind === "scrypt"
      ? await scryptOf(password, SALT, digests)
      : await verifierOf(password, SALT, 4096, digests),
  );
}

export class TestAuthentication {
  readonly clock = new TurnedClock();
  readonly digests = new CountedDigests();
  readonly logged: Logged[] = [];
  readonly authentication: Authentication;

  private constructor(users: ReadonlyMap<string, string>, atOnce?: number) {
    const log = (level: Logged["level"], event: string, fields = {}) => {
      this.logged.push({ level, event, fields });
    };
    const { clock, digests } = this;
    this.authentication = new Authentication(users, { clock, digests, log, random }, atOnce);
  }

  /** Users and their passwords, kept in one way. */
  static async of(
    kind: Kind,
    users: Record<string, string> = { alice: "secret" },
    atOnce?: number,
  ): Promise<TestAuthentication> {
    return new TestAuthentication(await usersOf(kind, users), atOnce);
  }

  /** Begins a login. */
  begin(mechanism: Mechanism, credentials: Credentials, address?: string): Promise<Answer> {
    const { derive } = this.digests;
    return logIn(this.authentication, mechanism, credentials, { address, derive });
  }

  /** What comes of a login once so much time has passed. */
  async comesTo(
    mechanism: Mechanism,
    credentials: Credentials,
    { address, after = 1000 }: { address?: string; after?: number } = {},
  ): Promise<string> {
    const login = this.begin(mechanism, credentials, address);
    await soFar(login);
    this.clock.turn(after);
    return await soFar(login);
  }

  /** The calls of digests that something takes. */
  async callsOf(work: () => Promise<unknown>): Promise<string[]> {
    const before = this.digests.calls.length;
    await work();
    return this.digests.calls.slice(before);
  }
}

export async function usersOf(kind: Kind, users: Record<string, string>) {
  const kept = Object.entries(users).map(async ([user, password]) =>
    [user, await keptAs(kind, password)] as const
  );
  return new Map(await Promise.all(kept));
}

/** What has come of a login, with all done that takes no time. */
export async function soFar(login: Promise<Answer>): Promise<string> {
  let said = "nothing yet";
  login.then(
    (answer) => said = inWords(answer),
    (error) => said = `failed: ${error.message}`,
  );
  for (let i = 0; i < 500; i++) await null;
  return said;
}

export function inWords(answer: Answer): string {
  if ("user" in answer) return `is ${answer.user}`;
  if ("challenge" in answer) return "is asked";
  return `${answer.refusal.code} ${answer.refusal.enhanced}`;
}
