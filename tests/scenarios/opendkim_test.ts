/**
 * S29, B21: opendkim-testmsg verifies what we sign. It takes keys from the name server of the
 * system alone: it has a network of its own here, in which that is dnsmasq.
 */

import assert from "node:assert/strict";
import { signatures } from "../../src/mail/dkim.ts";
import { binary, contentOf, means, newSigner } from "../fakes/dkim.ts";
import { find, testAsRoot } from "../fakes/tools.ts";

/** Without a Date it calls a message no message. */
const HEADER = "Date: Thu, 29 Feb 2024 00:00:00 +0000\r\nFrom: A\r\n\t<alice@example.com>\r\n";

const MESSAGES: Readonly<Record<string, string>> = {
  folded: `${HEADER}Subject: one\r\n two  three\r\n\r\nhello  world \r\n\r\n\r\n`,
  empty: `${HEADER}Subject:\r\n\r\n`,
  utf8: `${HEADER}Subject: gr\u00c3\u00bcn\r\n\r\n\u00c3\u00a4\u00c3\u00b6\r\n`,
  doubled: `${HEADER}Comments: one\r\nComments: two\r\nSubject: x\r\n\r\nx\r\n`,
  large: `${HEADER}Subject: x\r\n\r\n${(`${"y".repeat(76)}\r\n`).repeat(10 * 2 ** 20 / 78)}`,
};

/** In the folder: one line for each message, its name and what was said of it. */
const SCRIPT = `
set -e
ip link set lo up
mount --bind resolv.conf /etc/resolv.conf
dnsmasq --no-daemon --conf-file=dnsmasq.conf 2>dnsmasq.log &
names=$!
while ! grep -q started dnsmasq.log; do sleep 0.02; done
for message in *.eml; do
  echo "$message $(tr -d '\\r' <"$message" | opendkim-testmsg 2>&1 || true)"
done
kill $names
`;

testAsRoot("opendkim-testmsg", "S29 B21 opendkim-testmsg verifies what is signed", async () => {
  for (const program of ["unshare", "ip", "dnsmasq"]) assert.ok(find(program), program);
  const made = await Promise.all([newSigner("rsa-sha256"), newSigner("ed25519-sha256")]);
  const folder = await Deno.makeTempDir();
  try {
    const expected: string[] = [];
    for (const { signer } of made) {
      for (const [name, message] of Object.entries(MESSAGES)) {
        const octets = binary(message);
        const signature = await signatures(contentOf(octets), [signer], means);
        await Deno.writeFile(
          `${folder}/${name}.${signer.selector}.eml`,
          binary(signature + message),
        );
        expected.push(`${name}.${signer.selector}.eml`);
      }
      const changed = await signatures(contentOf(MESSAGES.folded), [signer], means) +
        MESSAGES.folded.replace("hello", "hullo");
      await Deno.writeFile(`${folder}/changed.${signer.selector}.eml`, binary(changed));
      expected.push(`changed.${signer.selector}.eml opendkim-testmsg: dkim_eom(): Bad signature`);
    }
    const records = made.flatMap(({ keys }) => Object.entries(keys)).map(([name, record]) =>
      `txt-record=${name},${record.match(/.{1,250}/g)!.map((part) => `"${part}"`).join()}\n`
    );
    const settings = "port=53\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\n" +
      "log-facility=-\n";
    await Deno.writeTextFile(`${folder}/dnsmasq.conf`, settings + records.join(""));
    await Deno.writeTextFile(`${folder}/resolv.conf`, "nameserver 127.0.0.1\n");
    const { stdout, stderr } = await new Deno.Command("unshare", {
      args: ["--net", "--mount", "--fork", "--kill-child", "bash", "-c", SCRIPT],
      cwd: folder,
      signal: AbortSignal.timeout(30_000),
    }).output();
    const said = new TextDecoder().decode(stdout).trim().split("\n").map((line) => line.trim());
    assert.deepEqual(said.sort(), expected.sort(), new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
