/** `dinopost dkim`: keys for signatures, made, and held against what DNS says of them. */

import type { Group } from "../command.ts";
import { dkimCheck } from "./check.ts";
import { dkimKeygen } from "./keygen.ts";

export const dkim: Group = {
  name: "dkim",
  summary: "makes keys for signatures, and compares them with DNS",
  actions: [dkimKeygen, dkimCheck],
};
