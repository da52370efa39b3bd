/**
 * The server's side of a session (RFC 5321 §3, §4.1.4) as a function: state and input give
 * the next state and the replies to send. What the session needs from outside is the state
 * itself: `asking` waits for a verdict, `committing` for the message to be safe.
 *
 * Promises: content is answered with 250 only upon a `committed` input; each command gets
 * one reply, in order; a `closed` state takes nothing any more.
 */

import { close, end, idle, type Ready, stepTo } from "./steps.ts";
import type { Command } from "./command.ts";
import * as identity from "./identity.ts";
import * as mailing from "./mailing.ts";
import type { Reply } from "./reply.ts";
import * as replies from "./replies.ts";
import type { Input, Peer, Rules, State, Step } from "./state.ts";
import { ATTRIBUTES } from "./xclient.ts";

export function step(rules: Rules, state: State, input: Input): Step {
  if (state.at === "closed") return { state, replies: [] };
  if (input.kind === "timeout") return close(state.peer, replies.timedOut(rules.hostname));
  if (input.kind === "stop") return stop(rules, state, input.now);
  switch (state.at) {
    case "connected":
      if (input.kind === "opened") return open(rules, state.peer, input);
      break;
    case "idle":
    case "mail":
      if (input.kind === "command") return obey(rules, state, input.command, input.more);
      if (input.kind === "unreadable") return unreadable(rules, state, input.reply);
      break;
    case "asking":
      if (input.kind === "verdict") return mailing.decide(state, input.refusal);
      break;
    case "content":
    case "chunk":
      if (input.kind === "content") return mailing.commit(state.peer, state.mail, input.content);
      if (input.kind === "spoiled") {
        return input.final
          ? close(state.peer, input.reply)
          : end(rules, { at: "idle", peer: state.peer }, input.reply);
      }
      if (input.kind === "chunk" && state.at === "chunk") return mailing.chunkDone(rules, state);
      break;
    case "skipping":
      if (input.kind !== "chunk") break;
      return end(rules, { at: "idle", peer: state.peer }, state.refusal);
    case "securing":
      if (input.kind === "secured") return identity.secured(rules, state.peer, input.tls);
      break;
    case "authenticating":
      if (input.kind === "challenged") return identity.challenged(state, input.challenge);
      if (input.kind === "authenticated") {
        return identity.authenticated(rules, state.peer, input.user);
      }
      if (input.kind === "refused") return identity.loginRefused(state.peer, input.reply);
      break;
    case "responding":
      if (input.kind === "response") return identity.respond(state, input.text);
      if (input.kind === "unreadable") {
        return unreadable(rules, { at: "idle", peer: state.peer }, input.reply);
      }
      break;
    case "claiming":
      if (input.kind === "verdict") return identity.claimed(rules, state, input.refusal);
      break;
    case "committing":
      if (input.kind === "committed") return mailing.committed(rules, state.peer, input.reply);
      if (input.kind === "refused") return mailing.refused(rules, state.peer, input.reply);
  }
  throw new Error(`session: input ${input.kind} in state ${state.at}`);
}

function open(rules: Rules, peer: Peer, { early, refusal, tls }: Input & { kind: "opened" }): Step {
  if (refusal !== undefined) return close(peer, refusal, true);
  if (early) return close(peer, replies.spokeTooEarly);
  return stepTo(
    { at: "idle", peer: { ...peer, tls } },
    replies.greeting(rules.hostname, rules.banner),
  );
}

/**
 * Content under way may still become a message. One that is being made safe is never told
 * 421: it may be safe already. A handshake under way leaves no room for words in plain text.
 */
function stop(rules: Rules, state: State, now: boolean): Step {
  const isReceiving = state.at === "content" || state.at === "chunk" || state.at === "skipping";
  if (state.at === "securing" && now) {
    return stepTo({ at: "closed", peer: state.peer, polite: true });
  }
  return state.at === "securing" || state.at === "committing" || (isReceiving && !now)
    ? stepTo({ ...state, peer: { ...state.peer, stopping: true } })
    : close(state.peer, replies.stopping(rules.hostname));
}

