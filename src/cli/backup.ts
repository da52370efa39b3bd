/** `dinopost backup`: a copy of the spool while a daemon uses it. */

import { disk, isWithin } from "../deno/files.ts";
import { write } from "../deno/report.ts";
import { SpoolError } from "../ports/store.ts";
import { backup as copy } from "../store/backup.ts";
import { Layout } from "../store/layout.ts";
import { Looks } from "../store/look.ts";
import { action, CommandError } from "./command.ts";
import { dev } from "./options.ts";
import { tallyLine } from "./queue/count.ts";
import { withSpool } from "./spool.ts";
import * as status from "./status.ts";
import { whyNotMade } from "./target.ts";
import { plain } from "./words.ts";

export const backup = action({
  name: "backup",
  summary: "copies the spool into a new folder, with the daemon running or stopped",
  options: { dev },
  operands: { name: "FOLDER", least: 1, most: 1 },
  run({ dev }, [given]) {
    const folder = given.replace(/(?<=.)\/+$/, "");
    return withSpool(dev, async ({ database, layout }) => {
      let tally;
      try {
        copy(database, layout, folder, disk);
        tally = tallyOf(new Layout(folder));
      } catch (error) {
        if (disk.databases.failure(error) === "corrupt") throw error;
        const why = error instanceof SpoolError && error.message.startsWith("backup ")
          ? error.message.slice(7)
          : `${folder}: ${whyNotMade(folder, error)}`;
        throw new CommandError(why);
      }
      const [spool, made] = [layout.folder, plain(folder)];
      // Where a daemon may write nowhere else.
      const place = isWithin(folder, spool)
        ? `move ${made} out of ${spool}, then ${spool} away, and the copy into its place`
        : `move ${spool} away, cp -a ${made} ${spool}`;
      await write(
        `${spool} is copied into ${made}\n${tally}\nto restore: stop the daemon, ${place}, ` +
          "start it: what it sent since is sent again\n",
      );
      return status.OK;
    });
  },
});

/** Of the copy, which shows that it can be read. */
function tallyOf(layout: Layout): string {
  const database = disk.databases.open(layout.database, { readOnly: true });
  try {
    return tallyLine(new Looks(database).tally());
  } finally {
    database.close();
  }
}
