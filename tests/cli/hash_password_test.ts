/** `dinopost hash-password`: what it prints is what the daemon takes. */

import assert from "node:assert/strict";
import { isPassword, readPassword } from "../../src/auth/passwords.ts";
import { digests } from "../../src/deno/digests.ts";
import { dinopost } from "../fakes/daemon.ts";
import { testWith } from "../fakes/tools.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

async function hash(input: string, ...args: string[]) {
  const [program, ...rest] = dinopost("hash-password", ...args);
  const options = {
    args: rest,
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  } as const;
  const process = new Deno.Command(program, options).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await process.output();
  const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

Deno.test("B7 a hash of what is piped in is right for that, and for nothing else", async () => {
  for (const [args, kind] of [[[], "scrypt"], [["--scram"], "scram"]] as const) {
    const { code, stdout, stderr } = await hash("pässword, with comma\r\n", ...args);
    assert.deepEqual([code, stderr], [0, ""]);
    const kept = readPassword(stdout.trimEnd())!;
    assert.equal(kept.kind, kind);
    assert.ok(await isPassword("pässword, with comma", kept, digests));
    assert.ok(!await isPassword("pässword, with comma\n", kept, digests));
  }
});

Deno.test("B7 two hashes of one password differ; with a user it is a line of the file", async () => {
  const [one, other] = await Promise.all([hash("secret\n"), hash("secret\n")]);
  assert.notEqual(one.stdout, other.stdout);
  assert.match(
    (await hash("secret\n", "alice")).stdout,
    /^alice:\$scrypt\$ln=15,r=8,p=1\$[^:\n]+\n$/,
  );
});

Deno.test("B7 what is no password, or no user, is told, and the password is not", async () => {
  for (const input of ["", "\n", "canary\x07\n"]) {
    const { code, stdout, stderr } = await hash(input);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.equal(
      stderr,
      "dinopost hash-password: a password is one line of UTF-8 text, and not empty\n",
    );
  }
  const { code, stderr } = await hash("canary\n", "a:b");
  assert.equal(code, 64);
  assert.match(stderr, /"a:b" cannot be a user/);
});

/** Types at a terminal, and prints what stood on it. */
const TYPIST = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[2], sys.argv[2:])
shown, typed = b"", sys.argv[1].encode().decode("unicode_escape").encode("latin1").split(b"|")
prompts = [b"Password: ", b"Again:    "]
while True:
    try: octets = os.read(terminal, 4096)
    except OSError: break
    if not octets: break
    shown += octets
    if typed and prompts and shown.endswith(prompts[0]):
        os.write(terminal, typed.pop(0)); prompts.pop(0)
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

testWith(
  "python3",
  "B7 what a person types is not shown, corrected, and asked for twice",
  async (python) => {
    const type = async (keys: string) => {
      const args = ["-c", TYPIST, keys, ...dinopost("hash-password", "eve")];
      const { code, stdout } = await new Deno.Command(python, { args, cwd: ROOT }).output();
      return { code, shown: new TextDecoder().decode(stdout) };
    };
    const { code, shown } = await type("secrex\\x7ft\\r|secret\\r");
    assert.equal(code, 0, shown);
    assert.ok(!shown.includes("secr"), shown);
    const kept = readPassword(/eve:(.*?)\r?\n/.exec(shown)![1])!;
    assert.ok(await isPassword("secret", kept, digests));
    const differing = await type("secret\\r|other\\r");
    assert.equal(differing.code, 1);
    assert.match(differing.shown, /the two are not the same/);
    assert.match((await type("sec\\x03")).shown, /given up/);
  },
);
