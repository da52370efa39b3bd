/** Digests, by the runtime's own means; the slow ones run in threads of it. */

import { createHash, createHmac, pbkdf2, scrypt, timingSafeEqual } from "node:crypto";
import type { Digests, ScryptCost } from "../ports/digests.ts";

/** What scrypt may take of memory; twice what its cost needs (RFC 7914 §6). */
const roomFor = ({ ln, r, p }: ScryptCost) => 2 * 128 * r * (2 ** ln + p + 2);

const plain = (octets: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(octets);

export const digests: Digests = {
  sha256: (octets) => plain(createHash("sha256").update(octets).digest()),
  hmac: (key, octets) => plain(createHmac("sha256", key).update(octets).digest()),
  pbkdf2: (password, salt, iterations) =>
    new Promise((resolve, reject) =>
      pbkdf2(
        password,
        salt,
        iterations,
        32,
        "sha256",
        (error, key) => error ? reject(error) : resolve(plain(key)),
      )
    ),
  scrypt: (password, salt, cost, length) =>
    new Promise((resolve, reject) =>
      scrypt(
        password,
        salt,
        length,
        { N: 2 ** cost.ln, r: cost.r, p: cost.p, maxmem: roomFor(cost) },
        (error, key) => error ? reject(error) : resolve(plain(key)),
      )
    ),
  same: (a, b) => a.length === b.length && timingSafeEqual(a, b),
};
