/** Mail programs of others send over TLS, and verify whom they send to. */

import assert from "node:assert/strict";
import nodemailer from "nodemailer";
import { Authority, writePair } from "../fakes/certificate.ts";
import { Client } from "../fakes/client.ts";
import { Daemon, runToEnd } from "../fakes/daemon.ts";
import { type TlsDaemon, tlsPortOf, withTlsDaemon } from "../fakes/tls_daemon.ts";
import { testWith } from "../fakes/tools.ts";

const MEGABYTES_5 = 5 * 1024 * 1024;
/** RFC 3848, RFC 8314 §4.3. */
const RECEIVED = /^Received:\s+from\s[^;]*\swith\s+ESMTPS\s+tls\s+TLS_[A-Z0-9_]+\s+id\s/;

/** The ids of the messages that the daemon has accepted, once there are so many. */
async function accepted({ daemon }: TlsDaemon, count: number): Promise<string[]> {
  await daemon.says(new RegExp(`(?:message accepted[^]*?){${count}}\n`));
  return [...daemon.output.matchAll(/message accepted id=(\w+)/g)].map(([, id]) => id);
}

testWith("openssl", "S15 TLS 1.2 and 1.3 are taken, older ones are refused", async (openssl) => {
  await withTlsDaemon({}, async ({ daemon, tlsPort, caFile }) => {
    const connect = async (...options: string[]) =>
      await runToEnd([
        openssl,
        ...["s_client", "-CAfile", caFile, "-verify_hostname", "localhost"],
        ...["-verify_return_error", ...options],
      ]);
    let refused = 0;
    for (
      const where of [
        ["-connect", `127.0.0.1:${daemon.port}`, "-starttls", "smtp"],
        ["-connect", `127.0.0.1:${tlsPort}`],
      ]
    ) {
      for (const [option, version] of [["-tls1_2", "TLSv1.2"], ["-tls1_3", "TLSv1.3"]]) {
        const { code, stdout, stderr } = await connect(...where, option);
        assert.equal(code, 0, stderr);
        assert.match(stdout, new RegExp(`^New, ${version}, Cipher is `, "m"));
        assert.match(stdout, /^Verif.*: 0 \(ok\)$|^Verification: OK$/m);
      }
      for (const option of ["-tls1_1", "-tls1"]) {
        const { code, stdout } = await connect(...where, option, "-cipher", "DEFAULT:@SECLEVEL=0");
        assert.notEqual(code, 0);
        // It was the server that would not: the client has said hello.
        assert.match(stdout, /handshake has read [0-9]+ bytes and written [1-9][0-9]+ bytes/);
        assert.match(stdout, /^New, \(NONE\), Cipher is \(NONE\)$/m);
        await daemon.says(new RegExp(`(?:no TLS with client[^]*?){${++refused}}`));
      }
    }
  });
});

