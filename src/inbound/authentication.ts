/**
 * Finds out whether clients are who they say (RFC 4954; PLAIN: RFC 4616; SCRAM: RFC 5802).
 *
 * Promises: a password is checked off the critical thread, few at once; one that was right is
 * remembered for minutes, by a digest whose key is this process's alone. A failure takes the
 * same time whatever failed. Who fails again and again is turned away unheard, but not those
 * who share its address and were right there a moment ago; that somebody was right elsewhere
 * opens nothing.
 */

import {
  isPassword,
  ITERATIONS,
  type Password,
  readPassword,
  type Verifier,
  verifierOf,
} from "../auth/passwords.ts";
import { readFirst, serverFinal, serverFirst, textOf } from "../auth/scram.ts";
import type { World } from "../ports.ts";
import type { Reply } from "../smtp/reply.ts";
import * as replies from "../smtp/replies.ts";
import type { News } from "../smtp/session.ts";
import { type Exchange, type Mechanism, MECHANISMS, toBase64 } from "../smtp/sasl.ts";
import { networkOf } from "./access.ts";
import { Limiter } from "./rates.ts";
import { Remembered } from "./remembered.ts";
import { Turns } from "../turns.ts";

/** What follows from what a client has said. */
export type Answer =
  | { readonly challenge: Uint8Array }
  | { readonly user: string }
  | { readonly refusal: Reply };

/** What the session is told of it. */
export function newsOf(answer: Answer): News {
  if ("user" in answer) return { kind: "authenticated", user: answer.user };
  return "challenge" in answer
    ? { kind: "challenged", challenge: answer.challenge }
    : { kind: "refused", reply: answer.refusal };
}

/** Says who clients are. */
export interface Authenticator {
  /** The ways that are offered; none: nobody can authenticate. */
  readonly mechanisms: readonly Mechanism[];
  answer(exchange: Exchange, address: string): Promise<Answer>;
}

/** No failure is told sooner. */
const FAILURE_TIME = 1_000;
const REMEMBERED = { period: 5 * 60_000, most: 10_000 };
/** Failures of one address with one user, and with all. */
const WITH_ONE_USER = { count: 10, period: 10 * 60_000 };
const WITH_ALL_USERS = { count: 50, period: 10 * 60_000 };
const MOST_WAITING = 200;
/** Of a name that failed: what is counted must not take more memory than that. */
const MOST_NAME = 255;

const NONE = new Uint8Array(0);
const utf8 = new TextEncoder();
const ask = (text: string): Answer => ({ challenge: utf8.encode(text) });
const refuse = (refusal: Reply): Answer => ({ refusal });

type Surroundings = Pick<World, "clock" | "random" | "digests" | "log">;

interface Login {
  readonly user: string;
  readonly password: string;
  /** For whom it would act; empty: for itself. */
  readonly actsFor: string;
}

interface User {
  /** As it was given: what is remembered ends with it. */
  readonly text: string;
  readonly password: Password;
}

export class Authentication implements Authenticator {
  mechanisms: readonly Mechanism[] = [];
  readonly #world: Surroundings;
  readonly #users = new Map<string, User>();
  /** Of plain passwords, computed when they are first wanted; by the user's name. */
  readonly #verifiers = new Map<string, Promise<Verifier>>();
  /** What was right: digests of all that decided it. */
  readonly #right: Remembered;
  /** Who was right, and where. */
  readonly #rightThere: Remembered;
  readonly #checking = new Map<string, Promise<boolean>>();
  readonly #turns: Turns;
  readonly #withOneUser: Limiter;
  readonly #withAllUsers: Limiter;
  readonly #key = new Uint8Array(32);
  /** Stands for verifiers that there are not. */
  readonly #noKeys = { storedKey: this.#key, serverKey: this.#key };
  /** Stands for users that there are not. */
  #nobody: Password = { kind: "plain", text: "" };
  #iterations = ITERATIONS;

