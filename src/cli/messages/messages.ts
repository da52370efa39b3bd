/** `dinopost messages`: what is in the store, whatever became of it. */

import type { Group } from "../command.ts";
import { messagesExport } from "./export.ts";
import { messagesList } from "./list.ts";
import { messagesShow } from "./show.ts";

export const messages: Group = {
  name: "messages",
  summary: "lists all messages that are kept, shows them and hands out their octets",
  actions: [messagesList, messagesShow, messagesExport],
};