testWith("openssl", "openssl s_client talks behind STARTTLS", async (openssl) => {
  await withTlsDaemon({}, async (serving) => {
    const { daemon, caFile, command } = serving;
    const process = new Deno.Command(openssl, {
      args: [
        ...["s_client", "-quiet", "-crlf", "-connect", `127.0.0.1:${daemon.port}`],
        ...["-starttls", "smtp", "-CAfile", caFile, "-verify_return_error"],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const writer = process.stdin.getWriter();
    const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let said = "";
    const hears = async (pattern: RegExp) => {
      while (!pattern.test(said)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`it ended without ${pattern}: ${said}`);
        said += value;
      }
      said = "";
    };
    for (
      const [lines, reply] of [
        ["EHLO x\n", /^250 HELP\r\n/m],
        ["MAIL FROM:<a@example.com>\n", /^250 2\.1\.0 .*\r\n/],
        ["RCPT TO:<b@example.net>\n", /^250 2\.1\.5 .*\r\n/],
        ["DATA\n", /^354 .*\r\n/],
        ["Subject: x\n\nx\n.\nQUIT\n", /^250 2\.0\.0 .*\r\n221 .*\r\n/],
      ] as const
    ) {
      await writer.write(new TextEncoder().encode(lines));
      await hears(reply);
    }
    await process.status;
    await writer.abort().catch(() => {});
    await reader.cancel();
    const [id] = await accepted(serving, 1);
    assert.match(await command("messages", "export", id), RECEIVED);
  });
});

testWith("swaks", "swaks sends, verifying, over STARTTLS and where TLS is first", async (swaks) => {
  await withTlsDaemon({}, async (serving) => {
    const { daemon, tlsPort, caFile, command } = serving;
    for (const [option, port] of [["-tls", daemon.port], ["-tlsc", tlsPort]] as const) {
      const { code, stdout } = await runToEnd([
        swaks,
        ...["--server", `127.0.0.1:${port}`, "--from", "a@example.com", "--to", "b@example.net"],
        ...[option, "--tls-verify", "--tls-ca-path", caFile],
      ]);
      assert.equal(code, 0, stdout.slice(-2000));
      assert.match(stdout, /=== TLS started with cipher TLSv1\.3:/);
      assert.match(stdout, /<~ {2}250 2\.0\.0 Message accepted for delivery/);
    }
    for (const id of await accepted(serving, 2)) {
      assert.match(await command("messages", "export", id), RECEIVED);
    }
  });
});

testWith(
  "python3",
  "Python's smtplib sends, verifying: 5 MiB arrive unaltered, REQUIRETLS is kept",
  async (python) => {
    await withTlsDaemon({}, async (serving) => {
      const { daemon, tlsPort, caFile, command } = serving;
      const script = `
import hashlib, smtplib, ssl, sys
port, tls_port, ca = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context(cafile=ca)
line = bytes(range(33, 111)) + b"\\r\\n"
body = b"Subject: large\\r\\nDate: Thu, 01 Jan 2026 00:00:00 +0000\\r\\nMessage-ID: <a@b>\\r\\n\\r\\n"
body += b"".join(line[i % 78:78] + line[:i % 78] + b"\\r\\n" for i in range(${MEGABYTES_5} // 80 + 1))
with smtplib.SMTP("localhost", port) as smtp:
    smtp.starttls(context=context)
    smtp.sendmail("alice@example.com", ["bob@example.net"], body, mail_options=["REQUIRETLS"])
with smtplib.SMTP_SSL("localhost", tls_port, context=context) as smtp:
    smtp.sendmail("alice@example.com", ["bob@example.net"], body)
    print(smtp.sock.version(), hashlib.sha256(body).hexdigest())
`;
      const args = [String(daemon.port), String(tlsPort), caFile];
      const { code, stdout, stderr } = await runToEnd([python, "-c", script, ...args]);
      assert.equal(code, 0, stderr);
      const [version, digest] = stdout.trim().split(" ");
      assert.equal(version, "TLSv1.3");
      const ids = await accepted(serving, 2);
      for (const id of ids) {
        const text = await command("messages", "export", id);
        assert.match(text.slice(0, 1000), RECEIVED);
        const sent = new TextEncoder().encode(text.slice(text.indexOf("Subject: large")));
        assert.ok(sent.length > MEGABYTES_5);
        const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", sent));
        assert.equal(hash.toHex(), digest);
      }
      const shown = JSON.parse(await command("messages", "show", ids[0], "--json"));
      assert.equal(shown.wishes.requireTls, true);
      assert.equal(shown.client.tls.version, "TLSv1.3");
      assert.match(await command("messages", "show", ids[0]), /REQUIRETLS/);
      assert.doesNotMatch(await command("messages", "show", ids[1]), /REQUIRETLS/);
    });
  },
);

Deno.test("nodemailer sends, verifying, over STARTTLS and where TLS is first", async () => {
  await withTlsDaemon({}, async (serving) => {
    const { daemon, tlsPort, ca, command } = serving;
    const send = async (secure: boolean, trusted?: string) => {
      const transport = nodemailer.createTransport({
        host: "127.0.0.1",
        port: secure ? tlsPort : daemon.port,
        secure,
        requireTLS: true,
        tls: { ca: trusted, servername: "localhost" },
      });
      try {
        await transport.sendMail({ from: "a@example.com", to: "b@example.net", text: "Hello" });
      } finally {
        transport.close();
      }
    };
    for (const secure of [false, true]) {
      await send(secure, ca);
      await assert.rejects(send(secure), /certificate|issuer/i);
    }
    const ids = await accepted(serving, 2);
    assert.equal(ids.length, 2);
    for (const id of ids) assert.match(await command("messages", "export", id), RECEIVED);
  });
});

testWith("openssl", "S15 with no files a certificate of its own is made", async (openssl) => {
  await using daemon = await Daemon.start({
    settings: { SMTP_TLS_DISABLE: "false", SMTP_TLS_PORT: "0", SMTP_HOSTNAME: "mail.example.com" },
  });
  const connect = ["s_client", "-connect", `127.0.0.1:${tlsPortOf(daemon)}`];
  const { stdout, stderr } = await runToEnd([openssl, ...connect]);
  assert.match(stdout, /^New, TLSv1\.3, Cipher is /m, stderr);
  assert.match(stdout, /^subject=CN ?= ?mail\.example\.com$/m);
});

Deno.test("B4 SIGHUP: other certificates are taken at once, bad ones keep the old", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const authorities: Authority[] = [];
    for (const name of ["a", "b", "c"]) {
      await Deno.mkdir(`${folder}/${name}`);
      const authority = await Authority.make();
      await writePair(`${folder}/${name}`, await authority.certify());
      authorities.push(authority);
    }
    const [a, b, c] = authorities;
    const file = `${folder}/settings`;
    const set = (name: string) =>
      Deno.writeTextFile(
        file,
        `SMTP_TLS_CERT=${folder}/${name}/cert.pem\nSMTP_TLS_KEY=${folder}/${name}/key.pem\n`,
      );
    await set("a");
    await using daemon = await Daemon.start({
      settings: { SMTP_ENV_FILE: file, SMTP_TLS_PORT: "0", SMTP_DEBUG: "false" },
    });
    const port = tlsPortOf(daemon);
    const isOf = async (authority: Authority) => {
      using client = await Client.overTls(port, authority.cert);
      assert.match(await client.reply(), /^220 /);
    };
    let seen = 0;
    const reload = async (says: RegExp) => {
      daemon.signal("SIGHUP");
      const said = await daemon.says(new RegExp(`(?<=^[^]{${seen}}[^]*)${says.source}`));
      seen = said.index + said[0].length;
    };
    await isOf(a);
    await set("b");
    await reload(/settings read again.*SMTP_TLS_CERT/);
    await isOf(b);
    await assert.rejects(isOf(a));
    // In the same place.
    const { cert, key } = await c.certify();
    await writePair(`${folder}/b`, { cert, key: key.slice(0, 50) });
    await reload(/settings kept as they were.*SMTP_TLS_CERT/);
    await isOf(b);
    await writePair(`${folder}/b`, { cert, key });
    await reload(/settings read again/);
    await isOf(c);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
