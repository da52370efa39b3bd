/** The ways in which a step of the session ends: go on, count it, or close. */

import type { Reply } from "./reply.ts";
import * as replies from "./replies.ts";
import type { Peer, Rules, State, Step } from "./state.ts";

/** A state in which commands are taken. */
export type Ready = State & { at: "idle" | "mail" };

/** A client that sends mail never comes near. */
export const MAX_IDLE_COMMANDS = 100;

export const stepTo = (state: State, ...all: Reply[]): Step => ({ state, replies: all });

export const close = (peer: Peer, reply: Reply, polite = false): Step =>
  stepTo({ at: "closed", peer, polite }, reply);

/** A reply after which a server that is stopping ends the session. */
export function end(rules: Rules, state: State, reply: Reply): Step {
  return state.peer.stopping
    ? stepTo(
      { at: "closed", peer: state.peer, polite: false },
      reply,
      replies.stopping(rules.hostname),
    )
    : stepTo(state, reply);
}

/** Answers a command that brought no message nearer; too many of them end the session. */
export function idle(state: Ready, reply: Reply): Step {
  const idleCommands = state.peer.idleCommands + 1;
  return idleCommands > MAX_IDLE_COMMANDS
    ? close(state.peer, replies.tooManyIdle)
    : stepTo({ ...state, peer: { ...state.peer, idleCommands } }, reply);
}