  constructor(users: ReadonlyMap<string, string>, world: Surroundings, atOnce = 1) {
    this.#world = world;
    this.#turns = new Turns({ atOnce, mostWaiting: MOST_WAITING });
    this.#right = new Remembered(REMEMBERED, world.clock);
    this.#rightThere = new Remembered(REMEMBERED, world.clock);
    this.#withOneUser = new Limiter(WITH_ONE_USER, world.clock);
    this.#withAllUsers = new Limiter(WITH_ALL_USERS, world.clock);
    world.random.fill(this.#key);
    this.update(users);
  }

  /** Throws where a hash is not known here; the users stay as they were. */
  update(users: ReadonlyMap<string, string>): void {
    const read = [...users].map(([name, text]) => {
      const password = readPassword(text);
      if (password !== undefined) return { name, text, password };
      throw new TypeError(`users: ${name} has a hash that is not known here`);
    });
    this.#users.clear();
    this.#verifiers.clear();
    for (const { name, text, password } of read) this.#users.set(name, { text, password });
    const passwords = read.map(({ password }) => password);
    const verifiers = passwords.filter(({ kind }) => kind === "scram") as Verifier[];
    const hash = passwords.find(({ kind }) => kind === "scrypt");
    this.#nobody = hash ?? verifiers[0] ?? { kind: "plain", text: "" };
    this.#iterations = verifiers[0]?.iterations ?? ITERATIONS;
    const servesScram = passwords.some(({ kind }) => kind !== "scrypt");
    this.mechanisms = passwords.length === 0
      ? []
      : MECHANISMS.filter((each) => servesScram || each !== "SCRAM-SHA-256");
  }

  async answer({ mechanism, said, asked }: Exchange, address: string): Promise<Answer> {
    switch (mechanism) {
      case "PLAIN":
        if (said.length === 0) return { challenge: NONE };
        return await this.#plain(said[0], address);
      case "LOGIN": {
        if (said.length < 2) return ask(said.length === 0 ? "Username:" : "Password:");
        const [user, password] = said.map(textOf);
        if (!user || !password) return refuse(replies.badResponse);
        return await this.#login({ user, password, actsFor: "" }, address);
      }
      case "SCRAM-SHA-256":
        if (said.length === 0) return { challenge: NONE };
        return await this.#scram(said, asked, address);
    }
  }

  async #plain(octets: Uint8Array, address: string): Promise<Answer> {
    const parts: Uint8Array[] = [];
    let from = 0;
    for (let end; (end = octets.indexOf(0, from)) >= 0; from = end + 1) {
      parts.push(octets.subarray(from, end));
    }
    const [actsFor, user, password] = [...parts, octets.subarray(from)].map(textOf);
    if (parts.length !== 2 || actsFor === undefined || !user || !password) {
      return refuse(replies.badResponse);
    }
    return await this.#login({ user, password, actsFor }, address);
  }

