/**
 * What a process does to its files, as strace records it: each call when it begins and when it
 * has ended, in the order in which the kernel saw that.
 *
 * Throws upon a record that is not whole: a test that rests on less proves nothing.
 */

/** Whatever changes files or makes them stable; a call that this system lacks is no matter. */
const CALLS = [
  ..."openat fcntl lseek write pwrite64 fsync fdatasync ftruncate linkat unlinkat mkdirat".split(
    " ",
  ),
  ..."?open ?creat ?link ?unlink ?mkdir ?rmdir ?rename ?renameat ?renameat2".split(" "),
  ..."?writev ?pwritev ?pwritev2 ?truncate ?fallocate ?copy_file_range ?sendfile".split(" "),
  ..."?symlink ?symlinkat ?sync_file_range ?syncfs ?sync ?msync".split(" "),
];

/** Put before a command: its calls are written into a file. */
export function recording(strace: string, record: string): string[] {
  return [
    strace,
    ..."-f --seccomp-bpf -qq -y -s 16777216 -e signal=none".split(" "),
    "-e",
    `trace=${CALLS.join()}`,
    "-o",
    record,
  ];
}

export interface Call {
  readonly name: string;
  /** Texts as their octets; numbers, flags and descriptors as they are written. */
  readonly args: readonly (string | Uint8Array)[];
}

export type Event =
  | { readonly is: "begin"; readonly call: Call }
  | {
    readonly is: "end";
    readonly call: Call;
    readonly result: number;
    /** Of a descriptor that it returned. */
    readonly path: string | undefined;
  };

/** Calls that never ended, because the process was killed, only begin. */
export function* events(record: Uint8Array): Generator<Event> {
  const underway = new Map<string, Call>();
  for (let at = 0; at < record.length;) {
    const end = record.indexOf(LF, at);
    if (end < 0) throw new Error("record of strace: its last line has no end");
    const line = new Line(record.subarray(at, end));
    at = end + 1;
    const thread = line.until(" ");
    line.skip(" ");
    if (line.starts("+++") || line.starts("---")) continue;
    let call: Call;
    if (line.starts("<... ")) {
      call = underway.get(thread)!;
      line.until(")");
    } else {
      call = line.call();
      yield { is: "begin", call };
    }
    const ended = line.end();
    if (ended === undefined) underway.set(thread, call);
    else yield { is: "end", call, ...ended };
  }
}

const LF = 10, QUOTE = 34, BACKSLASH = 92, ZERO = 48, SEVEN = 55;
const CUT_SHORT = /^ *<(?:unfinished|detached)/;
const ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, v: 11, f: 12 };
const latin1 = new TextDecoder("latin1");

class Line {
  readonly #octets: Uint8Array;
  #at = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  starts(text: string): boolean {
    return this.#text(text.length) === text;
  }

  skip(character: string): void {
    while (this.#text(1) === character) this.#at++;
  }

  /** Up to the character, which is passed. */
  until(character: string): string {
    const end = this.#octets.indexOf(character.charCodeAt(0), this.#at);
    if (end < 0) throw this.#bad();
    const text = this.#text(end - this.#at);
    this.#at = end + 1;
    return text;
  }

  /** A name and what stands in its parentheses, as far as it was written. */
  call(): Call {
    const name = this.until("(");
    const args: (string | Uint8Array)[] = [];
    while (!this.starts(")") && !this.#isCutShort()) {
      if (this.#at >= this.#octets.length) throw this.#bad();
      args.push(this.#octets[this.#at] === QUOTE ? this.#quoted() : this.#plain());
      if (this.starts(", ")) this.#at += 2;
    }
    if (this.starts(")")) this.#at++;
    return { name, args };
  }

  /** By another thread, or by the end of the process. */
  #isCutShort(): boolean {
    return CUT_SHORT.test(this.#text(13));
  }

  /** `) = 3</tmp/x>`, `= -1 ENOENT (…)`, `= 0`; none: it has not ended, or never will. */
  end(): { result: number; path: string | undefined } | undefined {
    const rest = this.#text(this.#octets.length - this.#at).trim();
    if (CUT_SHORT.test(rest) || /^= (?:\?|-1 \(errno)/.test(rest)) return undefined;
    const found = /^= (-?\d+|0x[0-9a-f]+)(?:<(.*)>)?(?: (?:E[A-Z0-9]+ )?\(.*\))?$/.exec(rest);
    if (found === null) throw this.#bad();
    return { result: Number(found[1]), path: found[2] };
  }

  /** Up to the next comma or parenthesis that is not part of a path in angles. */
  #plain(): string {
    const from = this.#at;
    for (let angles = 0; this.#at < this.#octets.length; this.#at++) {
      const character = String.fromCharCode(this.#octets[this.#at]);
      if (character === "<") {
        if (angles === 0 && this.#isCutShort()) break;
        angles++;
      } else if (character === ">" && angles > 0) {
        angles--;
        if (this.#textAt(this.#at + 1, 9) === "(deleted)") this.#at += 9;
      } else if (angles === 0 && (character === "," || character === ")")) break;
    }
    return this.#textAt(from, this.#at - from).trimEnd();
  }

  #quoted(): Uint8Array {
    const octets = this.#octets;
    const found = new Uint8Array(octets.length - this.#at);
    let size = 0;
    let at = this.#at + 1;
    for (; octets[at] !== QUOTE; at++) {
      if (at >= octets.length) throw this.#bad();
      if (octets[at] !== BACKSLASH) {
        found[size++] = octets[at];
        continue;
      }
      const next = octets[++at];
      if (next < ZERO || next > SEVEN) {
        found[size++] = ESCAPES[String.fromCharCode(next)] ?? next;
        continue;
      }
      let value = next - ZERO;
      for (let more = 0; more < 2 && octets[at + 1] >= ZERO && octets[at + 1] <= SEVEN; more++) {
        value = value * 8 + octets[++at] - ZERO;
      }
      found[size++] = value;
    }
    this.#at = at + 1;
    if (this.starts("...")) throw new Error("record of strace: a text is cut");
    return found.slice(0, size);
  }

  #text(length: number): string {
    return this.#textAt(this.#at, length);
  }

  #textAt(at: number, length: number): string {
    return latin1.decode(this.#octets.subarray(at, at + length));
  }

  #bad(): Error {
    const octets = this.#octets.length;
    const around = this.#textAt(0, 100) + " … " + this.#textAt(Math.max(octets - 100, 0), 100);
    return new Error(`record of strace: not understood, of ${octets} octets: ${around}`);
  }
}
