/**
 * The client's side of AUTH (RFC 4954): by SCRAM-SHA-256 where the server knows it, else PLAIN or
 * LOGIN; with a token by XOAUTH2.
 *
 * Promises: of SCRAM the server, too, must prove that it knows the password; why a login was
 * refused is told without what is secret of it, though the server may repeat it.
 */

import type { Random } from "../ports.ts";
import type { Digests } from "../ports/digests.ts";
import type { Reply } from "../smtp/reply.ts";
import { fromBase64, toBase64 } from "../smtp/sasl.ts";
import { textOf } from "./scram.ts";
import { clientFinal } from "./scram_client.ts";

export interface Known {
  readonly user: string;
  readonly password?: string;
  /** OAuth2. */
  readonly token?: () => string | undefined;
}

interface Server {
  /** The reply to a line. */
  ask(line: string): Promise<Reply>;
}

interface Surroundings {
  readonly digests: Digests;
  readonly random: Random;
}

/** What may be said of AUTH that is no secret. */
const MECHANISMS: ReadonlySet<string> = new Set(["LOGIN", "PLAIN", "XOAUTH2", "SCRAM-SHA-256"]);

const utf8 = new TextEncoder();
const encoded = (text: string) => toBase64(utf8.encode(text));

/** Why it was refused; nothing where it was not. */
export async function logIn(
  known: Known,
  offered: readonly string[],
  world: Surroundings,
  server: Server,
): Promise<string | undefined> {
  const token = known.token?.();
  const secrets = [token, known.password].filter((secret) => secret !== undefined);
  const ask = (line: string) => {
    const last = line.trimEnd().split(" ").at(-1)!;
    if (!MECHANISMS.has(last)) secrets.push(last);
    return server.ask(line);
  };
  const refusal = await tryLogIn(known, token, offered, world, { ask });
  return refusal && without(secrets, refusal);
}

/** What a server repeats of it goes into the log, and into bounces. */
function without(secrets: readonly string[], text: string): string {
  // First those that others are a part of.
  const ordered = secrets.filter((secret) => secret !== "").toSorted((a, b) => b.length - a.length);
  return ordered.reduce((shown, secret) => shown.replaceAll(secret, "(hidden)"), text);
}

async function tryLogIn(
  known: Known,
  token: string | undefined,
  offered: readonly string[],
  world: Surroundings,
  server: Server,
): Promise<string | undefined> {
  const { user, password } = known;
  if (known.token !== undefined) {
    if (!offered.includes("XOAUTH2")) return "server does not offer XOAUTH2";
    if (token === undefined) return "there is no token";
    return await byToken(user, token, server);
  }
  if (password === undefined) return "there is no password";
  if (offered.includes("SCRAM-SHA-256")) return await byScram(user, password, world, server);
  if (offered.includes("PLAIN")) {
    return told(await server.ask(`AUTH PLAIN ${encoded(`\0${user}\0${password}`)}\r\n`));
  }
  if (offered.includes("LOGIN")) return await byLogin(user, password, server);
  return `server offers no way to log in that is known here: ${offered.join(" ") || "none"}`;
}

async function byLogin(user: string, password: string, server: Server) {
  const steps = ["AUTH LOGIN", encoded(user), encoded(password)];
  let reply: Reply | undefined;
  for (const step of steps) {
    reply = await server.ask(`${step}\r\n`);
    if (reply.code !== 334) break;
  }
  return told(reply!);
}

async function byToken(user: string, token: string, server: Server) {
  const response = encoded(`user=${user}\x01auth=Bearer ${token}\x01\x01`);
  const reply = await server.ask(`AUTH XOAUTH2 ${response}\r\n`);
  // The challenge tells why; an empty response lets the server refuse.
  return told(reply.code === 334 ? await server.ask("\r\n") : reply);
}

async function byScram(user: string, password: string, world: Surroundings, server: Server) {
  const octets = new Uint8Array(18);
  world.random.fill(octets);
  const name = user.replace(/=/g, "=3D").replace(/,/g, "=2C");
  const bare = `n=${name},r=${toBase64(octets)}`;
  const first = await server.ask(`AUTH SCRAM-SHA-256 ${encoded(`n,,${bare}`)}\r\n`);
  if (first.code !== 334) return told(first);
  const challenge = challengeOf(first);
  const answer = challenge && await clientFinal({ bare, challenge, password }, world.digests);
  if (!answer) return "server's challenge is none of SCRAM";
  const second = await server.ask(`${encoded(answer.final)}\r\n`);
  if (second.code !== 334) {
    // A success that proves nothing is none.
    return second.code === 235 ? "server has not proved that it knows the password" : told(second);
  }
  if (challengeOf(second) !== answer.proof) return "server does not know the password";
  return told(await server.ask("\r\n"));
}

function challengeOf({ lines }: Reply): string | undefined {
  const octets = fromBase64(lines.join(""));
  return octets && textOf(octets);
}

/** Never what was sent. */
function told({ code, enhanced, lines }: Reply): string | undefined {
  if (code === 235) return undefined;
  return [code, enhanced, ...lines].filter((part) => part !== undefined).join(" ");
}
