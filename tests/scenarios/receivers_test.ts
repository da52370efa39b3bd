/**
 * Delivery to receivers of others: smtp-server, which pipelines, and aiosmtpd, which does not.
 * What they have taken is compared with what they were given, octet by octet.
 */

import assert from "node:assert/strict";
import { outwardTrusting } from "../../src/deno/outward.ts";
import type { Outcome } from "../../src/mail/outcome.ts";
import type { Outbound } from "../../src/outbound/outbound.ts";
import type { Credentials } from "../../src/outbound/target.ts";
import type { Claim } from "../../src/ports/store.ts";
import { parseMailbox } from "../../src/smtp/address.ts";
import { Aiosmtpd } from "../fakes/aiosmtpd.ts";
import { certified } from "../fakes/certificate.ts";
import { claimOf, outboundTo } from "../fakes/outbound.ts";
import { type Heard, type Receiver, type Rules, SmtpServer } from "../fakes/smtp_server.ts";
import { testWith } from "../fakes/tools.ts";

type Start = (rules?: Rules) => Promise<Receiver>;

/** The same of each of them. */
function testOfEach(name: string, run: (start: Start) => Promise<void>): void {
  Deno.test(`${name}: smtp-server`, () => run(SmtpServer.start));
  testWith(
    "aiosmtpd",
    `${name}: aiosmtpd`,
    (program) => run((rules) => Aiosmtpd.start(program, rules)),
  );
}

/** Gives it messages, one after another; what it heard. */
async function to(
  receiver: Receiver,
  give: (outbound: Outbound) => Promise<void>,
  way: { readonly ca?: string; readonly credentials?: Credentials } = {},
): Promise<Heard> {
  await using _ = receiver;
  const { ca, credentials } = way;
  const outbound = outboundTo(receiver.port, {
    policy: ca === undefined ? "none" : "verify",
    relay: { credentials },
    world: { outward: outwardTrusting(ca) },
  });
  try {
    await give(outbound);
  } finally {
    outbound.close();
  }
  return await receiver.end();
}

/** `content` has a character for each octet, and goes in pieces of `most` octets. */
async function deliver(outbound: Outbound, claim: Claim, content: string, most = Infinity) {
  const octets = Uint8Array.from(content, (character) => character.charCodeAt(0));
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < octets.length; at += most) chunks.push(octets.subarray(at, at + most));
  const size = octets.length;
  const load = () => Promise.resolve({ chunks, size });
  const signal = new AbortController().signal;
  const outcomes = await outbound.deliver({ ...claim, size }, load, signal);
  return outcomes.map((outcome) => outcome ?? assert.fail("somebody was not tried"));
}

const inWords = ({ kind, scope, command, status, reply }: Outcome) =>
  `${kind} ${scope} ${command}: ${status} ${reply}`;

/** In the octets of UTF-8. */
const utf8 = (text: string) => String.fromCharCode(...new TextEncoder().encode(text));

const HELLO_OVER_TLS = ["EHLO relay.example", "STARTTLS", "EHLO relay.example"];
const SHORT = "Subject: x\r\n\r\nx\r\n";
const EVERY_OCTET = Array.from({ length: 256 }, (_, octet) => String.fromCharCode(octet)).join("");

const CONTENTS = {
  "dots": "Subject: x\r\n\r\n.\r\n..\r\n...\r\n.x\r\nx.\r\n\r\n.\r\n\r\n..x\r\n.\r\n",
  "a dot first": ".: x\r\n..\r\n.\r\n",
  "every octet": `Subject: x\r\n\r\n${EVERY_OCTET.replace(/[\r\n]/g, "")}\r\n`,
  "UTF-8": utf8("Subject: x\r\n\r\n.grün \u{1f4ee}\r\n"),
  "a line as long as may be": `Subject: x\r\n\r\n.${"x".repeat(997)}\r\n`,
  "no body": "Subject: x\r\n\r\n",
  "nothing": "",
  "no end to its last line": "Subject: x\r\n\r\nx",
};
const LARGE = `Subject: x\r\n\r\n${".\r\n..\r\n.dot\r\n\r\ngr\xfcn\r\n".repeat(60_000)}`;

