/**
 * H7: mail comes and leaves, and signals are heard, whatever becomes of standard output and
 * standard error, in JSON and in text, with every session shown.
 */

import assert from "node:assert/strict";
import { Mailbox } from "../fakes/bounce_mailbox.ts";
import { greeted, mail, MANY, RECIPIENTS, startedWith } from "../fakes/log_flow.ts";

const SOME = 20;

const WHERE: readonly (readonly [what: string, redirection: string, messages: number])[] = [
  ["is closed", ">&- 2>&-", SOME],
  ["is closed, and input, too", "<&- >&- 2>&-", SOME],
  ["leads to a full device", ">/dev/full 2>/dev/full", SOME],
  ["leads to readers that have gone", "> >(true) 2> >(head -n 2)", SOME],
  ["leads to a pipe that nobody reads", "> >(exec sleep 1000) 2> >(exec sleep 1000)", MANY],
];

for (const format of ["json", "text"]) {
  for (const [what, redirection, messages] of WHERE) {
    Deno.test(`H7 mail comes and leaves where output ${what}, as ${format}`, async () => {
      await using mailbox = new Mailbox();
      const { daemon: started, port } = await startedWith(redirection, {
        SMTP_MODE: "relay",
        SMTP_RELAY_URL: `smtp://127.0.0.1:${mailbox.port}`,
        SMTP_LOG_FORMAT: format,
      });
      await using daemon = started;
      using client = await greeted(port);
      await mail(client, messages);
      const letters = await mailbox.until(messages);
      assert.ok(letters.every(({ to }) => to.length === RECIPIENTS));
      daemon.signal("SIGHUP");
      await mail(client);
      daemon.signal("SIGTERM");
      assert.match(await client.rest(), /^421 4\.3\.2 /);
      assert.equal((await daemon.status).code, 0);
      // Not a word of it went where octets of mail are.
      assert.equal(daemon.output, "");
      assert.ok(mailbox.letters.every(({ content }) => !content.includes("attempt")));
    });
  }
}
