/**
 * The client's side of a transaction (RFC 5321 §3.3), as a generator: it yields what to say and
 * how many replies to wait for, and is resumed with them. What it returns is, for each recipient,
 * the reply that decided.
 *
 * Promises: commands are pipelined where that is offered (RFC 2920), and only then; parameters
 * are given only where they are; nothing that was given to it becomes a command of its own.
 */

import { format, isAscii } from "./address.ts";
import type { Offers } from "./offers.ts";
import { isPositive, type Reply, reply } from "./reply.ts";
import type { Recipient, Sender } from "./transaction.ts";
import { unitext, xtext } from "./xtext.ts";

/** A message to be handed over, to some of its recipients. */
export interface Consignment {
  readonly sender: Sender;
  readonly recipients: readonly Recipient[];
  readonly size: number;
  /** Its octets are not all ASCII. */
  readonly eightBit: boolean;
  /** So are those of its header: RFC 6531 is needed for that. */
  readonly utf8Header: boolean;
}

export type Command = "MAIL FROM" | "RCPT TO" | "DATA" | "end of DATA" | "RSET";

/** What is to be done next. */
export type Move =
  | {
    readonly kind: "say";
    /** Lines with their ends. */
    readonly text: string;
    /** One for each reply that is waited for. */
    readonly commands: readonly Command[];
  }
  /** Give the content, with its last dot; one reply. */
  | { readonly kind: "content"; readonly empty: boolean };

/** What was decided of a recipient. */
export interface Decision {
  readonly recipient: Recipient;
  /** Absent where nothing was said: it was clear before. */
  readonly command?: Command;
  readonly reply: Reply;
}

export type Transacting = Generator<Move, readonly Decision[], readonly Reply[]>;

/** Where the octets are beyond ASCII, or the message is to be kept from those without TLS. */
const needsEightBit = reply(550, "5.6.3", "Server does not take 8-bit octets (8BITMIME)");
const needsUtf8 = reply(550, "5.6.7", "Server does not take addresses or headers in UTF-8");
const needsRequireTls = reply(550, "5.7.30", "Server does not offer REQUIRETLS");
const tooLarge = (limit: number) =>
  reply(552, "5.3.4", `Message is larger than the server's limit of ${limit} octets`);

export function* transact(offers: Offers, consignment: Consignment): Transacting {
  const { recipients } = consignment;
  const refusal = refusalBefore(offers, consignment);
  const able = refusal === undefined
    ? recipients.filter(({ mailbox }) => offers.utf8 || isAscii(format(mailbox)))
    : [];
  const rest = { ...consignment, recipients: able };
  const decisions = able.length === 0
    ? []
    : offers.pipelining
    ? yield* pipelined(offers, rest)
    : yield* oneByOne(offers, rest);
  const decided = new Map(decisions.map((decision) => [decision.recipient, decision]));
  return recipients.map((recipient) =>
    decided.get(recipient) ?? { recipient, reply: refusal ?? needsUtf8 }
  );
}

/** What is known to be in vain is not tried. */
function refusalBefore(offers: Offers, consignment: Consignment): Reply | undefined {
  const { sender, size, eightBit, utf8Header } = consignment;
  if (sender.requireTls && !offers.requireTls) return needsRequireTls;
  if (!offers.utf8 && (utf8Header || !isAscii(format(sender.mailbox)))) return needsUtf8;
  // To change the octets would break their signature.
  if (eightBit && !offers.eightBit) return needsEightBit;
  return offers.size !== undefined && offers.size > 0 && size > offers.size
    ? tooLarge(offers.size)
    : undefined;
}

/** RFC 6531 §3.6: what was declared so, but is plain ASCII, may go anywhere. */
function needsUtf8Of({ sender, recipients, utf8Header }: Consignment): boolean {
  return utf8Header || !isAscii(format(sender.mailbox)) ||
    recipients.some(({ mailbox }) => !isAscii(format(mailbox)));
}

