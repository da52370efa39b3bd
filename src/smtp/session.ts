/**
 * A session as octets in and octets out: joins the lines and contents of framing with the
 * decisions of `server.ts`. Still pure: it neither reads nor writes nor waits.
 *
 * Whoever drives it gives octets to `receive` while `wantsOctets`, answers what a state
 * asks for with `tell`, and sends what `takeReplies` gives. The octets given must stay
 * as they are until the session wants more: they are looked at in place.
 */

import {
  ContentReader,
  type Defect,
  MAX_HEADER_LINES,
  MAX_HEADER_OCTETS,
} from "./content_reader.ts";
import { type Command, parse } from "./command.ts";
import { beginning } from "./content.ts";
import { AUTH_LINE_LIMIT, type Line, LINE_LIMIT, LineReader } from "./framing.ts";
import { format, type Reply } from "./reply.ts";
import * as replies from "./replies.ts";
import { step } from "./server.ts";
import { Shown, shownLines } from "./shown.ts";
import { initial, type Input, type Rules, type State } from "./state.ts";

/** What else the world may say to a session. */
export type News = Extract<
  Input,
  {
    kind:
      | "opened"
      | "verdict"
      | "secured"
      | "challenged"
      | "authenticated"
      | "committed"
      | "refused"
      | "timeout"
      | "stop";
  }
>;

/** Sees what passes. */
export interface Observer {
  /** Whether it wants to see each line, and the beginning of each message. */
  readonly wants: { readonly lines: boolean; readonly content: boolean };
  /** `*`: not a line of the dialogue, but something that happened. */
  line(side: "C" | "S" | "*", text: string): void;
  /** A command came; `other`: it was not understood. */
  command(verb: Command["verb"] | "other"): void;
  /** To a connection, a command or a message. */
  replied(to: string, reply: Reply): void;
  /** What was begun of a message is over, and all that was said of it is said. */
  over(): void;
}

const NONE = new Uint8Array(0);
const WANTS_OCTETS: ReadonlySet<State["at"]> = new Set(
  ["idle", "mail", "content", "chunk", "skipping", "responding"],
);
const IN_NO_CONTENT: ReadonlySet<State["at"]> = new Set(["idle", "skipping", "closed"]);

export class Session {
  state: State = initial;
  /** Commands and contents that came to their end. */
  completed = 0;
  /** Contents that were begun. */
  contents = 0;

  readonly #rules: Rules;
  readonly #observer: Observer | undefined;
  readonly #lines: LineReader;
  readonly #shown = new Shown();
  /** From when a content begins until it is handed over. */
  #content: ContentReader | undefined;
  /** Memory of a content that whoever makes it safe has now. */
  #handedOver = 0;
  #chunkLeft = 0;
  #octets = NONE;
  #given = false;
  #from = 0;
  #replies = "";
  /** What happened last: the next refusal is of it. */
  #last = "";

  constructor(rules: Rules, observer?: Observer) {
    this.#rules = rules;
    this.#observer = observer;
    this.#lines = new LineReader(rules.bareNewline);
  }

  get wantsOctets(): boolean {
    return WANTS_OCTETS.has(this.state.at);
  }

  /** `given`: the octets are the session's from now on. */
  receive(octets: Uint8Array<ArrayBuffer>, given = false): void {
    this.#octets = octets;
    this.#given = given;
    this.#from = 0;
    this.#goOn();
  }

