/** The rules under which the dialogues run, where they set no others. */

import type { Rules } from "../../src/smtp/state.ts";

export const initialRules: Rules = {
  hostname: "localhost",
  banner: "Dinopost ready",
  maxSize: 10485760,
  maxRecipients: 100,
  maxUnknownCommands: 5,
  bareNewline: "reject",
};