testOfEach("S27 what is taken is what was given, octet by octet", async (start) => {
  const { ca, pair } = await certified();
  const given = Object.values(CONTENTS);
  for (const way of [{}, { ca }]) {
    const { messages } = await to(await start({ pair }), async (outbound) => {
      for (const most of [Infinity, 1, 3]) {
        for (const [what, content] of Object.entries(CONTENTS)) {
          const [outcome] = await deliver(outbound, claimOf(["b"]), content, most);
          assert.equal(outcome.kind, "delivered", `${what}: ${outcome.reply}`);
        }
      }
      await deliver(outbound, claimOf(["b"]), LARGE, 4096);
    }, way);
    const whole = given.map((content) => content.replace(/([^\n])$/, "$1\r\n"));
    assert.deepEqual(
      messages.map(({ content }) => content),
      [...whole, ...whole, ...whole, LARGE],
    );
    assert.equal(new Set(messages.map(({ session }) => session)).size, 1);
    // 8-bit octets are declared, and only those.
    assert.ok(messages.every(({ content, parameters }) =>
      // deno-lint-ignore no-control-regex -- what is beyond ASCII
      parameters.includes("BODY=8BITMIME") === /[^\x00-\x7f]/.test(content)
    ));
  }
});

testOfEach("S27 TLS is told as both sides have it", async (start) => {
  const { ca, pair } = await certified();
  let told: Outcome["tls"];
  const { messages, commands } = await to(await start({ pair }), async (outbound) => {
    [{ tls: told }] = await deliver(outbound, claimOf(["b"]), SHORT);
  }, { ca });
  assert.deepEqual(told && `${told.version} ${told.cipher}`, messages[0].tls);
  assert.equal(told?.doubt, undefined);
  assert.deepEqual(commands.slice(0, 3), HELLO_OVER_TLS);
});

testOfEach(
  "B22 a refusal reaches as far as what it answers, and the session goes on",
  async (start) => {
    const refused = { "c@d.example": 550, "d@d.example": 451, "z@example.com": 553, "canary": 554 };
    const said: string[][] = [];
    const { messages } = await to(await start({ refused }), async (outbound) => {
      const give = async (claim: Claim, content = SHORT) => {
        said.push((await deliver(outbound, claim, content)).map(inWords));
      };
      await give(claimOf(["b", "c", "d", "e"]));
      await give(claimOf(["c", "d"]));
      await give(claimOf(["b", "c"], { mailbox: parseMailbox("z@example.com")! }));
      await give(claimOf(["b", "c"]), "Subject: canary\r\n\r\n.\r\n");
      await give(claimOf(["b"]));
    });
    const delivered = /^delivered recipient end of DATA: 2\.\d\.\d 250 /;
    const c = /^failed recipient RCPT TO: 5\.\d\.\d 550 .*no c@d\.example$/;
    const d = /^deferred recipient RCPT TO: 4\.\d\.\d 451 .*no d@d\.example$/;
    const sender = /^failed message MAIL FROM: 5\.\d\.\d 553 .*no z@example\.com$/;
    const content = /^failed message end of DATA: 5\.\d\.\d 554 .*no canary$/;
    const expected = [[delivered, c, d, delivered], [c, d], [sender, sender], [content, c], [
      delivered,
    ]];
    for (const [i, patterns] of expected.entries()) {
      for (const [j, pattern] of patterns.entries()) assert.match(said[i][j], pattern);
    }
    assert.deepEqual(messages.map(({ to }) => to), [["b@d.example", "e@d.example"], [
      "b@d.example",
    ]]);
    assert.equal(new Set(messages.map(({ session }) => session)).size, 1);
  },
);

testOfEach(
  "a message too large is not begun, nor given where the limit is not told",
  async (start) => {
    const size = 300;
    const just = SHORT.padEnd(size - 2, "x") + "\r\n";
    for (const hidesSize of [false, true]) {
      const said: string[] = [];
      const receiver = await start({ size, hidesSize });
      const { messages, commands } = await to(receiver, async (outbound) => {
        for (const content of [`.${just}`, just, SHORT]) {
          said.push(inWords((await deliver(outbound, claimOf(["b"]), content))[0]));
        }
      });
      assert.match(
        said[0],
        hidesSize
          ? /^failed message end of DATA: 5\.\d\.\d 552 /
          : /^failed message undefined: 5\.3\.4 552 5\.3\.4 .*limit of 300 octets/,
      );
      assert.equal(commands.filter((line) => line.startsWith("MAIL")).length, hidesSize ? 3 : 2);
      assert.deepEqual(messages.map(({ content }) => content), [just, SHORT]);
    }
  },
);

