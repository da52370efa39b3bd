/** A pure session in which a client says who it is, and a test is who judges that. */

import assert from "node:assert/strict";
import * as replies from "../../src/smtp/replies.ts";
import { type Exchange, MECHANISMS } from "../../src/smtp/sasl.ts";
import type { Rules, State } from "../../src/smtp/state.ts";
import { Driver } from "./driver.ts";
import { octets, text } from "./sasl.ts";

/** It has said hello. */
export class Talk extends Driver {
  constructor(rules: Partial<Rules> = {}, hello = "EHLO client.example\r\n") {
    super({ mechanisms: MECHANISMS, authInsecure: true, ...rules });
    this.open();
    if (hello !== "") this.send(hello);
  }

  get state(): State {
    return this.session.state;
  }

  get user(): string | undefined {
    return this.state.peer.user;
  }

  /** What there is to be judged, in words. */
  get exchange() {
    assert.equal(this.state.at, "authenticating");
    const { mechanism, said, asked } = (this.state as { exchange: Exchange }).exchange;
    return [mechanism, said.map(text), asked.map(text)];
  }

  ask(line: string): string {
    return this.send(line + "\r\n").trimEnd();
  }

  challenge(words: string): string {
    this.session.tell({ kind: "challenged", challenge: octets(words) });
    return this.session.takeReplies();
  }

  accept(user = "alice"): string {
    this.session.tell({ kind: "authenticated", user });
    return this.session.takeReplies();
  }

  refuse(reply = replies.loginFailed): string {
    this.session.tell({ kind: "refused", reply });
    return this.session.takeReplies();
  }
}
