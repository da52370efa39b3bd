/** The dialogues of the pure session, word for word over a real socket. */

import assert from "node:assert/strict";
import { heard, readDialogs } from "../dialogs/dialog.ts";
import { TestServer } from "../fakes/server.ts";

for (const { name, rules, turns, closes } of readDialogs()) {
  Deno.test(`dialogue ${name} over a socket`, async () => {
    await using server = new TestServer(rules);
    using client = await server.connect();
    for (const { send, expect } of turns) {
      await client.send(send);
      let said = "";
      while (heard(said).length < expect.length || !said.endsWith("\r\n")) {
        const more = await client.some();
        if (more === "") break;
        said += more;
      }
      assert.deepEqual(heard(said), expect);
    }
    if (closes) assert.equal(await client.rest(), "");
    else assert.match(await client.ask("NOOP"), /^250/);
  });
}
