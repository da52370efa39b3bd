/**
 * What is measured: `ours`, the listening side with a handler that keeps nothing, or `bare`,
 * the least that speaks as much SMTP over `node:net` and `node:tls`. Prints the port.
 */

import { createServer, type Socket } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";
import { scryptOf, writePassword } from "../../../src/auth/passwords.ts";
import { digests } from "../../../src/deno/digests.ts";
import { tls } from "../../../src/deno/tls.ts";
import { world } from "../../../src/deno/world.ts";
import { Authentication } from "../../../src/inbound/authentication.ts";
import { selfSigned } from "../../../src/inbound/self_signed.ts";
import { Server } from "../../../src/inbound/server.ts";
import * as replies from "../../../src/smtp/replies.ts";

const DAY = 24 * 60 * 60_000;
const pair = await selfSigned("localhost", { from: Date.now() - DAY, until: Date.now() + DAY });

if (Deno.args[0] === "ours") await ours();
else bare();

async function ours(): Promise<void> {
  const context = tls.context(pair);
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const hash = writePassword(await scryptOf("correct horse battery staple", salt, digests));
  const server = new Server({
    addresses: ["127.0.0.1"],
    port: 0,
    handler: ({ id }) => replies.accepted(id),
    tls: { context: () => context },
    auth: new Authentication(new Map([["alice", hash]]), world),
  }, world);
  const stopped = server.listenAndServe();
  console.log(server.address.port);
  await stopped;
}

function bare(): void {
  const secureContext = createSecureContext({ ...pair, minVersion: "TLSv1.2" });
  const server = createServer((socket: Socket) => {
    socket.setNoDelay(true);
    socket.write("220 bare\r\n");
    speak(socket, () => {
      const options = { isServer: true, secureContext } as ConstructorParameters<
        typeof TLSSocket
      >[1];
      speak(new TLSSocket(socket, options), () => {});
    });
  });
  server.listen(0, "127.0.0.1", () => console.log((server.address() as { port: number }).port));
}

const END = "\r\n.\r\n";

function speak(socket: Socket, secure: () => void): void {
  let inContent = false;
  let end = "";
  socket.on("error", () => {});
  socket.on("data", (octets: Uint8Array) => {
    if (inContent) {
      end = (end + new TextDecoder("latin1").decode(octets.subarray(-END.length)))
        .slice(-END.length);
      if (end !== END) return;
      inContent = false;
      socket.write("250 OK\r\n");
      return;
    }
    const verb = new TextDecoder().decode(octets.subarray(0, 8)).trim().toUpperCase();
    if (verb.startsWith("STARTTLS")) {
      socket.removeAllListeners("data");
      socket.pause();
      socket.write("220 go\r\n");
      secure();
    } else if (verb.startsWith("DATA")) {
      inContent = true;
      end = "";
      socket.write("354 go\r\n");
    } else if (verb.startsWith("QUIT")) socket.end("221 bye\r\n");
    else socket.write(verb.startsWith("EHLO") ? "250-bare\r\n250 STARTTLS\r\n" : "250 OK\r\n");
  });
}
