/** The client's side of AUTH, made without the server's code (RFC 4616, RFC 5802, RFC 7677). */

import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import type { Answer, Authenticator } from "../../src/inbound/authentication.ts";
import type { Mechanism } from "../../src/smtp/sasl.ts";

export const base64 = (text: string | Uint8Array) => Buffer.from(text).toString("base64");
export const octets = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (octets: Uint8Array): string => new TextDecoder().decode(octets);

export interface Credentials {
  readonly user: string;
  readonly password: string;
  readonly actsFor?: string;
}

export const plainMessage = ({ user, password, actsFor = "" }: Credentials) =>
  `${actsFor}\0${user}\0${password}`;

type Salted = (password: string, salt: Uint8Array, iterations: number) => Uint8Array;

const salted: Salted = (password, salt, iterations) =>
  pbkdf2Sync(password, salt, iterations, 32, "sha256");

const hmac = (key: Uint8Array, message: string) =>
  createHmac("sha256", key).update(message).digest();

export class ScramClient {
  readonly first: string;
  readonly #password: string;
  readonly #nonce: string;
  readonly #channel: string;
  #expected = "";

  constructor({ user, password, actsFor = "" }: Credentials, nonce = "fyko+d2lbbFgONRv9qkxdawL") {
    const name = (text: string) => text.replaceAll("=", "=3D").replaceAll(",", "=2C");
    this.#channel = actsFor === "" ? "n,," : `n,a=${name(actsFor)},`;
    this.#password = password;
    this.#nonce = nonce;
    this.first = `${this.#channel}n=${name(user)},r=${nonce}`;
  }

  /** What it says to the server's first message, and proves itself with; also what is wrong. */
  last(
    challenge: string,
    derive: Salted = salted,
    wrong: { nonce?: string; channel?: string } = {},
  ): string {
    const { r, s, i } = fields(challenge);
    if (!r.startsWith(this.#nonce)) throw new Error(`the nonce is another's: ${challenge}`);
    const key = derive(this.#password, Buffer.from(s, "base64"), Number(i));
    const bare = this.first.slice(this.#channel.length);
    const without = `c=${base64(wrong.channel ?? this.#channel)},r=${wrong.nonce ?? r}`;
    const message = `${bare},${challenge},${without}`;
    const clientKey = hmac(key, "Client Key");
    const signature = hmac(createHash("sha256").update(clientKey).digest(), message);
    this.#expected = `v=${base64(hmac(hmac(key, "Server Key"), message))}`;
    return `${without},p=${base64(clientKey.map((octet, at) => octet ^ signature[at]))}`;
  }

  /** Whether the server has proved that it knows the password. */
  believes(final: string): boolean {
    return final === this.#expected;
  }
}

/** The attributes of a message of SCRAM. */
export function fields(message: string): Record<string, string> {
  return Object.fromEntries(message.split(",").map((field) => [field[0], field.slice(2)]));
}

/** A login without a session around it, from its first word to what came of it. */
export class Login {
  readonly #said: Uint8Array[] = [];
  readonly #asked: Uint8Array[] = [];

  constructor(
    readonly authenticator: Authenticator,
    readonly mechanism: Mechanism,
    readonly address = "192.0.2.1",
  ) {}

  /** Says something; without words, that it wants to begin. */
  async say(words?: string | Uint8Array): Promise<Answer> {
    if (words !== undefined) this.#said.push(typeof words === "string" ? octets(words) : words);
    const { mechanism } = this;
    const exchange = { mechanism, said: [...this.#said], asked: [...this.#asked] };
    const answer = await this.authenticator.answer(exchange, this.address);
    if ("challenge" in answer) this.#asked.push(answer.challenge);
    return answer;
  }
}

/** Logs in to the end, as a client of the mechanism does. */
export async function logIn(
  authenticator: Authenticator,
  mechanism: Mechanism,
  credentials: Credentials,
  { address, derive }: { address?: string; derive?: Salted } = {},
): Promise<Answer> {
  const login = new Login(authenticator, mechanism, address);
  switch (mechanism) {
    case "PLAIN":
      return await login.say(plainMessage(credentials));
    case "LOGIN":
      await login.say(credentials.user);
      return await login.say(credentials.password);
    case "SCRAM-SHA-256": {
      const client = new ScramClient(credentials);
      const answer = await login.say(client.first);
      if (!("challenge" in answer)) return answer;
      const final = await login.say(client.last(text(answer.challenge), derive));
      if (!("challenge" in final)) return final;
      if (!client.believes(text(final.challenge))) throw new Error("the server proved nothing");
      return await login.say("");
    }
  }
}
