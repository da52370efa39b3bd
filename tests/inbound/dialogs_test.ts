/** The dialogues of the pure session, word for word over a real socket. */

import { hold, readDialogs } from "../dialogs/dialog.ts";
import { TestServer } from "../fakes/server.ts";

for (const dialog of readDialogs()) {
  Deno.test(`dialogue ${dialog.name} over a socket`, async () => {
    await using server = new TestServer(dialog.rules);
    using client = await server.connect();
    await hold(dialog, client);
  });
}
