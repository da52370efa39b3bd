/**
 * Mail programs of others send to `deno task dev`, as a developer has it on the first day.
 * Each message is seen in what the daemon prints: accepted, with the size it should have.
 */

import assert from "node:assert/strict";
import nodemailer from "nodemailer";
import { Client } from "../fakes/client.ts";
import { Daemon, runToEnd } from "../fakes/daemon.ts";
import { testWith } from "../fakes/tools.ts";

const MEGABYTES_10 = 10 * 1024 * 1024;

function dev(settings: Record<string, string> = {}): Promise<Daemon> {
  return Daemon.start({ command: [Deno.execPath(), "task", "--quiet", "dev"], settings });
}

/** The messages that the daemon says it has accepted, once there are so many. */
async function accepted(daemon: Daemon, count: number) {
  const pattern = /message accepted id=(\w+) session=\d+ from=(\S+) to=(\S+|"[^"]*") size=(\d+)/g;
  await daemon.saysOften("message accepted", count);
  // The last of them may come in two pieces.
  await daemon.says(/\n$/);
  return [...daemon.output.matchAll(pattern)].map(([, id, from, to, size]) => ({
    id,
    from,
    to,
    size: Number(size),
  }));
}

Deno.test("deno task dev says where to send and where to look, and holds the first dialogue", async () => {
  await using daemon = await dev();
  assert.match(daemon.output, /^Dinopost .* captures mail: nothing leaves this machine\.$/m);
  assert.match(
    daemon.output,
    /^Send mail to {2}smtp:\/\/127\.0\.0\.1:\d+ {2}smtp:\/\/\[::1\]:\d+$/m,
  );
  assert.match(daemon.output, /^Look /m);
  for (const hostname of ["127.0.0.1", "::1"]) {
    using client = await Client.connect(daemon.port, hostname);
    assert.equal(await client.reply(), "220 localhost ESMTP Dinopost ready");
    const dialog: [string, RegExp][] = [
      ["HELO example.com", /^250 localhost greets example\.com$/],
      ["MAIL FROM:<alice@example.com>", /^250 2\.1\.0 Sender <alice@example\.com> OK$/],
      ["RCPT TO:<bob@example.net>", /^250 2\.1\.5 Recipient <bob@example\.net> OK$/],
      ["DATA", /^354 End data with <CR><LF>\.<CR><LF>$/],
      ["Subject: x\r\n\r\nHello\r\n.", /^250 2\.0\.0 Message accepted for delivery \w{20}$/],
      ["QUIT", /^221 2\.0\.0 localhost signing off$/],
    ];
    for (const [line, reply] of dialog) assert.match(await client.ask(line), reply);
    assert.equal(await client.rest(), "");
  }
  // The audit log shows every line, and what was captured.
  await daemon.says(/1 C: Subject: x\n.*1 C: \n.*1 C: Hello\n.*1 C: \(21 octets\)/);
  await daemon.says(/1 C: MAIL FROM:<alice@example\.com>[^]*1 S: 250 2\.1\.0 Sender/);
  daemon.signal("SIGTERM");
  assert.equal((await daemon.status).code, 0);
});

