/** Drives a pure session as a server would whose handler says yes to everything. */

import { Session } from "../../src/smtp/session.ts";
import * as replies from "../../src/smtp/replies.ts";
import type { Rules } from "../../src/smtp/state.ts";
import { initialRules } from "./rules.ts";

export interface Taken {
  readonly from: string;
  readonly to: readonly string[];
  /** The octets, one character each. */
  readonly content: string;
}

export class Driver {
  readonly session: Session;
  readonly messages: Taken[] = [];

  constructor(rules: Partial<Rules> = {}) {
    this.session = new Session({ ...initialRules, ...rules });
  }

  open(early = false): string {
    this.session.tell({ kind: "opened", early });
    return this.session.takeReplies();
  }

  /** Gives octets; what the server says to them. */
  send(octets: string | Uint8Array<ArrayBuffer>): string {
    this.session.receive(typeof octets === "string" ? new TextEncoder().encode(octets) : octets);
    for (;;) {
      const { state } = this.session;
      if (state.at === "asking") this.session.tell({ kind: "verdict" });
      else if (state.at === "committing") {
        const { sender, recipients } = state.transaction;
        const mailboxes = recipients.map(({ mailbox }) => `${mailbox.local}@${mailbox.domain}`);
        const from = sender.mailbox ? `${sender.mailbox.local}@${sender.mailbox.domain}` : "";
        this.messages.push({ from, to: mailboxes, content: text(state.content.chunks) });
        this.session.tell({
          kind: "committed",
          reply: replies.accepted(String(this.messages.length)),
        });
      } else break;
    }
    return this.session.takeReplies();
  }

  /** Says hello and gives an envelope, so that DATA or BDAT may follow. */
  ready(): this {
    this.open();
    this.send("EHLO client.example\r\n");
    this.send("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n");
    return this;
  }
}

function text(chunks: readonly Uint8Array[]): string {
  return chunks.map((chunk) => new TextDecoder("latin1").decode(chunk)).join("");
}
