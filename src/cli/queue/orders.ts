/** `dinopost queue retry`, `hold`, `release`, `drop`, `flush`: what people order for messages. */

import { clock } from "../../deno/clock.ts";
import { disk } from "../../deno/files.ts";
import { complain } from "../../deno/process.ts";
import { write } from "../../deno/report.ts";
import type { Changed, RecipientState, Selection } from "../../ports/store.ts";
import { type Order, type Ordered, type Place, wholeOrder } from "../../store/orders.ts";
import { isServed } from "../../store/spool.ts";
import { action, CommandError, UsageError } from "../command.ts";
import { jsonLine } from "../json.ts";
import { dev, domain, json } from "../options.ts";
import { type Spool, withSpool } from "../spool.ts";
import * as status from "../status.ts";
import { counted } from "../words.ts";

const all = { summary: "all messages" };

/** `done`: what has become of the recipients. */
function orderAction(
  name: string,
  order: Order,
  { summary, done }: Record<"summary" | "done", string>,
) {
  return action({
    name,
    summary,
    options: { all, domain, json, dev },
    operands: { name: "ID", least: 0, most: Infinity },
    run({ all, domain, json, dev }, ids) {
      const which = selectionOf(ids, { all, domain });
      return withSpool(dev, (spool) => carryOut(spool, { name, order, which, done, json }));
    },
  });
}

const DUE = "due now";

export const queueOrders = [
  orderAction("retry", "requeue", {
    summary: "makes queued recipients due now, whatever was planned",
    done: DUE,
  }),
  orderAction("hold", "hold", { summary: "keeps queued recipients until release", done: "held" }),
  orderAction("release", "release", {
    summary: "sends held recipients on their way; captured ones only by id",
    done: "released",
  }),
  orderAction("drop", "drop", {
    summary:
      "gives up queued, held and quarantined recipients, captured ones only by id; asks nothing",
    done: "dropped",
  }),
  action({
    name: "flush",
    summary: "the same as retry --all",
    options: { json, dev },
    run({ json, dev }) {
      const which = { all: true } as const;
      return withSpool(dev, (spool) => {
        return carryOut(spool, { name: "retry", order: "requeue", which, done: DUE, json });
      });
    },
  }),
];

function selectionOf(
  ids: readonly string[],
  { all, domain }: { all: boolean; domain: string | undefined },
): Selection {
  const ways = [ids.length > 0, all, domain !== undefined].filter((is) => is).length;
  if (ways !== 1) throw new UsageError("give ids, --domain DOMAIN or --all, and just one of them");
  if (all) return { all };
  return domain === undefined ? { ids } : { domain };
}

interface Asked {
  readonly name: string;
  readonly order: Order;
  readonly which: Selection;
  readonly done: string;
  readonly json: boolean;
}

async function carryOut(spool: Spool, asked: Asked): Promise<number> {
  const { name, order, which, done, json } = asked;
  // Nothing is being delivered then, whatever a daemon that was killed has left.
  if (!isServed(spool.layout, disk)) spool.engine.endLeases(spool.times);
  const changed = await wholeOrder((from) => part(spool, order, which, from));
  await write(json ? jsonLine(changed) : inWords(changed, done));
  const problem = problemOf(changed, name);
  if (problem === undefined) return status.OK;
  throw new CommandError(problem);
}

/** Why nothing was done for messages that were named. */
function problemOf({ unknown, unfit }: Changed, name: string): string | undefined {
  const problems = unfit.map(({ id, states }) => `${id}: nothing to ${name}: ${standing(states)}`);
  if (unknown.length > 0) {
    problems.unshift(`no message ${unknown.map((id) => JSON.stringify(id)).join(", ")}`);
  }
  return problems.length === 0 ? undefined : problems.join("; ");
}

function standing(states: readonly RecipientState[]): string {
  if (states.length === 0) return "it has no recipients";
  if (states.length === 1) return `it is ${states[0]}`;
  return `it is ${states.map((state) => `partly ${state}`).join(", ")}`;
}

/**
 * Two thousand recipients, and then as long a pause: a daemon that waits for its turn looks
 * again only now and then.
 */
async function part(
  { engine, layout, times }: Spool,
  order: Order,
  which: Selection,
  from: Place | undefined,
): Promise<Ordered> {
  const start = clock.monotonic();
  const operation = { kind: "order", order, which, from } as const;
  const { results: [result], released } = engine.write([operation], new Uint8Array(0), times);
  if (!("value" in result)) throw new CommandError(result.why);
  for (const id of released) removeBody(layout.body(id));
  const ordered = result.value as Ordered;
  if (ordered.next !== undefined) await pause(clock.monotonic() - start);
  return ordered;
}

/** It has left the queue in any case; the next sweep of the daemon finds it again. */
function removeBody(path: string): void {
  try {
    disk.files.remove(path);
  } catch (error) {
    complain(`warning: ${path}: not removed: ${error instanceof Error ? error.message : error}`);
  }
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => clock.timer(milliseconds, resolve));

function inWords({ messages, recipients, underway }: Changed, done: string): string {
  const lines = [`${counted(messages, "message")}, ${counted(recipients, "recipient")} ${done}`];
  if (underway > 0) {
    const [is, was] = underway === 1 ? ["is", "was"] : ["are", "were"];
    lines.push(`${counted(underway, "recipient")} ${is} being delivered now and ${was} left alone`);
  }
  return lines.map((line) => line + "\n").join("");
}
