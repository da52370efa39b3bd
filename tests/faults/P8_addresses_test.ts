/** P8: a corpus of addresses: refused, or accepted as the RFC says and never more than text. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { Driver } from "../fakes/driver.ts";

const label63 = "d".repeat(63);

const ACCEPTED = [
  "a@b",
  "alice@example.com",
  "Alice.O'Hara+tag@Example.COM",
  "!#$%&'*+-/=?^_`{|}~@example.com",
  '"a b"@example.com',
  '"a@b"@example.com',
  '"\\""@example.com',
  '"../../etc/passwd"@example.com',
  '""@example.com',
  "a@under_score.example",
  `a@${label63}.example`,
  "x".repeat(64) + "@example.com",
  "a@[192.0.2.1]",
  "a@[IPv6:2001:db8::1]",
  "a@[IPv6:::ffff:192.0.2.1]",
  "a@[IPv6:1:2:3:4:5:6:7:8]",
  "@hop.example:alice@example.com",
  "@hop.example,@other.example:alice@example.com",
  "__proto__@constructor.prototype",
];

const REFUSED = [
  "",
  "alice",
  "@example.com",
  "alice@",
  "alice@@example.com",
  ".alice@example.com",
  "alice.@example.com",
  "al..ice@example.com",
  "alice example.com",
  "al ice@example.com",
  "alice@-example.com",
  "alice@example-.com",
  "alice@example..com",
  "alice@example.com.",
  `a@${label63}d.example`,
  "a@" + "long.".repeat(60) + "example",
  "x".repeat(300) + "@example.com",
  '"alice@example.com',
  '"al"ice@example.com',
  '"a\\"@example.com',
  "alice@[192.0.2.256]",
  "alice@[192.0.2.1",
  "alice@[IPv6:1::2::3]",
  "alice@[IPv6:12345::]",
  "alice@[example.com]",
  "alice@../../etc/passwd",
  "../alice@example.com/..",
  "alice@exam\tple.com",
  "<alice@example.com>",
  "hop.example:alice@example.com",
  "@hop.example",
  "alice,bob@example.com",
  "alice(comment)@example.com",
];

for (const address of ACCEPTED) {
  Deno.test(`P8 accepted: ${address}`, () => {
    const driver = new Driver();
    driver.open();
    driver.send("EHLO x\r\n");
    const plain = address.startsWith("@") ? "alice@example.com" : address;
    assert.equal(driver.send(`MAIL FROM:<${address}>\r\n`), `250 2.1.0 Sender <${plain}> OK\r\n`);
    assert.equal(driver.send(`RCPT TO:<${address}>\r\n`), `250 2.1.5 Recipient <${plain}> OK\r\n`);
  });
}

for (const address of REFUSED) {
  Deno.test(`P8 refused: ${JSON.stringify(address)}`, () => {
    const driver = new Driver();
    driver.open();
    driver.send("EHLO x\r\n");
    if (address !== "") {
      assert.match(driver.send(`MAIL FROM:<${address}>\r\n`), /^50[01] 5\.(1\.7|5\.2) /);
    }
    driver.send("MAIL FROM:<a@example.com>\r\n");
    assert.match(driver.send(`RCPT TO:<${address}>\r\n`), /^50[01] 5\.(1\.3|5\.2) /);
  });
}

Deno.test("P8 SMTPUTF8 addresses are accepted where they are asked for", () => {
  const driver = new Driver();
  driver.open();
  driver.send("EHLO x\r\n");
  assert.match(driver.send("MAIL FROM:<björn@bücher.example>\r\n"), /^553 5\.6\.7 /);
  assert.match(driver.send("MAIL FROM:<björn@bücher.example> SMTPUTF8\r\n"), /^250 /);
  assert.match(driver.send("RCPT TO:<用户@例子.example>\r\n"), /^250 2\.1\.5 Recipient <用户@例子/);
  assert.match(driver.send("RCPT TO:<\u0085@example.com>\r\n"), /^501 5\.1\.3 /);
  assert.match(driver.send("RCPT TO:<a\u2028b@example.com>\r\n"), /^501 5\.1\.3 /);
  assert.match(driver.send('RCPT TO:<"b ø"@example.com>\r\n'), /^250 /);
});

Deno.test("P8 whatever an address holds, the reply is one well-formed line", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 80 }), (address) => {
      const driver = new Driver({ bareNewline: "reject", maxUnknownCommands: 1000 });
      driver.open();
      driver.send("EHLO x\r\n");
      const said = driver.send(`MAIL FROM:<${address.replaceAll("\n", "")}> SMTPUTF8\r\n`);
      // deno-lint-ignore no-control-regex -- control characters are what must not be said
      assert.match(said, /^[245][0-9]{2} [245]\.[0-9]+\.[0-9]+ [^\x00-\x1f\x7f]*\r\n$/);
    }),
  );
});
