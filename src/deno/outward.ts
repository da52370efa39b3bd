/**
 * Connections to others, and TLS on them. `node:tls` verifies as `Deno.startTls` does, and tells
 * what it agreed on and what it doubts, which the other does not.
 */

import { connect, type TLSSocket } from "node:tls";
import type { Connection } from "../ports.ts";
import { DialError, type Outward } from "../ports/outward.ts";
import { HandshakeError } from "../ports/tls.ts";
import { shakeHands } from "./secure.ts";

export const outward: Outward = outwardTrusting(undefined);

/** `authority`: whom to trust in place of those whom the runtime trusts, as PEM. */
export function outwardTrusting(authority: string | undefined): Outward {
  return {
    fetchText: (url) => fetchText(url, authority),
    ownAddresses: () => Deno.networkInterfaces().map(({ address }) => address),
    async dial({ hostname, port }, signal) {
      try {
        const connection = await Deno.connect({ hostname, port, signal });
        connection.setNoDelay(true);
        return closable(connection);
      } catch (error) {
        throw new DialError(reasonOf(error));
      }
    },
    async secure(connection, { hostname, verified }) {
      // An address is no name that could be asked for (RFC 6066 §3).
      const servername = /[a-z]/i.test(hostname) && !hostname.includes(":") ? hostname : "";
      const options = {
        servername,
        host: hostname,
        // It is refused below, where it can be told why.
        rejectUnauthorized: false,
        minVersion: "TLSv1.2" as const,
        ...(authority === undefined ? {} : { ca: authority }),
      };
      const { secure, socket } = await shakeHands(
        connection,
        "secureConnect",
        (beneath) => connect({ ...options, socket: beneath as never }),
      );
      if (socket.authorized) return { connection: secure };
      const doubt = doubtOf(socket);
      if (!verified) return { connection: secure, doubt };
      secure.close();
      throw new HandshakeError(doubt);
    },
  };
}

/** Why a certificate is not valid, in words. The runtime has one code for several reasons. */
function doubtOf(socket: TLSSocket): string {
  const { valid_from, valid_to, subjectaltname = "nobody" } = socket.getPeerCertificate();
  const code = String(socket.authorizationError);
  if (Date.parse(valid_to) < Date.now()) return `certificate has expired: ${valid_to}`;
  if (Date.parse(valid_from) > Date.now()) return `certificate is not valid before ${valid_from}`;
  switch (code) {
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `certificate is of another name: ${subjectaltname}`;
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
      return "certificate is self-signed";
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
      return "certificate is of an authority that is not trusted, or not for servers";
    default:
      return `certificate is not valid: ${code}`;
  }
}

/** RFC 8461 §3.3 lets a policy be as large, and take as long. */
const LARGEST_TEXT = 64 * 1024;
const FETCH_TIME = 60_000;

async function fetchText(url: string, authority: string | undefined): Promise<string> {
  const client = authority === undefined
    ? undefined
    : Deno.createHttpClient({ caCerts: [authority] });
  try {
    const signal = AbortSignal.timeout(FETCH_TIME);
    const response = await fetch(url, { redirect: "error", signal, client });
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      if (size > LARGEST_TEXT) throw new Error(`more than ${LARGEST_TEXT} octets`);
      chunks.push(chunk);
    }
    if (response.status !== 200) throw new Error(`status ${response.status}`);
    return await new Blob(chunks as BlobPart[]).text();
  } finally {
    client?.close();
  }
}

/** Closing twice is no fault: a deadline may be met while it is closed. */
function closable(connection: Deno.TcpConn): Connection {
  let isClosed = false;
  return {
    remoteAddr: connection.remoteAddr,
    read: (buffer) => connection.read(buffer),
    write: (octets) => connection.write(octets),
    closeWrite: () => connection.closeWrite(),
    close() {
      if (!isClosed) connection.close();
      isClosed = true;
    },
  };
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.ConnectionRefused) return "connection refused";
  if (error instanceof Deno.errors.TimedOut) return "connection timed out";
  const message = error instanceof Error ? error.message : String(error);
  return /unreachable/i.test(message)
    ? "network unreachable"
    : message.replace(/ ?\(os error.*/, "");
}