  tell(input: News): void {
    if (input.kind === "opened") this.#last = "(connection)";
    if (input.kind === "opened" && input.early) this.#told("C", "(spoke before the greeting)");
    if (input.kind === "timeout") this.#told("*", "(timeout)");
    if (input.kind === "stop") this.#told("*", "(stop)");
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
        case "responding":
          this.#takeLine();
          break;
        case "content":
          this.#takeContent();
          break;
        case "chunk":
        case "skipping":
          this.#takeChunk();
          break;
        case "securing":
          // RFC 3207 §4.2: whoever stands between may have put it there.
          this.#told("*", "(octets behind STARTTLS thrown away)");
          this.#from = this.#octets.length;
          break;
        case "closed":
          this.#from = this.#octets.length;
          break;
        default:
          return;
      }
    }
    // A large buffer is not held for as long as the next octets take.
    this.#octets = NONE;
    this.#from = 0;
  }

  #takeLine(): void {
    const octets = this.#octets;
    const responds = this.state.at === "responding";
    this.#from = this.#lines.take(octets, this.#from, responds ? AUTH_LINE_LIMIT : LINE_LIMIT);
    const { line } = this.#lines;
    if (line === undefined) return;
    this.completed++;
    const input = responds && line.kind === "line"
      ? { kind: "response", text: line.text } as const
      : this.#read(line, this.#from < octets.length);
    if (input.kind === "command") this.#observer?.command(input.command.verb);
    else if (input.kind === "unreadable") this.#observer?.command("other");
    this.#told("C", this.#shown.line(line, input));
    this.#step(input);
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
        return {
          kind: "unreadable",
          reply: line.limit === AUTH_LINE_LIMIT
            ? replies.responseTooLong
            : replies.lineTooLong(line.limit),
        };
      case "bare newline":
        return { kind: "unreadable", reply: replies.bareNewlineInCommand };
    }
  }

  #takeContent(): void {
    const content = this.#content!;
    this.#from = content.take(this.#octets, this.#from, this.#octets.length, this.#given);
    if (content.ended) this.#endContent(content);
  }

  #takeChunk(): void {
    const end = Math.min(this.#from + this.#chunkLeft, this.#octets.length);
    this.#chunkLeft -= end - this.#from;
    if (this.state.at === "chunk") this.#content!.take(this.#octets, this.#from, end, this.#given);
    this.#from = end;
    if (this.#chunkLeft === 0) this.#endChunk();
  }

  #endChunk(): void {
    if (this.state.at === "chunk" && (this.state.chunk.last || this.#content!.defect)) {
      this.#endContent(this.#content!);
    } else {
      this.completed++;
      this.#step({ kind: "chunk" });
    }
  }

  #endContent(reader: ContentReader): void {
    this.completed++;
    const content = reader.finish();
    const { defect } = reader;
    if (this.#observer?.wants.content) {
      for (const line of beginning(content)) this.#observe("C", line);
    }
    this.#told("C", defect === undefined ? `(${content.size} octets)` : `(${defect})`);
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
      case "no memory":
        return replies.memoryFull;
    }
  }

  #step(input: Input): void {
    const before = this.state.at;
    const { state, replies } = step(this.#rules, this.state, input);
    this.state = state;
    for (const reply of replies) this.#say(reply);
    if (state.at === before) return;
    if (state.at === "content") this.#beginContent({ transparency: true });
    if (state.at === "chunk" && state.mail.received === undefined) {
      this.#beginContent({ transparency: false });
    }
    if (before === "committing") this.#giveBack();
    // What has been handed over, or came to nothing, is not kept until the next message.
    if (state.at === "committing") {
      this.#handedOver = this.#content!.held;
      this.#content = undefined;
    } else if (IN_NO_CONTENT.has(state.at)) this.#drop();
    if (state.at === "idle") this.#observer?.over();
    if (state.at === "chunk" || state.at === "skipping") {
      this.#chunkLeft = state.at === "chunk" ? state.chunk.octets : state.octets;
      if (this.#chunkLeft === 0) this.#endChunk();
    }
  }

  /** Nobody will drive the session any more. */
  abandon(): void {
    this.#drop();
    this.#giveBack();
  }

  #drop(): void {
    this.#content?.drop();
    this.#content = undefined;
  }

  #giveBack(): void {
    this.#rules.memory?.give(this.#handedOver);
    this.#handedOver = 0;
  }

  #beginContent(transparency: { transparency: boolean }): void {
    this.contents++;
    this.#content = new ContentReader(this.#rules, transparency);
  }

  #say(reply: Reply): void {
    this.#replies += format(reply);
    this.#observer?.replied(this.#last, reply);
    if (this.#observer?.wants.lines) {
      for (const line of shownLines(reply)) this.#observe("S", line);
    }
  }

  #told(side: "C" | "*", what: string): void {
    this.#last = what;
    this.#observe(side, what);
  }

  #observe(side: "C" | "S" | "*", text: string): void {
    if (this.#observer?.wants.lines) this.#observer.line(side, text);
  }
}
