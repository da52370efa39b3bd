/**
 * The replies of the server, by name. Codes follow RFC 5321 §4.2.3, enhanced codes
 * RFC 3463 and the registry of RFC 5248; each text tells a person what to do.
 */

import { type Reply, reply } from "./reply.ts";

// Greeting and farewell

export const greeting = (hostname: string, banner: string): Reply =>
  reply(220, undefined, `${hostname} ESMTP ${banner}`);
export const bye = (hostname: string): Reply => reply(221, "2.0.0", `${hostname} signing off`);
export const clientNotAllowed = (address: string): Reply =>
  reply(554, "5.7.1", `Client address ${address} is not allowed to use this server`);
export const clientUnresolved = (address: string): Reply =>
  reply(421, "4.7.0", `Cannot tell now whether ${address} is allowed, try again later`);
export const tooManyClients = reply(421, "4.3.2", "Too many connections, try again later");
export const tooManyFromAddress = (address: string): Reply =>
  reply(421, "4.7.0", `Too many connections from ${address}`);
export const timedOut = (hostname: string): Reply =>
  reply(421, "4.4.2", `${hostname} waited too long, closing the connection`);
export const stopping = (hostname: string): Reply =>
  reply(421, "4.3.2", `${hostname} is shutting down, try again later`);

// Hello and talk about nothing

export const greets = (hostname: string, client: string): Reply =>
  reply(250, undefined, `${hostname} greets ${client}`);
export const offers = (hostname: string, client: string, keywords: readonly string[]): Reply =>
  reply(250, undefined, `${hostname} greets ${client}`, ...keywords);
export const ok = reply(250, "2.0.0", "OK");
export const help = reply(
  214,
  "2.0.0",
  "HELO EHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT",
  "RFC 5321 explains them",
);
export const cannotVerify = reply(
  252,
  "2.0.0",
  "Cannot verify the address, but will accept mail and try to deliver it",
);

// Commands that cannot be understood

export const unknownCommand = reply(500, "5.5.1", "Command not recognised");
export const notOffered = (verb: string): Reply =>
  reply(502, "5.5.1", `${verb} is not offered here`);
export const lineTooLong = (limit: number): Reply =>
  reply(500, "5.5.2", `Line too long, the limit is ${limit} octets`);
export const badCharacters = reply(500, "5.5.2", "Line holds control characters");
export const bareNewlineInCommand = reply(
  500,
  "5.5.2",
  "Lines end in CR LF, this one in LF alone",
);
export const badArgument = (usage: string): Reply => reply(501, "5.5.4", `Syntax: ${usage}`);
export const notHttp = reply(554, "5.5.0", "This is SMTP, not HTTP");
export const tooManyUnknown = reply(421, "4.7.0", "Too many unknown commands");
export const tooManyIdle = reply(421, "4.7.0", "Too many commands that send no mail");
export const helloFirst = reply(503, "5.5.1", "Send HELO or EHLO first");
export const ehloFirst = reply(503, "5.5.1", "Send EHLO first, it offers CHUNKING");
export const spokeTooEarly = reply(554, "5.5.0", "Wait for the reply before sending more");

// Who the client is

export const startHandshake = reply(220, "2.0.0", "Ready to start TLS");
export const securedAlready = reply(503, "5.5.1", "TLS is active already");
export const ehloBefore = (verb: string): Reply => reply(503, "5.5.1", `Send EHLO before ${verb}`);
export const challenge = (base64: string): Reply => reply(334, undefined, base64);
export const authenticated = reply(235, "2.7.0", "Authentication succeeded");
export const authenticatedAlready = reply(503, "5.5.1", "You are authenticated already");
export const authInMail = reply(503, "5.5.1", "AUTH comes before MAIL, RSET to start over");
export const encryptFirst = reply(538, "5.7.11", "AUTH needs TLS, send STARTTLS first");
export const unknownMechanism = reply(504, "5.5.4", "Mechanism is not offered here");
export const authCancelled = reply(501, "5.7.0", "Authentication cancelled");
export const badBase64 = reply(501, "5.5.2", "Cannot decode the response, it must be base64");
export const badResponse = reply(501, "5.5.2", "Response is not what the mechanism asks for");
export const responseTooLong = reply(500, "5.5.6", "Authentication exchange line is too long");
export const loginFailed = reply(535, "5.7.8", "Authentication failed, check user and password");
export const loginNotJudged = reply(454, "4.7.0", "Cannot authenticate now, try again later");
export const tooManyFailedLogins = reply(421, "4.7.0", "Too many failed logins, try again later");
export const notAProxy = reply(550, "5.7.0", "XCLIENT is not for you");
export const xclientInMail = reply(503, "5.5.1", "XCLIENT comes before MAIL, RSET to start over");
export const badAttribute = (name: string): Reply =>
  reply(501, "5.5.4", `Attribute ${name} is not known, or its value is wrong`);

