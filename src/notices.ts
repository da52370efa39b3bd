/** Tells senders what became of their mail, by messages that go the way of all mail. */

import { entryOf, type Sign } from "./intake.ts";
import { bounceOf, type ReportKind } from "./mail/bounce.ts";
import { CHANCE, newId, timeOf } from "./mail/id.ts";
import type { World } from "./ports.ts";
import type { Notices } from "./queue/dispatcher.ts";

/** One message for all failures of an attempt, one for all delays. */
export function notices(
  hostname: string,
  { clock, random, log, meter }: Pick<World, "clock" | "random" | "log" | "meter">,
  sign: Sign,
): Notices {
  return async ({ id: about, sender }, { failures, delays, relayed, until }, content) => {
    const { mailbox } = sender;
    if (mailbox === null) return [];
    // What cannot be read any more is told of all the same.
    const original = await content().catch(() => undefined);
    const reports = { failed: failures, delayed: delays, relayed };
    const wanted = Object.entries(reports).filter(([, { length }]) => length > 0);
    return await Promise.all(wanted.map(async ([kind, told]) => {
      const chance = new Uint8Array(CHANCE);
      random.fill(chance);
      const now = clock.now();
      const id = newId(now, chance);
      const reporter = { hostname, id, now };
      const report = {
        kind: kind as ReportKind,
        about: told,
        sender: { ...sender, mailbox },
        arrivedAt: timeOf(about),
        until: kind === "delayed" ? until : undefined,
        original,
      };
      meter.notices.count(kind as ReportKind);
      meter.queued.value++;
      log("info", "sender is told", { id, about, kind, recipients: told.length });
      const bounce = bounceOf(report, reporter);
      try {
        return await entryOf(bounce, reporter, sign);
      } catch (error) {
        // Better told without a signature than not at all.
        log("error", "message not signed", { id, error: String(error) });
        return await entryOf(bounce, reporter, () => Promise.resolve(""));
      }
    }));
  };
}
