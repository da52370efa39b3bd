/** A program with a mail server of its own: a handler, and middleware around it. */

import { type Middleware, replies, reply, Server } from "../../src/mod.ts";

const subjects: string[] = [];

const logger: Middleware = async (envelope, next) => {
  const answer = await next(envelope);
  console.log(`${envelope.id}: ${envelope.recipients.length} recipients, ${answer.code}`);
  return answer;
};

const server = new Server({
  addresses: ["127.0.0.1"],
  port: 0,
  hostname: "mail.example.com",
  checks: {
    recipient: ({ mailbox }) =>
      mailbox.domain === "example.com" ? undefined : reply(550, "5.7.1", "Not a domain of ours"),
  },
  handler(envelope) {
    const text = new TextDecoder().decode(envelope.content.chunks[0]);
    subjects.push(/^Subject: (.*)$/m.exec(text)?.[1] ?? "");
    return replies.accepted(envelope.id);
  },
}).use(logger);

const stopped = server.listenAndServe();
console.log(`listening on ${server.address.hostname} port ${server.address.port}`);

// It runs until shutdown is called.
export { server, stopped, subjects };
