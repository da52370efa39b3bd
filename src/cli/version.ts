/** `dinopost version` */

import { print } from "../deno/process.ts";
import project from "../../deno.json" with { type: "json" };
import { action } from "./command.ts";
import * as status from "./status.ts";

export const { version: VERSION } = project;

export const version = action({
  name: "version",
  summary: "prints the version",
  run() {
    print(`dinopost ${VERSION}`);
    return status.OK;
  },
});
