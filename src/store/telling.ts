/** What the log is told of what happened to the store. */

import type { Log } from "../ports.ts";
import type { Notice } from "./questions.ts";

export function tell(notice: Notice, log: Log): void {
  switch (notice.about) {
    case "opened anew":
      return log("warning", "store opened anew after a failure of the disk");
    case "missing":
      return log("error", "store is missing and begun anew, mail that was in it is lost");
    case "salvaged":
      return log("error", "damaged store set aside", { ...notice.salvaged });
    case "journal damaged":
      return log("error", "damaged journal set aside, mail is lost", { path: notice.path });
    case "journal not read":
      return log("error", "journal cannot be read", { why: notice.why });
    case "not taken":
      return log("error", "message set aside, the store cannot have it", {
        path: notice.path,
        why: notice.why,
      });
    case "not removed":
      return log("error", "file not removed", { path: notice.path, why: notice.why });
  }
}
