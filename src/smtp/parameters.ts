/**
 * The parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531),
 * RET, ENVID, NOTIFY and ORCPT (RFC 3461, RFC 6533), REQUIRETLS (RFC 8689), AUTH (RFC 4954).
 *
 * Promises: decoded values hold no control character, so that nothing of them can become a
 * line of its own further on. What is wrong is the reply that says so.
 */

import { isAscii, parseMailbox, upper } from "./address.ts";
import type { Reply } from "./reply.ts";
import * as replies from "./replies.ts";
import type { Notify, Recipient, Sender } from "./transaction.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Parameter {
  /** For the reply: what the value must be. */
  readonly accepted: string;
  /** Whether the value could be taken. */
  take(value: string): boolean;
}

/** The parameters as `NAME` or `NAME=value`, parted by spaces; the reply to what is wrong. */
function read(text: string, known: Record<string, Parameter>): Reply | undefined {
  const seen = new Map<string, string>();
  for (const word of text.split(" ")) {
    if (word === "") continue;
    const equals = word.indexOf("=");
    const name = upper(equals < 0 ? word : word.slice(0, equals));
    if (!Object.hasOwn(known, name)) return replies.unknownParameter(name);
    // Python's smtplib repeats BODY. Twice the same is no question which one holds.
    if (seen.has(name) && seen.get(name) !== word) return replies.repeatedParameter(name);
    seen.set(name, word);
    const { accepted, take } = known[name];
    if (!take(equals < 0 ? "" : word.slice(equals + 1))) {
      return replies.badParameter(name, accepted);
    }
  }
  return undefined;
}

export function mailParameters(text: string): Omit<Sender, "mailbox"> | Reply {
  const sender: Mutable<Omit<Sender, "mailbox">> = { body: "7BIT", utf8: false };
  if (text === "") return sender;
  const refusal = read(text, {
    SIZE: {
      accepted: "a number",
      take(value) {
        sender.size = Number(value);
        return /^[0-9]{1,20}$/.test(value);
      },
    },
    BODY: {
      accepted: "7BIT or 8BITMIME",
      take(value) {
        const body = upper(value);
        if (body !== "7BIT" && body !== "8BITMIME") return false;
        sender.body = body;
        return true;
      },
    },
    SMTPUTF8: {
      accepted: "without a value",
      take(value) {
        sender.utf8 = true;
        return value === "";
      },
    },
    RET: {
      accepted: "FULL or HDRS",
      take(value) {
        const ret = upper(value);
        if (ret !== "FULL" && ret !== "HDRS") return false;
        sender.ret = ret;
        return true;
      },
    },
    ENVID: {
      accepted: "xtext of printable characters, at most 100",
      take(value) {
        sender.envid = decodeXtext(value);
        return Boolean(sender.envid) && value.length <= 100;
      },
    },
    REQUIRETLS: {
      accepted: "without a value",
      take(value) {
        sender.requireTls = true;
        return value === "";
      },
    },
    AUTH: {
      accepted: "<> or xtext of an address",
      // RFC 4954 §5: who first submitted it is believed only of servers that are trusted to
      // know; here it ends.
      take(value) {
        const address = decodeXtext(value);
        return address === "<>" || (address !== undefined && parseMailbox(address) !== undefined);
      },
    },
  });
  return refusal ?? sender;
}

export function rcptParameters(text: string): Omit<Recipient, "mailbox"> | Reply {
  const recipient: Mutable<Omit<Recipient, "mailbox">> = {};
  if (text === "") return recipient;
  const refusal = read(text, {
    NOTIFY: {
      accepted: "NEVER, or some of SUCCESS,FAILURE,DELAY",
      take(value) {
        const wishes = upper(value).split(",");
        if (!wishes.every(isWish) || new Set(wishes).size < wishes.length) return false;
        recipient.notify = wishes;
        return wishes.length === 1 || !wishes.includes("NEVER");
      },
    },
    ORCPT: {
      accepted: "type;xtext of printable characters, at most 500",
      take(value) {
        const [, type, encoded] = /^([A-Za-z0-9-]+);(.+)$/.exec(value) ?? [];
        if (encoded === undefined || value.length > 500) return false;
        const address = type.toLowerCase() === "utf-8"
          ? decodeUnitext(encoded)
          : decodeXtext(encoded);
        if (address === undefined) return false;
        recipient.orcpt = { type, address };
        return true;
      },
    },
  });
  return refusal ?? recipient;
}

function isWish(word: string): word is Notify {
  return word === "NEVER" || word === "SUCCESS" || word === "FAILURE" || word === "DELAY";
}

/** RFC 3461 §4: `+` and two upper-case hexadecimal digits stand for a character. */
export function decodeXtext(text: string): string | undefined {
  if (!/^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/.test(text)) return undefined;
  const plain = text.replace(/\+(..)/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return /^[\x20-\x7e]*$/.test(plain) ? plain : undefined;
}

/** RFC 6533 §3: `\x{…}` stands for a character; UTF-8 may stand for itself. */
function decodeUnitext(text: string): string | undefined {
  if (isAscii(text) && !text.includes("\\")) return decodeXtext(text);
  if (!/^(?:[!-*,-<>-[\]-~\u00a0-\ufffc\u{10000}-\u{10ffff}]|\\x\{[0-9A-F]{2,6}\})*$/u.test(text)) {
    return undefined;
  }
  let sound = true;
  const plain = text.replace(/\\x\{(.*?)\}/g, (_, hex) => {
    const point = parseInt(hex, 16);
    const printable = point >= 0x20 && !(point >= 0x7f && point < 0xa0) && point <= 0x10ffff &&
      !(point >= 0xd800 && point < 0xe000);
    sound &&= printable;
    return printable ? String.fromCodePoint(point) : "";
  });
  return sound && !/[\u2028\u2029]/.test(plain) ? plain : undefined;
}
