/** B21, B4: the daemon signs with the keys in its folder, and with those that are added to it. */

import assert from "node:assert/strict";
import { Client } from "../fakes/client.ts";
import { Daemon, dinopost, runToEnd } from "../fakes/daemon.ts";
import { Remote } from "../fakes/remote.ts";

Deno.test("B21 B4 keys sign what leaves; SIGHUP reads those that came, a bad one keeps the old", async () => {
  const folder = await Deno.makeTempDir();
  const keygen = (...args: string[]) =>
    runToEnd(dinopost("dkim", "keygen", "--keys", folder, ...args));
  try {
    assert.equal((await keygen("example.com", "r1")).code, 0);
    await using remote = new Remote((talk) => talk.serve());
    await using daemon = await Daemon.start({
      settings: {
        SMTP_MODE: "relay",
        SMTP_DEBUG: "false",
        SMTP_MIN_FREE: "0B",
        SMTP_RELAY_URL: `smtp://127.0.0.1:${remote.port}`,
        SMTP_DKIM_KEYS: folder,
      },
    });
    /** The selectors of what arrives. */
    const signedBy = async () => {
      using client = await Client.greeted(daemon.port);
      for (const line of ["EHLO x", "MAIL FROM:<a@example.com>", "RCPT TO:<b@d.example>", "DATA"]) {
        assert.match(await client.ask(line), /^[23]/);
      }
      const before = remote.lines.length;
      const reply = await client.ask("From: <a@example.com>\r\nSubject: x\r\n\r\nx\r\n.");
      await daemon.says(new RegExp(`message delivered id=${/([0-9a-z]+)$/.exec(reply)![1]} `));
      return remote.lines.slice(before).join("\r\n").replaceAll("\r\n ", " ").split("\r\n")
        .filter((line) => line.startsWith("DKIM-Signature:"))
        .map((line) => /\bs=([^;]+);/.exec(line)![1]).sort();
    };
    assert.deepEqual(await signedBy(), ["r1"]);

    assert.equal((await keygen("--ed25519", "example.com", "e1")).code, 0);
    daemon.signal("SIGHUP");
    await daemon.says(/settings read again/);
    assert.deepEqual(await signedBy(), ["e1", "r1"]);

    await Deno.writeTextFile(`${folder}/example.com/r1.pem`, "no key");
    daemon.signal("SIGHUP");
    await daemon.says(/settings kept as they were .*r1\.pem: read the key: it is no PEM/);
    assert.deepEqual(await signedBy(), ["e1", "r1"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
