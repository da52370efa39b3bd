/** P12: fields named like members of objects are kept as they came. */

import assert from "node:assert/strict";
import { Driver } from "../fakes/driver.ts";

Deno.test("P12 __proto__, constructor and the like are kept as they are", () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "__defineGetter__"];
  const message = names.map((name) => `${name}: value\r\n`).join("") + "\r\nbody\r\n";
  const driver = new Driver().ready();
  driver.send("DATA\r\n");
  driver.send(message + ".\r\n");
  assert.equal(driver.messages[0].content, message);
  assert.equal(({} as Record<string, unknown>).value, undefined);
});
