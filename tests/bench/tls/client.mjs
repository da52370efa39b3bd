/**
 * A client that only Node runs as fast as it must, or it would be what is measured:
 * `node client.mjs PORT SESSIONS KIND`, where KIND is hello, mail or login; or `PORT MESSAGES bulk`.
 * Prints the seconds it took.
 */

import net from "node:net";
import tls from "node:tls";

const [port, amount, kind] = [Number(process.argv[2]), Number(process.argv[3]), process.argv[4]];
const AT_ONCE = 16;
const LARGE = 10 * 1024 * 1024 - 1024;
const LINE = "x".repeat(76) + "\r\n";
const PIECE = Buffer.from(LINE.repeat(800));
const BODY = `Subject: bench\r\n\r\n${LINE.repeat(50)}.\r\n`;
const LOGIN = Buffer.from("\0alice\0correct horse battery staple").toString("base64");
// Who it is, is not what is measured; a context of its own for each would be.
const secureContext = tls.createSecureContext({ maxVersion: "TLSv1.3" });

const MAIL = ["MAIL FROM:<a@example.com>\r\n", "RCPT TO:<b@example.net>\r\n", "DATA\r\n"];
const STEPS = {
  hello: [],
  mail: [...MAIL, BODY],
  login: [`AUTH PLAIN ${LOGIN}\r\n`, ...MAIL, BODY],
};

/** Connects, begins TLS, and gives each step when the reply to the one before has come. */
function session(steps) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    socket.on("error", reject);
    const plain = ["EHLO client.example\r\n", "STARTTLS\r\n"];
    socket.on("data", () => {
      const next = plain.shift();
      if (next !== undefined) return socket.write(next);
      socket.removeAllListeners("data");
      const secure = tls.connect({ socket, secureContext, rejectUnauthorized: false });
      secure.on("error", reject);
      const left = ["EHLO client.example\r\n", ...steps, "QUIT\r\n"];
      const say = async () => {
        const step = left.shift();
        if (step !== undefined && typeof step !== "function") return secure.write(step);
        if (step !== undefined) return await step(secure);
        secure.destroy();
        resolve();
      };
      secure.on("secureConnect", say);
      secure.on("data", (octets) => {
        if (/^[45]/.test(octets.toString())) reject(new Error(octets.toString()));
        else say();
      });
    });
  });
}

/** A message of 10 MiB, as fast as it is taken. */
async function pour(secure) {
  secure.write("Subject: bench\r\n\r\n");
  for (let sent = 0; sent < LARGE - PIECE.length; sent += PIECE.length) {
    if (!secure.write(PIECE)) await new Promise((resolve) => secure.once("drain", resolve));
  }
  secure.write(".\r\n");
}

const start = performance.now();
if (kind === "bulk") await session(Array(amount).fill([...MAIL, pour]).flat());
else {
  let begun = 0;
  const go = async () => {
    while (begun++ < amount) await session(STEPS[kind]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, go));
}
console.log((performance.now() - start) / 1000);
process.exit(0);
