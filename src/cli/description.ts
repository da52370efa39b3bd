/** One message as lines, for people: what is known of it, and how each recipient fares. Pure. */

import type { ShownAttempt, ShownMessage } from "../ports/store.ts";
import { path, standing } from "./rows.ts";
import { counted, instant, plain, size, span } from "./words.ts";

export function describe(
  message: ShownMessage,
  now: number,
  { subject }: { subject: boolean },
): string {
  const { client, recipients, attempts } = message;
  const rows = [
    ["id", message.id],
    ["received", `${instant(message.receivedAt)}, ${span(now - message.receivedAt)} ago`],
    ["origin", message.origin],
    ["client", clientOf(client)],
    ["from", path(message.sender)],
    ["wishes", wishesOf(message).join(", ")],
    [
      "size",
      `${size(message.size)}${message.hasContent ? "" : ", its octets have left the store"}`,
    ],
    ...(subject ? [["subject", message.subject]] : []),
  ];
  const tried = Map.groupBy(attempts, ({ address }) => address);
  const lines = [
    ...rows.map(([name, value]) => `${name.padEnd(10)} ${plain(value)}`),
    "",
    counted(recipients.length, "recipient"),
    ...recipients.flatMap((recipient) => [
      `  ${plain(recipient.address)}  ${standing(recipient, now)}`,
      ...(recipient.lastError === undefined ? [] : [`    ${plain(recipient.lastError)}`]),
      ...(tried.get(recipient.address) ?? []).map((attempt) => `    ${attemptLine(attempt)}`),
    ]),
  ];
  return lines.map((line) => line + "\n").join("");
}

function clientOf({ address, port, name, helo, esmtp, tls, user }: ShownMessage["client"]) {
  return [
    `${name === undefined ? "" : `${name} `}${address} port ${port}`,
    `${esmtp ? "EHLO" : "HELO"} ${helo}`,
    ...(tls === undefined ? [] : [`${tls.version} ${tls.cipher}`]),
    ...(user === undefined ? [] : [`user ${user}`]),
  ].join(", ");
}

function wishesOf(
  { wishes: { size, body, utf8, requireTls, ret, envid } }: ShownMessage,
): string[] {
  return [
    body,
    ...(utf8 ? ["SMTPUTF8"] : []),
    ...(requireTls ? ["REQUIRETLS"] : []),
    ...(size === undefined ? [] : [`SIZE=${size}`]),
    ...(ret === undefined ? [] : [`RET=${ret}`]),
    ...(envid === undefined ? [] : [`ENVID=${envid}`]),
  ];
}

function attemptLine({ at, outcome }: ShownAttempt): string {
  const { kind, host, command, reply, tls } = outcome;
  const where = [host, command].filter((part) => part !== undefined).join(" ");
  const doubt = tls?.doubt === undefined ? "" : `, certificate not valid: ${tls.doubt}`;
  const protection = tls === undefined ? "" : ` (${tls.version} ${tls.cipher}${doubt})`;
  return plain(`${instant(at)}  ${kind}${where === "" ? "" : `  ${where}`}: ${reply}${protection}`);
}
