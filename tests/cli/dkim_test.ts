/** B21: `dinopost dkim`, as an operator types it. */

import assert from "node:assert/strict";
import { dinopost, runToEnd } from "../fakes/daemon.ts";
import { NameServer } from "../fakes/name_server.ts";

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const keygen = (folder: string, ...args: string[]) =>
  runToEnd(dinopost("dkim", "keygen", "--keys", folder, ...args));

/** As whoever publishes it would paste it. */
const strings = (printed: string) =>
  [...printed.matchAll(/"([^"]*)"/g)].map(([, text]) => text).join("");

Deno.test("B21 keygen makes a key for its owner alone, and prints its record", async () => {
  await inFolder(async (folder) => {
    const rsa = await keygen(folder, "a.example", "s1");
    assert.equal(rsa.code, 0, rsa.stderr);
    assert.match(
      rsa.stdout,
      /^s1\._domainkey\.a\.example\. IN TXT \(\n {4}"v=DKIM1; k=rsa; p=MII/m,
    );
    const path = `${folder}/a.example/s1.pem`;
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    assert.ok(!rsa.stdout.includes("PRIVATE"));
    const ed25519 = await keygen(folder, "--ed25519", "a.example", "s2");
    assert.match(ed25519.stdout, /TXT "v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}="$/m);

    const before = Deno.readTextFileSync(path);
    const again = await keygen(folder, "a.example", "s1");
    assert.deepEqual([again.code, again.stdout], [1, ""]);
    assert.match(again.stderr, /s1\.pem: it is there already: take another selector/);
    assert.equal(Deno.readTextFileSync(path), before);
  });
});

Deno.test("B21 what cannot be a domain or a selector makes nothing", async () => {
  await inFolder(async (folder) => {
    for (const args of [["a b", "s"], ["a.example", "s_1"], ["a.example", "../s"], ["a.example"]]) {
      assert.equal((await keygen(folder, ...args)).code, 64, args.join());
    }
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  });
  const nowhere = await runToEnd(dinopost("dkim", "keygen", "a.example", "s"));
  assert.deepEqual([nowhere.code, nowhere.stdout], [78, ""]);
  assert.match(nowhere.stderr, /set SMTP_DKIM_KEYS, or give --keys/);
});

Deno.test("B21 a key for which there can be no folder is not made, and it is told why", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    for (const keys of [`${folder}/file`, "/dev/null"]) {
      assert.deepEqual(await keygen(keys, "a.example", "s"), {
        code: 1,
        stdout: "",
        stderr: `dinopost dkim keygen: write ${keys}/a.example/s.pem: ${keys} is no folder: ` +
          "name another place\n",
      });
    }
  });
});

Deno.test("B21 check compares each key with DNS", async () => {
  await inFolder(async (folder) => {
    const good = await keygen(folder, "good.example", "s");
    const old = await keygen(folder, "--ed25519", "old.example", "s");
    await keygen(folder, "none.example", "s");
    await keygen(folder, "failing.example", "s");
    await using names = new NameServer({
      "s._domainkey.good.example": { txt: [strings(good.stdout)] },
      "s._domainkey.old.example": { txt: [strings(old.stdout).replace(/p=.{4}/, "p=AAAA")] },
      "s._domainkey.failing.example": "SERVFAIL",
    });
    const check = (more = {}) =>
      runToEnd(dinopost("dkim", "check"), {
        SMTP_DKIM_KEYS: folder,
        SMTP_DNS_SERVERS: `127.0.0.1:${names.port}`,
        ...more,
      });
    const { code, stdout } = await check();
    assert.equal(code, 1);
    assert.match(stdout, /^s\._domainkey\.good\.example: good, rsa-sha256$/m);
    assert.match(
      stdout,
      /^s\._domainkey\.old\.example: another key is published: publish\ns\._dom/m,
    );
    assert.match(stdout, /^s\._domainkey\.none\.example: no record of DKIM is there: publish\n/m);
    assert.match(stdout, /^s\._domainkey\.failing\.example: not known now: .*SERVFAIL$/m);
    for (const domain of ["old", "none", "failing"]) {
      await Deno.remove(`${folder}/${domain}.example`, { recursive: true });
    }
    assert.equal((await check()).code, 0);
    // The one key is looked for wherever it signs.
    const one = await check({
      SMTP_DKIM_KEYS: "",
      SMTP_DKIM_SELECTOR: "s",
      SMTP_DKIM_KEY_PATH: `${folder}/good.example/s.pem`,
      SMTP_HOSTNAME: "good.example",
      SMTP_LOCAL_DOMAINS: "none.example",
    });
    assert.equal(one.code, 1);
    assert.match(one.stdout, /good\.example: good[^]*none\.example: no record/);
  });
});

Deno.test("S9 a key that cannot work stops the start, and nothing of it is told", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/key.pem`,
      "-----BEGIN PRIVATE KEY-----\ncanary==\n-----END PRIVATE KEY-----\n",
    );
    for (const command of [["serve", "--dev"], ["check"]]) {
      const { code, stderr, stdout } = await runToEnd(dinopost(...command), {
        SMTP_DKIM_SELECTOR: "s",
        SMTP_DKIM_KEY_PATH: `${folder}/key.pem`,
        SMTP_QUEUE_PATH: `${folder}/spool`,
        SMTP_PORT: "0",
      });
      assert.equal(code, 78, stderr);
      assert.match(stderr, /SMTP_DKIM_KEY_PATH: .*read the key: it [a-z ]+; accepted is/);
      assert.ok(!`${stdout}${stderr}`.includes("canary"));
    }
  });
});
