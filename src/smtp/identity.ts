/**
 * Who the client is: STARTTLS (RFC 3207), AUTH (RFC 4954) and XCLIENT.
 *
 * Promises: nothing said before the handshake counts behind it, and nothing said before
 * XCLIENT behind that; no password is asked for, or taken, where it could be overheard.
 */

import type { AuthCommand, XclientCommand } from "./command.ts";
import type { Reply } from "./reply.ts";
import * as replies from "./replies.ts";
import { type Exchange, fromBase64, toBase64 } from "./sasl.ts";
import type { Peer, Rules, Secured, State, Step } from "./state.ts";
import { close, end, idle, type Ready, stepTo } from "./steps.ts";

/** Failed logins of one session. */
export const MAX_FAILED_LOGINS = 3;

/** What goes on counting when the client begins anew. */
function anew({ failedLogins, unknownCommands, idleCommands, stopping }: Peer): Peer {
  return { esmtp: false, failedLogins, unknownCommands, idleCommands, stopping };
}

export function startTls(rules: Rules, state: Ready): Step {
  const { peer } = state;
  if (peer.tls !== undefined) return idle(state, replies.securedAlready);
  if (!rules.startTls) return idle(state, replies.notOffered("STARTTLS"));
  if (!peer.esmtp) return idle(state, replies.ehloBefore("STARTTLS"));
  return stepTo({ at: "securing", peer }, replies.startHandshake);
}

/** RFC 3207 §4.2: the client's knowledge, and ours of it, begin again. */
export function secured(rules: Rules, peer: Peer, tls: Secured): Step {
  // Whose connection a proxy passes on is kept: the client has its place by that.
  const claim = peer.claim && { ...peer.claim, helo: undefined, user: undefined };
  const state: State = { at: "idle", peer: { ...anew(peer), claim, tls } };
  return peer.stopping ? close(state.peer, replies.stopping(rules.hostname)) : stepTo(state);
}

/** AUTH is offered, to this client, now. */
export function offersAuth({ mechanisms = [], authInsecure = false }: Rules, peer: Peer): boolean {
  return mechanisms.length > 0 && (authInsecure || peer.tls !== undefined);
}

export function auth(rules: Rules, state: Ready, { mechanism, initial }: AuthCommand): Step {
  const { peer } = state;
  const { mechanisms = [] } = rules;
  if (mechanisms.length === 0) return idle(state, replies.notOffered("AUTH"));
  if (!peer.esmtp) return idle(state, replies.ehloBefore("AUTH"));
  if (!offersAuth(rules, peer)) return idle(state, replies.encryptFirst);
  if (peer.user !== undefined) return idle(state, replies.authenticatedAlready);
  if (state.at === "mail") return idle(state, replies.authInMail);
  const known = mechanisms.find((each) => each === mechanism);
  if (known === undefined) return idle(state, replies.unknownMechanism);
  const exchange: Exchange = { mechanism: known, said: [], asked: [] };
  if (initial === undefined) return stepTo({ at: "authenticating", peer, exchange });
  // RFC 4954 §4: a lone equals sign is a response of no octets.
  return said(peer, exchange, initial === "=" ? "" : initial);
}

export function respond({ peer, exchange }: State & { at: "responding" }, text: string): Step {
  return text === "*"
    ? idle({ at: "idle", peer }, replies.authCancelled)
    : said(peer, exchange, text);
}

function said(peer: Peer, exchange: Exchange, base64: string): Step {
  const octets = fromBase64(base64);
  if (octets === undefined) return idle({ at: "idle", peer }, replies.badBase64);
  return stepTo({
    at: "authenticating",
    peer,
    exchange: { ...exchange, said: [...exchange.said, octets] },
  });
}

export function challenged(
  { peer, exchange }: State & { at: "authenticating" },
  challenge: Uint8Array,
): Step {
  const asked = [...exchange.asked, challenge];
  return stepTo(
    { at: "responding", peer, exchange: { ...exchange, asked } },
    replies.challenge(toBase64(challenge)),
  );
}

export function authenticated(rules: Rules, peer: Peer, user: string): Step {
  return end(rules, { at: "idle", peer: { ...peer, user } }, replies.authenticated);
}

export function loginRefused(peer: Peer, refusal: Reply): Step {
  // Whoever could not be judged has not failed.
  const failedLogins = peer.failedLogins + (refusal.code === 535 ? 1 : 0);
  if (refusal.code === 421) return close(peer, refusal);
  return failedLogins >= MAX_FAILED_LOGINS
    ? close(peer, replies.tooManyFailedLogins)
    : idle({ at: "idle", peer: { ...peer, failedLogins } }, refusal);
}

export function xclient(rules: Rules, state: Ready, { claim }: XclientCommand): Step {
  if (!rules.xclient) return idle(state, replies.notAProxy);
  if (state.at === "mail") return idle(state, replies.xclientInMail);
  return stepTo({ at: "claiming", peer: state.peer, claim: { ...state.peer.claim, ...claim } });
}

/** As if the client for whom it speaks had just connected. */
export function claimed(
  rules: Rules,
  { peer, claim }: State & { at: "claiming" },
  refusal: Reply | undefined,
): Step {
  if (refusal !== undefined) return close(peer, refusal, true);
  const { helo, esmtp = false, user } = claim;
  const next: Peer = { ...anew(peer), tls: peer.tls, helo, esmtp, user, claim };
  return end(rules, { at: "idle", peer: next }, replies.greeting(rules.hostname, rules.banner));
}
