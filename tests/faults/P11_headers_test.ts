/** P11: headers without measure are refused, in bounded memory. */

import assert from "node:assert/strict";
import { Driver } from "../fakes/driver.ts";
import { heapGrowth } from "../fakes/memory.ts";

const REFUSAL = /^552 5\.3\.4 Header is larger than the limit of 2000 lines or 262144 octets/;

function send(header: string, end = "\r\nbody\r\n.\r\n"): { said: string; driver: Driver } {
  const driver = new Driver().ready();
  driver.send("DATA\r\n");
  let said = "";
  const wire = new TextEncoder().encode(header + end);
  for (let at = 0; at < wire.length; at += 4096) said += driver.send(wire.slice(at, at + 4096));
  return { said, driver };
}

const field = "X-Field: value\r\n";

for (
  const [what, header] of [
    ["100,000 fields", field.repeat(100_000)],
    ["2,001 fields", field.repeat(2001)],
    ["one field of 256 KiB", "X: " + "x".repeat(256 * 1024) + "\r\n"],
    ["one field folded 2,000 times", "X:" + "\r\n x".repeat(2000) + "\r\n"],
    ["no end of the header", "x".repeat(1_000_000) + "\r\n"],
  ]
) {
  Deno.test(`P11 ${what}: 552 5.3.4, and the session lives`, () => {
    const { said, driver } = send(header);
    assert.match(said, REFUSAL);
    assert.equal(driver.send("NOOP\r\n"), "250 2.0.0 OK\r\n");
    assert.equal(driver.messages.length, 0);
  });
}

Deno.test("P11 what is just within the limits is taken, and bodies have no such limits", () => {
  for (
    const [header, body] of [
      [field.repeat(2000), "body\r\n"],
      ["X: " + "x".repeat(256 * 1024 - 7) + "\r\n", "body\r\n"],
      ["Subject: x\r\n", field.repeat(5000)],
      ["", "x".repeat(1_000_000) + "\r\n"],
    ]
  ) {
    const { said } = send(header, `\r\n${body}.\r\n`);
    assert.match(said, /^250 2\.0\.0 /);
  }
});

Deno.test("P11 a header without end takes no memory", () => {
  const driver = new Driver().ready();
  driver.send("DATA\r\n");
  const fields = new TextEncoder().encode(field.repeat(4000));
  const growth = heapGrowth(() => {
    for (let i = 0; i < 500; i++) driver.send(fields);
    return driver;
  });
  assert.ok(growth < 4 * 1024 * 1024, `32 MB of header left ${growth} octets`);
});
