/** `dinopost unit`: the systemd unit that belongs to this version. */

import { embeddedText } from "../deno/embedded.ts";
import { print } from "../deno/process.ts";
import { action } from "./command.ts";
import * as status from "./status.ts";

export const unit = action({
  name: "unit",
  summary: "prints the systemd unit, for /etc/systemd/system/dinopost.service",
  run() {
    print(embeddedText("systemd/dinopost.service").trimEnd());
    return status.OK;
  },
});
