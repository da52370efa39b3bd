/**
 * Puts hashes in the place of the local parts of mail addresses, wherever they stand in a text:
 * in a path, in what a client said, in the reply of another server. Pure.
 *
 * Promises: no local part is left, also where an address is badly written, though more may go
 * with it then; the same address has the same hash, in whatever case; time grows with the length
 * of the text only.
 */

type Hash = (address: string) => string;

/** Between words. */
const DELIMITER = /[\s<>()[\]:;,]/;
/** Of a domain; beyond ASCII, since it may be one of RFC 6531. */
const OF_DOMAIN = /[0-9A-Za-z._\u0080-\uffff-]/;
/** What may stand around an address, though it might be of its local part. */
const AROUND: Readonly<Record<string, string>> = { "'": "'", "{": "}" };
/** No local part is longer, nor a domain literal (RFC 5321 §4.5.3.1). */
const LONGEST = 256;

/** `hash`: of a whole address in lower case. */
export function redact(text: string, hash: Hash): string {
  if (!text.includes("@") && !/[+%]40/.test(text)) return text;
  let redacted = "";
  for (let i = 0; i < text.length;) {
    let end = endOfWord(text, i);
    if (end === i) {
      redacted += text[i++];
      continue;
    }
    if (text[end - 1] === "@" && text[end] === "[") end = endOfLiteral(text, end);
    redacted += redactWord(text.slice(i, end), hash);
    i = end;
  }
  return redacted;
}

function endOfWord(text: string, from: number): number {
  let i = from;
  while (i < text.length && !DELIMITER.test(text[i])) {
    if (text[i] !== '"') {
      i++;
      continue;
    }
    const end = endOfQuoted(text, i);
    if (end !== undefined && (text[end] === "@" || text[end] === ".")) i = end;
    // One that is not closed is as good as any other character.
    else if (end === undefined || text[i + 1] === "@") i++;
    else break;
  }
  return i;
}

/** Behind a quoted string; a backslash takes the next character as it is (RFC 5321 §4.1.2). */
function endOfQuoted(text: string, from: number): number | undefined {
  const most = Math.min(text.length, from + LONGEST);
  for (let i = from + 1; i < most; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i + 1;
  }
  return undefined;
}

function endOfLiteral(text: string, from: number): number {
  const close = text.slice(from, from + LONGEST).search(/[\]\s]/);
  return text[from + close] === "]" ? from + close + 1 : from;
}

function redactWord(word: string, hash: Hash): string {
  const at = word.lastIndexOf("@");
  if (at >= 0) return redactAt(word, 0, at, 1, hash);
  // As `xtext` (RFC 3461 §4), or in a link.
  const coded = Math.max(word.lastIndexOf("+40"), word.lastIndexOf("%40"));
  if (coded < 0) return word;
  const before = word.slice(0, coded);
  const from = Math.max(...["=", "&", "?", "/"].map((sign) => before.lastIndexOf(sign))) + 1;
  return redactAt(word, from, coded, 3, hash);
}

/** A word with an address from `from` on, whose at sign stands at `at`. */
function redactAt(word: string, from: number, at: number, length: number, hash: Hash): string {
  const sign = word.slice(at, at + length);
  const start = at + length;
  let end = start;
  if (word[start] === "[") end = word.indexOf("]", start) + 1;
  else while (end < word.length && OF_DOMAIN.test(word[end])) end++;
  while (end > start && word[end - 1] === ".") end--;
  const isEnclosed = word[end] !== undefined && AROUND[word[from]] === word[end];
  const first = isEnclosed ? from + 1 : from;
  const local = word.slice(first, at);
  if (/^@*$/.test(local)) return word;
  const domain = word.slice(start, end);
  const hashed = hash(`${local}@${domain}`.toLowerCase());
  return word.slice(0, first) + hashed + sign + domain + word.slice(end);
}