function* pipelined(offers: Offers, consignment: Consignment): Transacting {
  const { recipients } = consignment;
  const lines = [
    mailLine(offers, consignment),
    ...recipients.map((recipient) => rcptLine(offers, recipient)),
    "DATA\r\n",
  ];
  const commands: Command[] = ["MAIL FROM", ...recipients.map(() => "RCPT TO" as const), "DATA"];
  const [mail, ...others] = yield { kind: "say", text: lines.join(""), commands };
  const data = others.pop()!;
  const decisions = decided(recipients, mail, others);
  const accepted = decisions.filter(({ reply }) => isPositive(reply));
  if (accepted.length === 0 || !isPositive(mail)) {
    // Whoever asks for content though there is nobody to have it gets none (RFC 2920 §3.1).
    if (data.code === 354) yield { kind: "content", empty: true };
    else if (isPositive(mail)) yield reset;
    return decisions;
  }
  return yield* content(decisions, data);
}

function* oneByOne(offers: Offers, consignment: Consignment): Transacting {
  const { recipients } = consignment;
  const text = mailLine(offers, consignment);
  const [mail] = yield { kind: "say", text, commands: ["MAIL FROM"] };
  if (!isPositive(mail)) return decided(recipients, mail, []);
  const replies: Reply[] = [];
  for (const recipient of recipients) {
    const text = rcptLine(offers, recipient);
    const [reply] = yield { kind: "say", text, commands: ["RCPT TO"] };
    replies.push(reply);
    // It has ended the session: nobody hears what is said further.
    if (reply.code === 421) break;
  }
  while (replies.length < recipients.length) replies.push(replies.at(-1)!);
  const decisions = decided(recipients, mail, replies);
  const last = replies.at(-1)!;
  // Nobody has the message, whoever was accepted before.
  if (last.code === 421) {
    return decisions.map((each) => isPositive(each.reply) ? { ...each, reply: last } : each);
  }
  if (!decisions.some(({ reply }) => isPositive(reply))) {
    yield reset;
    return decisions;
  }
  const [data] = yield { kind: "say", text: "DATA\r\n", commands: ["DATA"] };
  return yield* content(decisions, data);
}

const reset: Move = { kind: "say", text: "RSET\r\n", commands: ["RSET"] };

/** Some have been accepted; now their content. */
function* content(decisions: readonly Decision[], data: Reply): Transacting {
  let command: Command = "DATA";
  let final = data;
  if (data.code === 354) {
    [final] = yield { kind: "content", empty: false };
    command = "end of DATA";
  } else if (data.code !== 421) yield reset;
  // A 2yz in place of 354 has taken nothing.
  const said = command === "DATA" && isPositive(final)
    ? reply(451, "4.5.0", `Server answered DATA with ${data.code}`)
    : final;
  return decisions.map((decision) =>
    isPositive(decision.reply) ? { ...decision, command, reply: said } : decision
  );
}

function decided(
  recipients: readonly Recipient[],
  mail: Reply,
  replies: readonly Reply[],
): Decision[] {
  return recipients.map((recipient, i) =>
    isPositive(mail)
      ? { recipient, command: "RCPT TO", reply: replies[i] }
      : { recipient, command: "MAIL FROM", reply: mail }
  );
}

function mailLine(offers: Offers, consignment: Consignment): string {
  const { sender, size, eightBit } = consignment;
  const words = [`MAIL FROM:<${format(sender.mailbox)}>`];
  if (offers.size !== undefined) words.push(`SIZE=${size}`);
  if (offers.eightBit && (eightBit || sender.body === "8BITMIME")) words.push("BODY=8BITMIME");
  if (offers.utf8 && (sender.utf8 || needsUtf8Of(consignment))) words.push("SMTPUTF8");
  if (sender.requireTls) words.push("REQUIRETLS");
  if (offers.dsn && sender.ret !== undefined) words.push(`RET=${sender.ret}`);
  if (offers.dsn && sender.envid !== undefined) words.push(`ENVID=${xtext(sender.envid)}`);
  return words.join(" ") + "\r\n";
}

function rcptLine({ dsn, utf8 }: Offers, { mailbox, notify, orcpt }: Recipient): string {
  const words = [`RCPT TO:<${format(mailbox)}>`];
  if (dsn && notify !== undefined) words.push(`NOTIFY=${notify.join(",")}`);
  if (dsn && orcpt !== undefined) {
    const isUtf8 = orcpt.type.toLowerCase() === "utf-8";
    const address = isUtf8 ? unitext(orcpt.address, utf8) : xtext(orcpt.address);
    words.push(`ORCPT=${orcpt.type};${address}`);
  }
  return words.join(" ") + "\r\n";
}
