/**
 * What Mutt shows of a message: a mail program of people, driven without any. It has a terminal of
 * its own (`script`), reads one mailbox, changes nothing and knows no way to send.
 */

import { latin1, octetsOf } from "./bounces.ts";
import { find } from "./tools.ts";

const SETTINGS = `
set folder = "."
set spoolfile = "./mailbox"
set sendmail = "/bin/false"
set charset = "utf-8"
set pipe_decode = yes
set wait_key = no
set confirmappend = no
set mail_check = 0
`;
/** As it stands in a mailbox on Unix. */
const ENVELOPE = "From MAILER-DAEMON Thu Jan  1 12:00:00 2026\n";

/** The text of the first message, all its parts below one another. */
export async function shownByMutt(mutt: string, octets: Uint8Array): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    const text = latin1(octets).replaceAll("\r\n", "\n").replace(/^From /gm, ">From ");
    await Deno.writeFile(`${folder}/mailbox`, octetsOf(`${ENVELOPE}${text}\n`));
    await Deno.writeTextFile(`${folder}/settings`, SETTINGS);
    const keys = 'push "<pipe-message>cat > shown<enter><exit>"';
    await Deno.writeTextFile(`${folder}/keys`, keys);
    const command = `'${mutt}' -n -R -F settings -f mailbox -e 'source keys'`;
    const { success } = await new Deno.Command("timeout", {
      args: ["20", find("script")!, "--quiet", "--return", "--command", command, "/dev/null"],
      cwd: folder,
      clearEnv: true,
      env: { HOME: folder, PATH: "/usr/bin:/bin", TERM: "xterm", LC_ALL: "C.UTF-8" },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    if (!success) throw new Error("Mutt has failed");
    return await Deno.readTextFile(`${folder}/shown`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