/** Lines after which the two sides may no longer agree on what is a command. */
const FINAL: ReadonlySet<Reply> = new Set([
  replies.notHttp,
  replies.bareNewlineInCommand,
  replies.badChunk,
]);

function unreadable(rules: Rules, state: Ready, reply: Reply): Step {
  if (FINAL.has(reply)) return close(state.peer, reply);
  if (reply !== replies.unknownCommand) return idle(state, reply);
  const unknownCommands = state.peer.unknownCommands + 1;
  return unknownCommands > rules.maxUnknownCommands
    ? close(state.peer, replies.tooManyUnknown)
    : idle({ ...state, peer: { ...state.peer, unknownCommands } }, reply);
}

function obey(rules: Rules, state: Ready, command: Command, more: boolean): Step {
  const { peer } = state;
  if (more && !mayPipeline(peer, command)) return close(peer, replies.spokeTooEarly);
  switch (command.verb) {
    case "HELO":
    case "EHLO": {
      const greeted = { ...peer, helo: command.name, esmtp: command.verb === "EHLO" };
      return idle({ at: "idle", peer: greeted }, hello(rules, greeted, command));
    }
    case "STARTTLS":
      return identity.startTls(rules, state);
    case "AUTH":
      return identity.auth(rules, state, command);
    case "XCLIENT":
      return identity.xclient(rules, state, command);
    case "MAIL":
      return mailing.mail(rules, state, command.sender);
    case "RCPT":
      return mailing.rcpt(rules, state, command.recipient);
    case "DATA":
      return mailing.data(rules, state);
    case "BDAT":
      // Its octets follow whatever is answered; who was not offered it may not know that.
      if (!peer.esmtp) return close(peer, replies.ehloFirst);
      return mailing.bdat(rules, state, command);
    case "RSET":
      return idle({ at: "idle", peer }, replies.ok);
    case "NOOP":
      return idle(state, replies.ok);
    case "HELP":
      return idle(state, replies.help);
    case "VRFY":
      return idle(state, replies.cannotVerify);
    case "QUIT":
      return close(peer, replies.bye(rules.hostname), !more);
  }
}

/**
 * Pipelining is for those whom EHLO offered it, and never behind a command whose reply
 * decides what the octets that follow are (RFC 2920 §3.1).
 */
function mayPipeline(peer: Peer, { verb }: Command): boolean {
  // What follows STARTTLS is thrown away (RFC 3207 §4.2).
  if (verb === "QUIT" || verb === "BDAT" || verb === "STARTTLS") return true;
  return peer.esmtp && !ALONE.has(verb);
}

const ALONE: ReadonlySet<string> = new Set(["HELO", "EHLO", "DATA", "AUTH", "XCLIENT"]);

function hello(
  rules: Rules,
  peer: Peer,
  { verb, name }: Command & { verb: "HELO" | "EHLO" },
): Reply {
  if (verb === "HELO") return replies.greets(rules.hostname, name);
  const { mechanisms = [] } = rules;
  const offersAuth = identity.offersAuth(rules, peer) && peer.user === undefined;
  return replies.offers(rules.hostname, name, [
    `SIZE ${rules.maxSize}`,
    "PIPELINING",
    "8BITMIME",
    "ENHANCEDSTATUSCODES",
    "SMTPUTF8",
    "CHUNKING",
    "DSN",
    `LIMITS RCPTMAX=${rules.maxRecipients}`,
    ...(rules.startTls && peer.tls === undefined ? ["STARTTLS"] : []),
    ...(peer.tls === undefined ? [] : ["REQUIRETLS"]),
    ...(offersAuth ? [`AUTH ${mechanisms.join(" ")}`] : []),
    ...(rules.xclient ? [`XCLIENT ${ATTRIBUTES.join(" ")}`] : []),
    "HELP",
  ]);
}
