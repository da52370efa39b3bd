/**
 * `dinopost queue count`: what came, counted in recipients, and where it is. It must add up, and
 * be there.
 */

import { write } from "../../deno/report.ts";
import type { Tally } from "../../ports/store.ts";
import type { Looks } from "../../store/look.ts";
import { isQueued, STATES } from "../../store/rows.ts";
import { action, CommandError } from "../command.ts";
import { jsonLine } from "../json.ts";
import { dev, json } from "../options.ts";
import { withSpool } from "../spool.ts";
import * as status from "../status.ts";
import { counted } from "../words.ts";

export const queueCount = action({
  name: "count",
  summary: "counts the recipients that came and where they are; ends with 1 if it does not add up",
  options: { json, dev },
  run({ json, dev }) {
    return withSpool(dev, async ({ database, looks }) => {
      // Mail comes and goes meanwhile.
      database.exec("BEGIN");
      const tally = looks.tally();
      const problem = imbalance(tally) ?? difference(tally, looks.counted());
      database.exec("ROLLBACK");
      const lines = table(tally).map((line) => line + "\n").join("");
      await write(json ? jsonLine({ ...tally, holds: problem === undefined }) : lines);
      if (problem !== undefined) throw new CommandError(`the sum does not hold: ${problem}`);
      return status.OK;
    });
  },
});

const came = ({ accepted, generated }: Tally): number => accepted + generated;

const found = (tally: Tally): number => STATES.reduce((sum, state) => sum + tally[state], 0);

function imbalance(tally: Tally): string | undefined {
  const { failed, bounced, unbounced } = tally;
  if (came(tally) !== found(tally)) return `${came(tally)} came, ${found(tally)} are somewhere`;
  if (failed === bounced + unbounced) return undefined;
  return `${failed} failed, ${bounced + unbounced} of them are bounced or not to be`;
}

/** Of what is in the queue every row is there; of all else as many as were not removed in time. */
function difference(
  tally: Tally,
  { states, alone }: ReturnType<Looks["counted"]>,
): string | undefined {
  for (const state of STATES) {
    const isQueue = isQueued(state);
    if (isQueue ? states[state] === tally[state] : states[state] <= tally[state]) continue;
    return `${tally[state]} are said to be ${state}, ${states[state]} are there`;
  }
  return alone === 0 ? undefined : `there is no message of ${counted(alone, "recipient")}`;
}

function table(tally: Tally): string[] {
  const told = `${tally.bounced} bounced, ${tally.unbounced} not to be`;
  const rows: (readonly [string, number, string?])[] = [
    ["accepted", tally.accepted],
    ["generated", tally.generated, "bounces and notices"],
    ["came", came(tally)],
    ["delivered", tally.delivered],
    ["failed", tally.failed, told],
    ["queued", tally.queued],
    ["held", tally.held],
    ["captured", tally.captured],
    ["dropped", tally.dropped],
    ["quarantined", tally.quarantined],
    ["found", found(tally)],
  ];
  const width = Math.max(...rows.map(([, n]) => String(n).length));
  return rows.flatMap(([name, n, about]) => {
    const line = `${name.padEnd(12)} ${String(n).padStart(width)}`;
    const isSum = name === "came" || name === "found";
    const rule = `${" ".repeat(13)}${"-".repeat(width)}`;
    return [...(isSum ? [rule] : []), about === undefined ? line : `${line}  ${about}`];
  });
}

/** What is still there, in a line. */
export function tallyLine({ queued, held, quarantined, captured }: Tally): string {
  const apart = captured === 0 ? "" : `; ${captured} captured: see dinopost messages list`;
  return `recipients: ${queued} queued, ${held} held, ${quarantined} quarantined${apart}`;
}
