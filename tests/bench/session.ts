/**
 * The pure session, fed as a socket would feed it: sessions a second, and MB a second of
 * DATA. `deno task bench session`
 */

import { Session } from "../../src/smtp/session.ts";
import * as replies from "../../src/smtp/replies.ts";
import type { Rules } from "../../src/smtp/state.ts";

const rules: Rules = {
  hostname: "localhost",
  banner: "Dinopost ready",
  maxSize: 64 * 1024 * 1024,
  maxRecipients: 100,
  maxUnknownCommands: 5,
  bareNewline: "reject",
};

const encode = (text: string) => new TextEncoder().encode(text);

/** Gives octets and answers whatever is asked with yes. */
function feed(session: Session, octets: Uint8Array<ArrayBuffer>): void {
  session.receive(octets);
  for (;;) {
    if (session.state.at === "asking") session.tell({ kind: "verdict" });
    else if (session.state.at === "committing") {
      session.tell({ kind: "committed", reply: replies.accepted("0") });
    } else break;
  }
  session.takeReplies();
}

function open(): Session {
  const session = new Session(rules);
  session.tell({ kind: "opened", early: false });
  session.takeReplies();
  return session;
}

function content(size: number): Uint8Array<ArrayBuffer> {
  const header = "From: <a@example.com>\r\nTo: <b@example.net>\r\nSubject: bench\r\n\r\n";
  const line = "x".repeat(74) + "\r\n";
  return encode(header + line.repeat(Math.ceil((size - header.length) / line.length)) + ".\r\n");
}

const READ = 64 * 1024;

/** Calls `work` for about a second after a warm-up; how often a second it ran. */
function rate(work: () => void): number {
  const run = (milliseconds: number) => {
    const start = performance.now();
    let times = 0;
    while (performance.now() - start < milliseconds) {
      work();
      times++;
    }
    return times / ((performance.now() - start) / 1000);
  };
  run(300);
  return run(1000);
}

const hello = encode("EHLO client.example.com\r\n");
const envelope = encode("MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.net>\r\n");
const singly = ["MAIL FROM:<alice@example.com>\r\n", "RCPT TO:<bob@example.net>\r\n"].map(encode);
const data = encode("DATA\r\n");
const quit = encode("QUIT\r\n");
const small = content(4096);

function message(session: Session, pieces: Uint8Array<ArrayBuffer>[]): void {
  for (const piece of pieces) feed(session, piece);
  if (session.state.at !== "idle") throw new Error(`bench: state is ${session.state.at}`);
}

const sessions = rate(() => {
  const session = open();
  message(session, [hello, ...singly, data, small]);
  feed(session, quit);
});
console.log(`sessions of one 4 KiB message   ${Math.round(sessions)}/s`);

const reused = open();
feed(reused, hello);
const messages = rate(() => message(reused, [envelope, data, small]));
console.log(`4 KiB messages, pipelined       ${Math.round(messages)}/s`);

for (const size of [64 * 1024, 10 * 1024 * 1024]) {
  const large = content(size);
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < large.length; at += READ) pieces.push(large.subarray(at, at + READ));
  const times = rate(() => message(reused, [envelope, data, ...pieces]));
  const megabytes = Math.round(times * large.length / 1e6);
  console.log(`DATA of ${String(size / 1024).padStart(5)} KiB                 ${megabytes} MB/s`);
}