testOfEach(
  "B5 addresses and headers in UTF-8 go to who takes them, and to nobody else",
  async (start) => {
    const header = `Subject: ${utf8("grün")}\r\n\r\nx\r\n`;
    const mailbox = parseMailbox("älice@example.com")!;
    const given: [Claim, string][] = [
      [claimOf(["böb", "c"], { mailbox, utf8: true }), header],
      [claimOf(["böb"]), SHORT],
      [claimOf(["b"], { mailbox }), SHORT],
      [claimOf(["b"]), header],
    ];
    const give = (outcomes: Outcome[]) => async (outbound: Outbound) => {
      for (const each of given) outcomes.push(...await deliver(outbound, ...each));
      // What was only declared so goes anywhere (RFC 6531 §3.6).
      outcomes.push(...await deliver(outbound, claimOf(["b"], { utf8: true }), SHORT));
    };
    const taken: Outcome[] = [], refused: Outcome[] = [];
    const { messages } = await to(await start(), give(taken));
    assert.deepEqual(taken.map(({ kind }) => kind), Array(6).fill("delivered"));
    assert.deepEqual(messages.map(({ from, to }) => [from, ...to].join(" ")), [
      "älice@example.com böb@d.example c@d.example",
      "a@example.com böb@d.example",
      "älice@example.com b@d.example",
      "a@example.com b@d.example",
      "a@example.com b@d.example",
    ]);
    assert.ok(messages.every(({ parameters }) => parameters.includes("SMTPUTF8")));
    assert.deepEqual([messages[0].content, messages[3].content], [header, header]);

    const lacking = await to(await start({ lacksSmtpUtf8: true }), give(refused));
    assert.deepEqual(
      refused.slice(0, 5).map(({ kind, status }) => `${kind} ${status}`),
      Array(5).fill("failed 5.6.7"),
    );
    assert.equal(refused[5].kind, "delivered");
    assert.deepEqual(lacking.commands.slice(0, 2), [
      "EHLO relay.example",
      "MAIL FROM:<a@example.com>",
    ]);
    assert.deepEqual(lacking.messages.map(({ content }) => content), [SHORT]);
  },
);

testOfEach("B5 8-bit octets are not given to who does not take them", async (start) => {
  const said: string[] = [];
  const { commands } = await to(await start({ lacks8BitMime: true }), async (outbound) => {
    for (const content of [CONTENTS["UTF-8"], CONTENTS.dots]) {
      said.push(inWords((await deliver(outbound, claimOf(["b"]), content))[0]));
    }
  });
  assert.match(said[0], /^failed message undefined: 5\.6\.3 550 5\.6\.3 /);
  assert.match(said[1], /^delivered /);
  assert.equal(commands.filter((line) => line.startsWith("MAIL")).length, 1);
});

Deno.test("B19 smtp-server takes mail of who logs in, by each way that it knows", async () => {
  const { ca, pair } = await certified();
  const user = "alice@example.com", secret = "sécret, with = signs";
  for (const method of ["PLAIN", "LOGIN", "XOAUTH2"]) {
    for (const given of [secret, `no ${secret}`]) {
      const credentials: Credentials = method === "XOAUTH2"
        ? { user, token: () => given }
        : { user, password: given };
      const said: string[] = [];
      const receiver = await SmtpServer.start({ pair, login: { method, user, secret } });
      const { messages, commands } = await to(receiver, async (outbound) => {
        said.push(inWords((await deliver(outbound, claimOf(["b"]), SHORT))[0]));
      }, { ca, credentials });
      const lines = commands.slice(0, 4).join("\n");
      assert.match(lines, new RegExp(`^${HELLO_OVER_TLS.join("\n")}\nAUTH ${method}( |$)`));
      if (given === secret) {
        assert.match(said[0], /^delivered /);
        assert.deepEqual(receiver.sessions.map(({ user }) => user), [user]);
      } else {
        assert.match(said[0], /^deferred session AUTH: 4\.7\.8 535 /);
        assert.deepEqual(messages, []);
      }
    }
  }
});

Deno.test("RFC 3461 smtp-server is given what a sender wants to be told, if it asks", async () => {
  const sender = { ret: "HDRS", envid: "x+y = z" } as const;
  const claim = claimOf(["b"], sender);
  const [b] = claim.recipients;
  const orcpt = { type: "rfc822", address: "b+c@d.example" };
  const recipients = [{ ...b, notify: ["SUCCESS", "FAILURE"] as const, orcpt }];
  for (const dsn of [true, false]) {
    const receiver = await SmtpServer.start({ dsn });
    const { commands } = await to(receiver, async (outbound) => {
      await deliver(outbound, { ...claim, recipients }, SHORT);
    });
    const [{ envelope }] = receiver.sessions;
    assert.deepEqual(
      [envelope.dsn, envelope.rcptTo[0].dsn],
      dsn
        ? [{ ret: "HDRS", envid: "x+y = z" }, {
          notify: ["SUCCESS", "FAILURE"],
          orcpt: "rfc822;b+c@d.example",
        }]
        : [undefined, undefined],
    );
    assert.equal(commands.includes("RCPT TO:<b@d.example>"), !dsn);
  }
});
