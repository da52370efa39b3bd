/** Signed messages, and whoever verifies them: mailauth here, dkimpy and OpenDKIM in Python. */

import { Buffer } from "node:buffer";
import { dkimVerify } from "mailauth";
import { signing } from "../../src/deno/signing.ts";
import type { Algorithm, Means, Signer } from "../../src/mail/dkim.ts";
import type { Content } from "../../src/smtp/content.ts";
import { find } from "./tools.ts";

type Octets = Uint8Array<ArrayBuffer>;

/** What a verifier says of each signature of a message: it is good, or why not. */
export type Verdict = true | string;
export type Verify = (messages: readonly Octets[], keys: Keys) => Promise<Verdict[][]>;

/** Records by their names in DNS. */
export type Keys = Readonly<Record<string, string>>;

/** Verifiers refuse what was signed later than now. */
export const NOW = Date.UTC(2024, 1, 29);

/** Each character below U+0100 an octet. */
export const binary = (text: string): Octets =>
  Uint8Array.from(text, (character) => character.charCodeAt(0));

export const text = (octets: Uint8Array) => new TextDecoder().decode(octets);

/** In chunks that end at these places. */
export function cutAt(octets: Octets, places: readonly number[]): Content {
  const cuts = [0, ...places.map((place) => place % (octets.length + 1)), octets.length];
  const chunks = cuts.toSorted((a, b) => a - b).map((cut, i, all) =>
    octets.subarray(cut, all[i + 1])
  );
  return { chunks, size: octets.length };
}

export function contentOf(message: string | Octets): Content {
  const octets = typeof message === "string" ? new TextEncoder().encode(message) : message;
  return { chunks: [octets], size: octets.length };
}

export const means: Means = {
  sha256: () => signing.sha256(),
  pause: () => Promise.resolve(),
  now: NOW,
};

/** Makes a key for the domain, and its record. */
export async function newSigner(
  algorithm: Algorithm,
  domain = "example.com",
): Promise<{ signer: Signer; keys: Keys }> {
  const { key } = await signing.generate(algorithm);
  const [kind] = algorithm.split("-");
  const record = `v=DKIM1; k=${kind}; p=${key.publicKey}`;
  return {
    signer: { domain, selector: kind, algorithm, sign: (octets) => key.sign(octets) },
    keys: { [`${kind}._domainkey.${domain}`]: record },
  };
}

export const mailauth: Verify = async (messages, keys) => {
  const resolver = (name: string) => {
    if (keys[name] !== undefined) return Promise.resolve([[keys[name]]]);
    return Promise.reject(Object.assign(new Error(`no ${name}`), { code: "ENOTFOUND" }));
  };
  const judged = [];
  for (const message of messages) {
    // deno-lint-ignore no-explicit-any -- the types of the package do not know `strict`
    const options: any = { resolver, strict: true };
    const { results } = await dkimVerify(Buffer.from(message), options);
    judged.push(
      results.map(({ status }) => status.result === "pass" || (status.comment ?? status.result)),
    );
  }
  return judged;
};

/** `program`: of the package, which knows its Python. */
export const dkimpy = (program: string): Verify => {
  const [shebang] = Deno.readTextFileSync(program).split("\n", 1);
  return verifierIn(shebang.slice("#!".length).trim(), "dkim_dkimpy.py");
};

export const opendkim: Verify = (messages, keys) => {
  const python = find("python3");
  if (python === undefined) throw new Error("python3 is not installed");
  return verifierIn(python, "dkim_opendkim.py")(messages, keys);
};

const verifierIn = (python: string, script: string): Verify => async (messages, keys) => {
  const path = new URL(script, import.meta.url).pathname;
  const child = new Deno.Command(python, { args: [path], stdin: "piped", stdout: "piped" }).spawn();
  const told = { keys, messages: messages.map((each) => Buffer.from(each).toString("base64")) };
  const input = new Response(JSON.stringify(told)).body!.pipeTo(child.stdin);
  const [{ stdout, success }] = await Promise.all([child.output(), input]);
  if (!success) throw new Error(`${script} failed`);
  return JSON.parse(text(stdout));
};
