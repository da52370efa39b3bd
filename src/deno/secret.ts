/** A secret that a person types, unseen, or that is piped in. */

const ENTER = 13, LINE_FEED = 10, BACKSPACE = 8, DELETE = 127;
const INTERRUPT = 3, END = 4, ERASE_LINE = 21;
/** More is no password. */
const MOST = 4096;

const encoder = new TextEncoder();

/** Whether a person is at the other end. */
export function isTyped(): boolean {
  return Deno.stdin.isTerminal();
}

/** What is typed up to Enter, not shown; `undefined` where it is given up. */
export function typed(prompt: string): string | undefined {
  const octets: number[] = [];
  const buffer = new Uint8Array(256);
  // Before it asks: whoever answers at once is not shown either.
  Deno.stdin.setRaw(true);
  Deno.stderr.writeSync(encoder.encode(prompt));
  try {
    for (;;) {
      const count = Deno.stdin.readSync(buffer);
      if (count === null) return undefined;
      for (const octet of buffer.subarray(0, count)) {
        if (octet === ENTER || octet === LINE_FEED) return text(octets);
        if (octet === INTERRUPT || octet === END) return undefined;
        if (octet === ERASE_LINE) octets.length = 0;
        else if (octet === BACKSPACE || octet === DELETE) eraseCharacter(octets);
        else octets.push(octet);
      }
    }
  } finally {
    Deno.stdin.setRaw(false);
    Deno.stderr.writeSync(encoder.encode("\n"));
  }
}

/** A character of UTF-8 begins with an octet that does not go on with another. */
function eraseCharacter(octets: number[]): void {
  while (((octets.pop() ?? 0) & 0xc0) === 0x80);
}

/** The first line of what is piped in, without its end. */
export function piped(): string {
  const octets: number[] = [];
  const buffer = new Uint8Array(1024);
  while (octets.length < MOST) {
    const count = Deno.stdin.readSync(buffer);
    if (count === null) break;
    octets.push(...buffer.subarray(0, count));
    if (octets.includes(LINE_FEED)) break;
  }
  return text(octets).replace(/\r?\n[^]*$/, "");
}

const text = (octets: number[]) => new TextDecoder().decode(Uint8Array.from(octets));
