/** P9: what stands for a line end in xtext is refused, and nothing of it comes into the spool. */

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { Client } from "../fakes/client.ts";
import { Daemon, dinopost, runToEnd } from "../fakes/daemon.ts";
import { Driver } from "../fakes/driver.ts";

const LINE_ENDS = ["+0A", "+0D", "+0D+0A"];
const CONTROLS = ["+00", "+07", "+08", "+09", "+0B", "+0C", "+1B", "+1F", "+7F"];
/** No characters of their own in xtext, or in ASCII. */
const BAD = ["+0a", "+A", "+", "+ZZ", "=", "+85", "+FF", "ø"];

function greeted(): Driver {
  const driver = new Driver();
  driver.open();
  driver.send("EHLO x\r\n");
  return driver;
}

function mail(parameter: string): string {
  return greeted().send(`MAIL FROM:<a@example.com> SMTPUTF8 ${parameter}\r\n`);
}

function rcpt(parameter: string): string {
  const driver = greeted();
  driver.send("MAIL FROM:<a@example.com> SMTPUTF8\r\n");
  return driver.send(`RCPT TO:<b@example.net> ${parameter}\r\n`);
}

for (const text of [...LINE_ENDS, ...CONTROLS, ...BAD]) {
  Deno.test(`P9 ${text} in ENVID, AUTH= and ORCPT: 501`, () => {
    for (const value of [text, `a${text}b`, `${text}X-Injected:+20yes`, `a${text}`]) {
      assert.match(mail(`ENVID=${value}`), /^501 5\.5\.4 Parameter ENVID must be xtext/, value);
      assert.match(mail(`AUTH=${value}@example.com`), /^501 5\.5\.4 Parameter AUTH/, value);
      const refused = /^501 5\.5\.4 Parameter ORCPT must be type;xtext/;
      assert.match(rcpt(`ORCPT=rfc822;${value}@example.com`), refused, value);
      assert.match(rcpt(`ORCPT=rfc${text};a@example.com`), refused, value);
      // A character beyond ASCII stands for itself there.
      if (text === "ø") continue;
      assert.match(rcpt(`ORCPT=utf-8;${value}@example.com`), refused, value);
    }
  });
}

const ENDS_OF_UNICODE = ["A", "D", "0A", "00000A", "0", "7F", "85", "9F", "2028", "2029", "D800"];

for (const point of ENDS_OF_UNICODE) {
  Deno.test(`P9 \\x{${point}} in ORCPT: 501`, () => {
    for (const value of [`\\x{${point}}`, `ø\\x{${point}}b`, `a+2B\\x{${point}}`]) {
      assert.match(rcpt(`ORCPT=utf-8;${value}@example.com`), /^501 5\.5\.4 Parameter ORCPT/, value);
    }
  });
}

Deno.test("P9 line ends of Unicode as they are: 501", () => {
  for (const end of ["\u0085", "\u2028", "\u2029"]) {
    assert.match(rcpt(`ORCPT=utf-8;a${end}b@example.com`), /^501 5\.5\.4 Parameter ORCPT/);
  }
});

Deno.test("P9 of xtext just the printable characters are taken, and told by their own names", () => {
  for (let octet = 0; octet < 256; octet++) {
    const text = `+${octet.toString(16).toUpperCase().padStart(2, "0")}`;
    const isPrintable = octet >= 0x20 && octet <= 0x7e;
    assert.match(mail(`ENVID=${text}`), isPrintable ? /^250 / : /^501 /, text);
    assert.match(rcpt(`ORCPT=rfc822;${text}`), isPrintable ? /^250 / : /^501 /, text);
  }
});

interface Shown {
  readonly id: string;
  readonly wishes: { readonly envid?: string };
}

/** What recipients wished for; no command shows it. */
function wishes(folder: string): unknown[] {
  const database = new DatabaseSync(`${folder}/queue.db`, { readOnly: true });
  try {
    const rows = database.prepare("SELECT wishes FROM recipient ORDER BY message").all();
    return rows.map(({ wishes }) => JSON.parse(String(wishes)));
  } finally {
    database.close();
  }
}

Deno.test("P9 the daemon refuses line ends in xtext, and has its spool as it was after a restart", async () => {
  const folder = await Deno.makeTempDir();
  const settings = { SMTP_QUEUE_PATH: `${folder}/spool` };
  const send = async (client: Client, envid: string, orcpt: string) => {
    assert.match(await client.ask(`MAIL FROM:<a@example.com> ENVID=${envid}`), /^250 /);
    assert.match(await client.ask(`RCPT TO:<b@example.net> ORCPT=rfc822;${orcpt}`), /^250 /);
    await client.ask("DATA");
    const reply = await client.ask("Subject: x\r\n\r\n.");
    return /^250 2\.0\.0 .* (\w+)$/.exec(reply)![1];
  };
  const list = async (...args: string[]) => {
    const { code, stdout, stderr } = await runToEnd(dinopost(...args, "--json"), settings);
    assert.equal(code, 0, stderr);
    return stdout.trimEnd().split("\n").map((line) => JSON.parse(line) as Shown);
  };
  try {
    let first: string;
    {
      await using daemon = await Daemon.start({ settings });
      using client = await Client.greeted(daemon.port);
      await client.ask("EHLO x");
      for (const end of LINE_ENDS) {
        const lie = `${end}250+20X-Injected:+20yes`;
        assert.match(await client.ask(`MAIL FROM:<a@example.com> ENVID=x${lie}`), /^501 5\.5\.4 /);
        assert.match(await client.ask(`MAIL FROM:<a@example.com> AUTH=x${lie}@y`), /^501 5\.5\.4 /);
        await client.ask("MAIL FROM:<a@example.com>");
        const rcpt = `RCPT TO:<b@example.net> ORCPT=rfc822;x${lie}`;
        assert.match(await client.ask(rcpt), /^501 5\.5\.4 /);
        assert.match(await client.ask("DATA"), /^554 5\.5\.1 No valid recipients/);
        await client.ask("RSET");
      }
      first = await send(client, "a+2B+20b+3D", "c+2Bd+20e@example.org");
      // Killed, not stopped.
    }
    await using daemon = await Daemon.start({ settings });
    assert.doesNotMatch(daemon.output, /warning|error|salvage|quarantine/i);
    using client = await Client.greeted(daemon.port);
    await client.ask("EHLO x");
    const second = await send(client, "second", "f@example.org");
    assert.deepEqual(
      new Set((await list("messages", "list")).map(({ id }) => id)),
      new Set([first, second]),
    );
    const [shown] = await list("messages", "show", first);
    assert.equal(shown.wishes.envid, "a+ b=");
    assert.doesNotMatch(JSON.stringify(shown), /Injected/);
    assert.deepEqual(wishes(settings.SMTP_QUEUE_PATH), [
      { orcpt: { type: "rfc822", address: "c+d e@example.org" } },
      { orcpt: { type: "rfc822", address: "f@example.org" } },
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