  async #login({ user, password, actsFor }: Login, address: string): Promise<Answer> {
    const since = this.#world.clock.monotonic();
    const isFailing = this.#isFailing(user, address);
    if (isFailing && !this.#wasRight(user, address)) return refuse(replies.tooManyFailedLogins);
    if (actsFor !== "" && actsFor !== user) return await this.#failed(user, address, since);
    const known = this.#users.get(user);
    const digest = this.#digest([user, known?.text ?? "", password]);
    if (known === undefined || !this.#right.has(digest)) {
      if (isFailing) {
        await this.#delay(since);
        return refuse(replies.tooManyFailedLogins);
      }
      if (this.#turns.isFull && !this.#checking.has(digest)) return refuse(replies.loginNotJudged);
      const isRight = await this.#check(digest, password, known?.password ?? this.#nobody);
      if (!isRight || known === undefined) return await this.#failed(user, address, since);
    }
    this.#right.add(digest);
    this.#rightThere.add(at(address, user));
    return { user };
  }

  /** Many that say the same at once are checked once. */
  #check(digest: string, password: string, kept: Password): Promise<boolean> {
    let checking = this.#checking.get(digest);
    if (checking === undefined) {
      checking = this.#turns.take(() => isPassword(password, kept, this.#world.digests))
        .finally(() => this.#checking.delete(digest));
      this.#checking.set(digest, checking);
    }
    return checking;
  }

  async #scram(
    said: readonly Uint8Array[],
    asked: readonly Uint8Array[],
    address: string,
  ): Promise<Answer> {
    const first = readFirst(said[0]);
    if (first === undefined) return refuse(replies.badResponse);
    const { user } = first;
    // An empty challenge stands before what a client did not say at once.
    const [challenge, final] = asked.filter(({ length }) => length > 0);
    if (challenge === undefined) {
      const nonce = new Uint8Array(18);
      this.#world.random.fill(nonce);
      return { challenge: serverFirst(first, toBase64(nonce), this.#parametersOf(user)) };
    }
    if (final !== undefined) {
      return said.at(-1)!.length === 0 ? { user } : refuse(replies.badResponse);
    }
    const since = this.#world.clock.monotonic();
    if (this.#isFailing(user, address) && !this.#wasRight(user, address)) {
      return refuse(replies.tooManyFailedLogins);
    }
    const verifier = await this.#verifierOf(user);
    const messages = { first, asked: challenge, last: said.at(-1)! };
    const result = serverFinal(messages, verifier ?? this.#noKeys, this.#world.digests);
    if (result === "malformed") return refuse(replies.badResponse);
    const actsForAnother = first.actsFor !== "" && first.actsFor !== user;
    if (result === "refused" || verifier === undefined || actsForAnother) {
      return await this.#failed(user, address, since);
    }
    this.#rightThere.add(at(address, user));
    return { challenge: result.final };
  }

  /** Of users that there are not it is made up, the same each time. */
  #parametersOf(user: string): Pick<Verifier, "salt" | "iterations"> {
    const password = this.#users.get(user)?.password;
    const salt = this.#world.digests.hmac(this.#key, utf8.encode(`salt ${user}`)).slice(0, 16);
    return password?.kind === "scram" ? password : { salt, iterations: this.#iterations };
  }

  async #verifierOf(user: string): Promise<Verifier | undefined> {
    const password = this.#users.get(user)?.password;
    if (password?.kind === "scram") return password;
    if (password?.kind !== "plain") return undefined;
    let verifier = this.#verifiers.get(user);
    if (verifier === undefined) {
      const { salt, iterations } = this.#parametersOf(user);
      const { digests } = this.#world;
      verifier = this.#turns.take(() => verifierOf(password.text, salt, iterations, digests));
      this.#verifiers.set(user, verifier);
      verifier.catch(() => this.#verifiers.delete(user));
    }
    return await verifier;
  }

  async #failed(user: string, address: string, since: number): Promise<Answer> {
    // A loop with one user, however many do it at once, is not to shut out all others.
    if (this.#withOneUser.take(at(address, user))) this.#withAllUsers.take(networkOf(address));
    // What was typed in place of a name may be a password.
    const known = this.#users.has(user) ? user : "(no such user)";
    this.#world.log("warning", "login failed", { user: known, client: address });
    await this.#delay(since);
    return refuse(replies.loginFailed);
  }

  async #delay(since: number): Promise<void> {
    const { clock } = this.#world;
    const left = since + FAILURE_TIME - clock.monotonic();
    if (left > 0) await new Promise<void>((resolve) => clock.timer(left, resolve));
  }

  #isFailing(user: string, address: string): boolean {
    return !this.#withOneUser.allows(at(address, user)) ||
      !this.#withAllUsers.allows(networkOf(address));
  }

  #wasRight(user: string, address: string): boolean {
    return this.#rightThere.has(at(address, user));
  }

  #digest(parts: readonly string[]): string {
    const octets = utf8.encode(parts.join("\0"));
    return toBase64(this.#world.digests.hmac(this.#key, octets));
  }
}

const at = (address: string, user: string) => `${networkOf(address)} ${user.slice(0, MOST_NAME)}`;
