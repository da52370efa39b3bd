/** Whether a spool, after all its daemons were killed, is what their clients were promised. */

import { DatabaseSync } from "node:sqlite";
import { clock } from "../../src/deno/clock.ts";
import { disk } from "../../src/deno/files.ts";
import type { Clock } from "../../src/ports.ts";
import { Layout } from "../../src/store/layout.ts";
import { STATES } from "../../src/store/rows.ts";
import { TRANSACTIONS } from "./daemon.ts";
import { StoreHere } from "./here.ts";
import { examine } from "./letter.ts";
import type { Acknowledged, Load } from "./load.ts";
import type { Receipt } from "./session.ts";

/** A minute of its time is some milliseconds of ours. */
const HASTE = 1000;
/** Ours: names of messages that are not written by then are found missing. */
const LONGEST = 30_000;
const hasty: Clock = {
  now: () => clock.now(),
  monotonic: () => clock.monotonic() * HASTE,
  timer: (delay, call) => clock.timer(delay / HASTE, call),
};

/** What the sink has, against what was acknowledged. */
export function judgeMail(
  { ledger, sums }: Pick<Load, "ledger" | "sums">,
  receipts: readonly Receipt[],
): { problems: string[]; repeated: ReadonlySet<Receipt> } {
  const problems: string[] = [];
  const received = new Map<string, Receipt[]>();
  for (const receipt of receipts) {
    const { key, sum, recipients } = receipt;
    if (key === undefined || sums.get(key) !== sum) problems.push(`${key} arrived damaged`);
    for (const recipient of recipients) {
      const place = `${key} ${recipient}`;
      received.set(place, [...received.get(place) ?? [], receipt]);
    }
  }
  for (const { key, recipients } of ledger) {
    for (const recipient of recipients) {
      const times = received.get(`${key} ${recipient}`) ?? [];
      // The daemon cannot have known that it was taken.
      if (times.every(({ killed }) => killed === "before 250")) {
        problems.push(`${key} was acknowledged, and is lost for ${recipient}`);
      }
    }
  }
  const repeated = new Map<number, Set<Receipt>>();
  for (const [place, times] of received) {
    for (const [i, receipt] of times.slice(0, -1).entries()) {
      const { run } = receipt;
      if (times[i + 1].run === run) problems.push(`${place} arrived twice from daemon ${run}`);
      repeated.set(run, (repeated.get(run) ?? new Set()).add(receipt));
    }
  }
  for (const [run, { size }] of repeated) {
    if (size > TRANSACTIONS) {
      problems.push(`daemon ${run}: ${size} transactions were repeated, of ${TRANSACTIONS}`);
    }
  }
  return { problems, repeated: new Set([...repeated.values()].flatMap((each) => [...each])) };
}

/** Ends what only time ends, and then looks at all there is. */
export async function judgeSpool(
  folder: string,
  { ledger, sums }: Pick<Load, "ledger" | "sums">,
): Promise<string[]> {
  const problems = await letGo(folder);
  const layout = new Layout(folder);
  const bodies = disk.files.names(layout.bodies);
  if (bodies.length > 0) problems.push(`bodies left behind: ${bodies.join()}`);
  const quarantined = disk.files.names(layout.quarantine);
  if (quarantined.length > 0) problems.push(`in quarantine: ${quarantined.join()}`);
  const database = new DatabaseSync(layout.database, { readOnly: true });
  try {
    problems.push(...judgeRows(database, ledger));
    problems.push(...judgeNames(database, layout, new Map(ledger.map((a) => [a.id, a.key])), sums));
  } finally {
    database.close();
  }
  return problems;
}

/** Bodies are kept until their names have had a minute to reach the disk. */
async function letGo(folder: string): Promise<string[]> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let last = Infinity;
  await using here = await StoreHere.open(folder, { viewed: true, clock: hasty }, {
    done(question) {
      if (question.kind !== "write") return;
      for (const operation of question.operations) {
        if (operation.kind === "named" && operation.until >= last) resolve();
      }
    },
  });
  const { store } = here;
  const { lag, accepted, generated, bounced, unbounced, ...states } = await store.stats();
  last = (await store.list({ limit: 1 }))[0]?.number ?? 0;
  const cancel = clock.timer(LONGEST, resolve);
  if (lag > 0) await promise;
  cancel();
  const problems = [...here.logged];
  const inAll = Object.values(states).reduce((sum, count) => sum + count, 0);
  if (accepted + generated !== inAll) {
    problems.push(`${accepted} accepted, ${generated} generated, but ${JSON.stringify(states)}`);
  }
  if (states.delivered !== inAll) problems.push(`not delivered: ${JSON.stringify(states)}`);
  if (bounced + unbounced !== states.failed) problems.push("the failed do not add up");
  return problems;
}

function judgeRows(database: DatabaseSync, ledger: readonly Acknowledged[]): string[] {
  const problems: string[] = [];
  const check = database.prepare("PRAGMA integrity_check").all();
  if (check.length !== 1 || check[0].integrity_check !== "ok") {
    problems.push(`the database is damaged: ${JSON.stringify(check)}`);
  }
  const tally = database.prepare("SELECT * FROM tally").get()!;
  const counted = database.prepare("SELECT count(*) AS n FROM recipient WHERE state = ?");
  for (const [state, name] of STATES.entries()) {
    const { n } = counted.get(state)!;
    if (n !== tally[name]) problems.push(`${n} recipients are ${name}, ${tally[name]} are counted`);
  }
  const owners = database.prepare("SELECT * FROM owner").all();
  if (owners.length > 0) problems.push(`clients with a queue: ${JSON.stringify(owners)}`);
  const recipients = database.prepare(
    "SELECT r.address FROM recipient r JOIN message m ON m.number = r.message WHERE m.id = ?",
  );
  for (const { id, key, recipients: wanted } of ledger) {
    const found = recipients.all(id).map(({ address }) => String(address));
    if (found.join() !== wanted.join()) {
      problems.push(`${key} was for ${wanted.join()}, and is for ${found.join() || "nobody"}`);
    }
  }
  return problems;
}

function judgeNames(
  database: DatabaseSync,
  layout: Layout,
  keys: ReadonlyMap<string, string>,
  sums: ReadonlyMap<string, string>,
): string[] {
  const problems: string[] = [];
  const wanted = new Set<string>();
  const addresses = database.prepare("SELECT address FROM recipient WHERE message = ?");
  for (const row of database.prepare("SELECT number, id, received_at FROM message").all()) {
    const id = String(row.id);
    const names = layout.names({
      id,
      receivedAt: Number(row.received_at),
      addresses: addresses.all(row.number).map(({ address }) => String(address)),
    }, disk.digest);
    for (const name of names) {
      wanted.add(name);
      if (disk.files.look(name)?.kind !== "file") {
        problems.push(`there is no ${name}`);
        continue;
      }
      const { key, sum } = examine(disk.files.read(name));
      if (key === undefined || sums.get(key) !== sum) problems.push(`${name} is damaged`);
      if (key !== (keys.get(id) ?? key)) problems.push(`${name} has the octets of ${key}`);
    }
  }
  for (const day of disk.files.names(layout.folder).filter((name) => /^\d{4}-/.test(name))) {
    for (const name of disk.files.names(`${layout.folder}/${day}`)) {
      const path = `${layout.folder}/${day}/${name}`;
      if (!wanted.has(path)) problems.push(`nobody wants ${path}`);
    }
  }
  return problems;
}
