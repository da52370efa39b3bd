/**
 * The steps of a transaction: MAIL, RCPT, then DATA or BDAT, and what came of it
 * (RFC 5321 §3.3, RFC 3030).
 */

import { format, isAscii, key } from "./address.ts";
import { close, end, idle, type Ready, stepTo } from "./steps.ts";
import type { Refused } from "./command.ts";
import type { Content } from "./content.ts";
import { isPositive, type Reply } from "./reply.ts";
import * as replies from "./replies.ts";
import type { Chunk, Mail, Peer, Rules, State, Step } from "./state.ts";
import type { Recipient, Sender } from "./transaction.ts";

/** A client that sends mail never comes near. */
export const MAX_FRUITLESS_RCPTS = 1000;

export function mail(rules: Rules, state: Ready, sender: Sender): Step {
  const { peer } = state;
  if (peer.helo === undefined) return idle(state, replies.helloFirst);
  if (state.at === "mail") return idle(state, replies.nestedMail);
  if (sender.size !== undefined && sender.size > rules.maxSize) {
    return idle(state, replies.tooLarge(rules.maxSize));
  }
  if (sender.requireTls && peer.tls === undefined) return idle(state, replies.requireTlsNeedsTls);
  const domain = sender.mailbox?.domain;
  // Who has proved who it is may send as whoever it likes.
  if (
    peer.user === undefined && domain !== undefined &&
    rules.senderDomains?.has(domain.toLowerCase()) === false
  ) {
    return idle(state, replies.foreignSender(domain));
  }
  const mail: Mail = { sender, recipients: new Map(), fruitlessRcpts: 0 };
  return stepTo({ at: "asking", peer, mail, question: { about: "sender" } });
}

export function rcpt(rules: Rules, state: Ready, given: Recipient | Refused): Step {
  const { peer } = state;
  if ("refusal" in given) {
    return state.at === "mail"
      ? fruitless(peer, state.mail, given.refusal)
      : idle(state, given.refusal);
  }
  if (state.at === "idle") return idle(state, replies.mailFirst);
  const { mail } = state;
  if (mail.received !== undefined) return idle(state, replies.dataAfterBdat);
  if (!mail.sender.utf8 && !isAscii(format(given.mailbox))) {
    return fruitless(peer, mail, replies.needsUtf8);
  }
  const recipient = given.mailbox.domain === ""
    ? { ...given, mailbox: { ...given.mailbox, domain: rules.hostname } }
    : given;
  if (mail.recipients.has(key(recipient.mailbox))) {
    return fruitless(peer, mail, replies.recipientOk(format(recipient.mailbox)));
  }
  if (mail.recipients.size >= rules.maxRecipients) {
    return fruitless(peer, mail, replies.tooManyRecipients(rules.maxRecipients));
  }
  return stepTo({ at: "asking", peer, mail, question: { about: "recipient", recipient } });
}

/** Answers a RCPT that added no recipient; too many of them end the session. */
function fruitless(peer: Peer, mail: Mail, reply: Reply): Step {
  const fruitlessRcpts = mail.fruitlessRcpts + 1;
  return fruitlessRcpts > MAX_FRUITLESS_RCPTS
    ? close(peer, replies.recipientFlood)
    : stepTo({ at: "mail", peer, mail: { ...mail, fruitlessRcpts } }, reply);
}

export function data(rules: Rules, state: Ready): Step {
  if (state.at === "idle") return idle(state, replies.mailFirst);
  const { peer, mail } = state;
  const refusal = mail.received !== undefined
    ? replies.dataAfterBdat
    : lacksRecipients(mail) ?? lacksMemory(rules, mail.sender.size ?? 1);
  if (refusal !== undefined) return idle(state, refusal);
  return stepTo({ at: "asking", peer, mail, question: { about: "content" } });
}

function lacksRecipients({ recipients, fruitlessRcpts }: Mail): Reply | undefined {
  if (recipients.size > 0) return undefined;
  return fruitlessRcpts > 0 ? replies.noValidRecipients : replies.recipientFirst;
}

/** What is known to be in vain need not be sent. */
function lacksMemory({ memory }: Rules, octets: number): Reply | undefined {
  return memory === undefined || memory.has(octets) ? undefined : replies.memoryFull;
}

/** A BDAT that is refused ends its transaction: what follows belongs to no message. */
export function bdat(rules: Rules, state: Ready, { octets, last }: Chunk): Step {
  const chunk = { octets, last };
  if (state.at === "idle") return skip(state.peer, chunk, replies.mailFirst);
  const { peer, mail } = state;
  const lacks = lacksRecipients(mail) ?? lacksMemory(rules, octets);
  if (lacks !== undefined) return skip(peer, chunk, lacks);
  if ((mail.received ?? 0) + octets > rules.maxSize) {
    return skip(peer, chunk, replies.tooLarge(rules.maxSize));
  }
  return mail.received === undefined
    ? stepTo({ at: "asking", peer, mail, question: { about: "content", chunk } })
    : stepTo({ at: "chunk", peer, mail, chunk });
}

function skip(peer: Peer, { octets }: Chunk, refusal: Reply): Step {
  const counted = idle({ at: "idle", peer }, refusal);
  if (counted.state.at === "closed") return counted;
  return stepTo({ at: "skipping", peer: counted.state.peer, octets, refusal });
}

export function decide(state: State & { at: "asking" }, refusal: Reply | undefined): Step {
  const { peer, mail, question } = state;
  if (refusal !== undefined && refusal.code === 421) return close(peer, refusal);
  switch (question.about) {
    case "sender":
      return refusal === undefined
        ? stepTo({ at: "mail", peer, mail }, replies.senderOk(format(mail.sender.mailbox)))
        : idle({ at: "idle", peer }, refusal);
    case "recipient": {
      if (refusal !== undefined) return fruitless(peer, mail, refusal);
      const { mailbox } = question.recipient;
      mail.recipients.set(key(mailbox), question.recipient);
      return stepTo({ at: "mail", peer, mail }, replies.recipientOk(format(mailbox)));
    }
    case "content":
      if (question.chunk !== undefined) {
        return refusal === undefined
          ? stepTo({ at: "chunk", peer, mail, chunk: question.chunk })
          : skip(peer, question.chunk, refusal);
      }
      return refusal === undefined
        ? stepTo({ at: "content", peer, mail }, replies.startContent)
        : idle({ at: "idle", peer }, refusal);
  }
}

export function chunkDone(rules: Rules, { peer, mail, chunk }: State & { at: "chunk" }): Step {
  const received = (mail.received ?? 0) + chunk.octets;
  const next: Ready = { at: "mail", peer, mail: { ...mail, received } };
  const reply = replies.chunkReceived(chunk.octets);
  // An empty chunk brings the message no nearer.
  return chunk.octets === 0 && !peer.stopping ? idle(next, reply) : end(rules, next, reply);
}

export function commit(peer: Peer, { sender, recipients }: Mail, content: Content): Step {
  const transaction = { sender, recipients: [...recipients.values()] };
  return stepTo({ at: "committing", peer, transaction, content });
}

export function committed(rules: Rules, peer: Peer, reply: Reply): Step {
  if (!isPositive(reply)) throw new Error(`session: committed with ${reply.code}`);
  return end(rules, { at: "idle", peer: { ...peer, idleCommands: 0 } }, reply);
}

export function refused(rules: Rules, peer: Peer, reply: Reply): Step {
  if (isPositive(reply)) throw new Error(`session: refused with ${reply.code}`);
  if (reply.code === 421) return close(peer, reply);
  return end(rules, { at: "idle", peer }, reply);
}