// MAIL and RCPT

export const badSender = reply(501, "5.1.7", "Not an address, Syntax: MAIL FROM:<user@domain>");
export const badRecipient = reply(501, "5.1.3", "Not an address, Syntax: RCPT TO:<user@domain>");
export const needsUtf8 = reply(
  553,
  "5.6.7",
  "An address beyond ASCII needs the SMTPUTF8 parameter of MAIL",
);
export const unknownParameter = (name: string): Reply =>
  reply(555, "5.5.4", `Parameter ${name} is not known`);
export const badParameter = (name: string, accepted: string): Reply =>
  reply(501, "5.5.4", `Parameter ${name} must be ${accepted}`);
export const repeatedParameter = (name: string): Reply =>
  reply(501, "5.5.4", `Parameter ${name} is given twice, differently`);
export const tooLarge = (limit: number): Reply =>
  reply(552, "5.3.4", `Message is larger than the limit of ${limit} octets`);
export const foreignSender = (domain: string): Reply =>
  reply(553, "5.7.1", `Senders of domain ${domain} are not accepted here`);
/** RFC 8689 §4: whoever has no TLS was not offered it. */
/** RFC 3463 §3.8. */
export const notSigned = reply(451, "4.7.5", "Message cannot be signed now, try again later");
export const requireTlsNeedsTls = reply(530, "5.7.10", "REQUIRETLS needs TLS, send STARTTLS first");
export const rateExceeded = (whose: string, rate: string): Reply =>
  reply(450, "4.7.1", `Too many messages of ${whose}, at most ${rate}, try again later`);
export const senderOk = (address: string): Reply => reply(250, "2.1.0", `Sender <${address}> OK`);
export const recipientOk = (address: string): Reply =>
  reply(250, "2.1.5", `Recipient <${address}> OK`);
export const nestedMail = reply(503, "5.5.1", "A sender is already given, RSET to start over");
export const mailFirst = reply(503, "5.5.1", "Send MAIL FROM first");
export const recipientFirst = reply(503, "5.5.1", "Send RCPT TO first");
export const noValidRecipients = reply(554, "5.5.1", "No valid recipients");
export const tooManyRecipients = (limit: number): Reply =>
  reply(452, "4.5.3", `Too many recipients, the limit is ${limit} in one message`);
export const recipientFlood = reply(421, "4.7.0", "Far too many recipients");

// The message

export const startContent = reply(354, undefined, "End data with <CR><LF>.<CR><LF>");
export const chunkReceived = (octets: number): Reply =>
  reply(250, "2.0.0", `${octets} octets received`);
export const accepted = (id: string): Reply =>
  reply(250, "2.0.0", `Message accepted for delivery ${id}`);
export const badChunk = reply(501, "5.5.4", "Syntax: BDAT octets [LAST]");
export const dataAfterBdat = reply(503, "5.5.1", "The message was begun with BDAT, go on with it");
export const bareNewline = reply(
  550,
  "5.5.2",
  "Lines end in CR LF, but this message has CR or LF alone",
);
export const ambiguousEnd = reply(
  554,
  "5.5.2",
  "A line with a dot alone must begin and end with CR LF, as every line must",
);
export const headerTooLarge = (lines: number, octets: number): Reply =>
  reply(552, "5.3.4", `Header is larger than the limit of ${lines} lines or ${octets} octets`);
export const failed = reply(451, "4.3.0", "Local error, try again later");
export const brokenOff = reply(421, "4.3.0", "Local error, closing the connection");
export const notStored = reply(451, "4.3.0", "Message not stored, try again later");
export const storeFull = reply(452, "4.3.1", "No space for the message, try again later");
export const memoryFull = reply(452, "4.3.1", "Too much mail at once, try again later");
export const queueLimit = reply(
  452,
  "4.3.1",
  "Too many of your recipients are queued, try again later",
);
export const tooManyHops = (limit: number): Reply =>
  reply(554, "5.4.6", `Message goes in circles, it has ${limit} Received fields or more`);