testWith(
  "python3",
  "Python's smtplib sends: plain, many recipients, UTF-8, BDAT, 10 MiB",
  async (python) => {
    await using daemon = await dev({ SMTP_MAX_SIZE: "11MiB" });
    const script = `
import smtplib, sys
from email.message import EmailMessage
port = int(sys.argv[1])
with smtplib.SMTP("127.0.0.1", port) as smtp:
    message = EmailMessage()
    message["Subject"] = "plain"
    message["From"] = "alice@example.com"
    message["To"] = "bob@example.net, carol@example.net"
    message.set_content("Hello\\n.\\n..\\nEnd\\n")
    smtp.send_message(message)
    smtp.rset()
    message.replace_header("From", "björn@bücher.example")
    smtp.send_message(message, mail_options=["BODY=8BITMIME", "RET=HDRS", "ENVID=a+2Bb"])
    refused = smtp.sendmail("alice@example.com", ["bob@example.net", "ø@example.net"], "Subject: x\\n\\nx\\n",
        rcpt_options=["NOTIFY=SUCCESS,DELAY"])
    assert list(refused) == ["ø@example.net"], refused
    body = b"Subject: large\\r\\n\\r\\n" + (b"x" * 78 + b"\\r\\n") * (10 * 1024 * 1024 // 80)
    smtp.sendmail("alice@example.com", ["bob@example.net"], body)
    smtp.mail("alice@example.com")
    smtp.rcpt("bob@example.net")
    for i in range(3):
        chunk = b"X-Chunk: \\r\\n" * 1000 + (b"\\r\\n." if i == 2 else b"")
        smtp.send(b"BDAT %d%s\\r\\n" % (len(chunk), b" LAST" if i == 2 else b"") + chunk)
        code, text = smtp.getreply()
        assert code == (250 if i < 2 else 552), (code, text)
    smtp.mail("alice@example.com")
    smtp.rcpt("bob@example.net")
    smtp.send(b"BDAT 14\\r\\nSubject: bdat\\nBDAT 5 LAST\\r\\n\\r\\n.\\r\\n")
    print(smtp.getreply(), smtp.getreply())
    smtp.mail("alice@example.com")
    smtp.rcpt("bob@example.net")
    smtp.send(b"BDAT 15\\r\\nSubject: bdat\\r\\nBDAT 5 LAST\\r\\n\\r\\n.\\r\\n")
    print(smtp.getreply(), smtp.getreply())
`;
    const { code, stdout, stderr } = await runToEnd([python, "-c", script, String(daemon.port)]);
    assert.equal(code, 0, stderr);
    // A bare LF ended the first chunk.
    assert.match(stdout, /\(550, b'5\.5\.2 .*\(503, /);
    const messages = await accepted(daemon, 4);
    assert.deepEqual(messages.map(({ from, to }) => [from, to]), [
      ["<alice@example.com>", '"2 recipients"'],
      ["<björn@bücher.example>", '"2 recipients"'],
      ["<alice@example.com>", "<bob@example.net>"],
      ["<alice@example.com>", "<bob@example.net>"],
      ["<alice@example.com>", "<bob@example.net>"],
    ]);
    assert.equal(messages[4].size, "Subject: bdat\r\n\r\n.\r\n".length);
    assert.equal(
      messages[3].size,
      "Subject: large\r\n\r\n".length + 80 * Math.floor(MEGABYTES_10 / 80),
    );
  },
);

Deno.test("nodemailer sends: plain, pooled, UTF-8 addresses, 10 MiB", async () => {
  await using daemon = await dev({ SMTP_MAX_SIZE: "16MiB" });
  const transport = nodemailer.createTransport({
    host: "127.0.0.1",
    port: daemon.port,
    pool: true,
    maxConnections: 2,
  });
  const to = "bob@example.net";
  const sent = await transport.sendMail({
    from: "alice@example.com",
    to,
    text: "Hello\r\n.\r\nEnd",
  });
  assert.match(sent.response, /^250 2\.0\.0 Message accepted for delivery \w{20}$/);
  await transport.sendMail({ from: "björn@example.com", to: "用户@example.net", text: "ø" });
  await Promise.all(
    Array.from(
      { length: 20 },
      (_, i) => transport.sendMail({ from: "alice@example.com", to, text: `message ${i}` }),
    ),
  );
  const attachments = [{ filename: "large.bin", content: "x".repeat(MEGABYTES_10) }];
  await transport.sendMail({ from: "alice@example.com", to, text: "large", attachments });
  await assert.rejects(
    transport.sendMail({ from: "alice@example.com", to, raw: "x".repeat(17 * 1024 * 1024) }),
    /552 5\.3\.4|larger than allowed/,
  );
  transport.close();
  const messages = await accepted(daemon, 23);
  assert.ok(messages.at(-1)!.size > MEGABYTES_10 * 4 / 3);
});

testWith("swaks", "swaks sends: plain, pipelined, 10 MiB", async (swaks) => {
  await using daemon = await dev({ SMTP_MAX_SIZE: "11MiB" });
  const file = await Deno.makeTempFile();
  try {
    const header = "Subject: large\r\n\r\n";
    const line = "x".repeat(78) + "\r\n";
    await Deno.writeTextFile(file, header + line.repeat(MEGABYTES_10 / 80));
    const envelope = ["--server", `127.0.0.1:${daemon.port}`, "--from", "alice@example.com"];
    for (
      const options of [
        ["--to", "bob@example.net", "--body", "Hello\n.\n.End"],
        ["--to", "bob@example.net,carol@example.net", "--pipeline"],
        ["--to", "bob@example.net", "--pipeline", "--data", `@${file}`],
      ]
    ) {
      const { code, stdout } = await runToEnd([swaks, ...envelope, ...options]);
      assert.equal(code, 0, stdout.slice(-2000));
      assert.match(stdout, /<- {2}250 2\.0\.0 Message accepted for delivery/);
    }
    const [plain, two, large] = await accepted(daemon, 3);
    assert.equal(plain.to, "<bob@example.net>");
    assert.equal(two.to, '"2 recipients"');
    assert.ok(large.size >= MEGABYTES_10, `${large.size}`);
  } finally {
    await Deno.remove(file);
  }
});

testWith(
  "smtp-source",
  "smtp-source sends 2,000 messages over 20 sessions, and 10 MiB",
  async (source) => {
    await using daemon = await dev({ SMTP_DEBUG: "false", SMTP_MAX_SIZE: "11MiB" });
    const target = `127.0.0.1:${daemon.port}`;
    for (
      const options of [
        ["-s", "20", "-m", "1000", "-l", "4096"],
        ["-s", "20", "-m", "1000", "-l", "4096", "-d"],
        ["-s", "2", "-m", "4", "-l", String(MEGABYTES_10), "-d"],
        ["-s", "1", "-m", "2", "-r", "50", "-N"],
      ]
    ) {
      const { code, stderr } = await runToEnd([source, ...options, target]);
      assert.equal(code, 0, stderr);
    }
    const messages = await accepted(daemon, 2006);
    assert.equal(messages.length, 2006);
    assert.equal(new Set(messages.map(({ id }) => id)).size, 2006);
    const large = messages.filter(({ size }) => size >= MEGABYTES_10);
    assert.equal(large.length, 4);
    assert.equal(messages.filter(({ to }) => to === '"50 recipients"').length, 2);
  },
);
