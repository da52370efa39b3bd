/** `dinopost queue`: what waits to be sent, seen and changed while a daemon runs or not. */

import type { Group } from "../command.ts";
import { queueCount } from "./count.ts";
import { queueList } from "./list.ts";
import { queueOrders } from "./orders.ts";
import { queueShow } from "./show.ts";

const NOTES = `\
They work on the spool itself, that of SMTP_QUEUE_PATH, with the daemon running or stopped, as
the user it belongs to. What is being delivered at that moment is left alone.`;

export const queue: Group = {
  name: "queue",
  summary: "lists what waits to be sent, and holds, releases, drops or retries it",
  notes: NOTES,
  actions: [queueList, queueShow, ...queueOrders, queueCount],
};
