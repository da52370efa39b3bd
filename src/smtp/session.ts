/**
 * A session as octets in and octets out: joins the lines and contents of framing with the
 * decisions of `server.ts`. Still pure: it neither reads nor writes nor waits.
 *
 * Whoever drives it gives octets to `receive` while `wantsOctets`, answers what a state
 * asks for with `answer`, and sends what `takeReplies` gives. The octets given must stay
 * as they are until the session wants more: they are looked at in place.
 */

import {
  ContentReader,
  type Defect,
  MAX_HEADER_LINES,
  MAX_HEADER_OCTETS,
} from "./content_reader.ts";
import { parse } from "./command.ts";
import { beginning } from "./content.ts";
import { type Line, LineReader } from "./framing.ts";
import { format, type Reply } from "./reply.ts";
import * as replies from "./replies.ts";
import { step } from "./server.ts";
import { initial, type Input, type Rules, type State } from "./state.ts";

/** Octets of a command line, its CRLF among them (RFC 5321 §4.5.3.1.4 asks for 512). */
export const LINE_LIMIT = 2048;

/** What else the world may say to a session. */
export type Answer = Extract<
  Input,
  { kind: "opened" | "verdict" | "committed" | "refused" | "timeout" | "stop" }
>;

/** Sees what passes. */
export interface Observer {
  /** Whether it wants to see each line, and the beginning of each message. */
  readonly wants: { readonly lines: boolean; readonly content: boolean };
  line(side: "C" | "S", text: string): void;
  /** A client, a command or a message was refused. */
  refused(what: string, reply: Reply): void;
}

export class Session {
  state: State = initial;
  /** Commands and contents that came to their end. */
  completed = 0;

  readonly #rules: Rules;
  readonly #observer: Observer | undefined;
  readonly #lines: LineReader;
  #content: ContentReader;
  #chunkLeft = 0;
  #octets = new Uint8Array(0);
  #from = 0;
  #replies = "";
  /** What the next refusal is of. */
  #last = "(connection)";

  constructor(rules: Rules, observer?: Observer) {
    this.#rules = rules;
    this.#observer = observer;
    this.#lines = new LineReader(rules.bareNewline);
    this.#content = new ContentReader(rules, { transparency: true });
  }

  get wantsOctets(): boolean {
    const { at } = this.state;
    return at !== "connected" && at !== "asking" && at !== "committing" && at !== "closed";
  }

  receive(octets: Uint8Array<ArrayBuffer>): void {
    this.#octets = octets;
    this.#from = 0;
    this.#goOn();
  }

  answer(input: Answer): void {
    if (input.kind === "opened" && input.early) this.#observe("C", "(spoke before the greeting)");
    this.#step(input);
    this.#goOn();
  }

  /** The replies since the last call, to be sent in one piece (RFC 2920 §3.2). */
  takeReplies(): string {
    const taken = this.#replies;
    this.#replies = "";
    return taken;
  }

  #goOn(): void {
    while (this.#from < this.#octets.length) {
      switch (this.state.at) {
        case "idle":
        case "mail":
          this.#takeLine();
          break;
        case "content":
          this.#takeContent();
          break;
        case "chunk":
        case "skipping":
          this.#takeChunk();
          break;
        case "closed":
          this.#from = this.#octets.length;
          break;
        default:
          return;
      }
    }
  }

  #takeLine(): void {
    const octets = this.#octets;
    this.#from = this.#lines.take(octets, this.#from, octets.length, LINE_LIMIT);
    const { line } = this.#lines;
    if (line === undefined) return;
    this.completed++;
    this.#last = line.kind === "line" ? line.text : `(${line.kind})`;
    this.#observe("C", this.#last);
    this.#step(this.#read(line, this.#from < octets.length));
  }

  #read(line: Line, more: boolean): Input {
    switch (line.kind) {
      case "line": {
        const command = parse(line.text);
        return "code" in command
          ? { kind: "unreadable", reply: command }
          : { kind: "command", command, more };
      }
      case "overlong":
        return { kind: "unreadable", reply: replies.lineTooLong(LINE_LIMIT) };
      case "bare newline":
        return { kind: "unreadable", reply: replies.bareNewlineInCommand };
    }
  }

  #takeContent(): void {
    this.#from = this.#content.take(this.#octets, this.#from);
    if (this.#content.ended) this.#endContent();
  }

  #takeChunk(): void {
    const end = Math.min(this.#from + this.#chunkLeft, this.#octets.length);
    this.#chunkLeft -= end - this.#from;
    if (this.state.at === "chunk") this.#content.take(this.#octets, this.#from, end);
    this.#from = end;
    if (this.#chunkLeft === 0) this.#endChunk();
  }

  #endChunk(): void {
    if (this.state.at === "chunk" && (this.state.chunk.last || this.#content.defect)) {
      this.#endContent();
    } else {
      this.completed++;
      this.#step({ kind: "chunk" });
    }
  }

  #endContent(): void {
    this.completed++;
    const content = this.#content.finish();
    const { defect } = this.#content;
    this.#last = defect === undefined ? `(${content.size} octets)` : `(${defect})`;
    if (this.#observer?.wants.content) {
      for (const line of beginning(content)) this.#observe("C", line);
    }
    this.#observe("C", this.#last);
    this.#step(
      defect === undefined
        ? { kind: "content", content }
        : { kind: "spoiled", reply: this.#refusal(defect), final: defect === "ambiguous end" },
    );
  }

  #refusal(defect: Defect): Reply {
    switch (defect) {
      case "too large":
        return replies.tooLarge(this.#rules.maxSize);
      case "header too large":
        return replies.headerTooLarge(MAX_HEADER_LINES, MAX_HEADER_OCTETS);
      case "bare newline":
        return replies.bareNewline;
      case "ambiguous end":
        return replies.ambiguousEnd;
    }
  }

  #step(input: Input): void {
    const before = this.state.at;
    const { state, replies } = step(this.#rules, this.state, input);
    this.state = state;
    for (const reply of replies) this.#say(reply);
    if (state.at === before) return;
    if (state.at === "content") {
      this.#content = new ContentReader(this.#rules, { transparency: true });
    }
    if (state.at === "chunk" && state.mail.received === undefined) {
      this.#content = new ContentReader(this.#rules, { transparency: false });
    }
    if (state.at === "chunk" || state.at === "skipping") {
      this.#chunkLeft = state.at === "chunk" ? state.chunk.octets : state.octets;
      if (this.#chunkLeft === 0) this.#endChunk();
    }
  }

  #say(reply: Reply): void {
    const wire = format(reply);
    this.#replies += wire;
    if (reply.code >= 400) this.#observer?.refused(this.#last, reply);
    if (this.#observer?.wants.lines) {
      for (const line of wire.trimEnd().split("\r\n")) this.#observe("S", line);
    }
  }

  #observe(side: "C" | "S", text: string): void {
    if (this.#observer?.wants.lines) this.#observer.line(side, text);
  }
}
