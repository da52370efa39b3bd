/**
 * What can be counted and measured, as families of values with names, for programs that ask for
 * numbers. Pure.
 */

import { Counter, type Counters, Histogram, type Meter } from "../meter.ts";
import type { Space } from "../ports/files.ts";
import type { StoreStats } from "../ports/store.ts";

/** How things are at this moment. */
export interface Figures {
  readonly sessions: number;
  readonly deliveries: number;
  readonly store: StoreStats;
  /** On the disk of the spool; absent: nobody can look at it. */
  readonly space?: Space;
  /** When the certificate ends, in milliseconds since 1970; absent: there is none. */
  readonly certificateEnds?: number;
  /** Octets that the process has in memory. */
  readonly memory: number;
  /** When the process began, in milliseconds since 1970. */
  readonly startedAt: number;
}

export interface Value {
  /** Where it is not that of the family. */
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly values: readonly Value[];
}

const STATES = ["queued", "held", "captured", "quarantined"] as const;

export function families(meter: Meter, figures: Figures): Family[] {
  return [...gauges(figures), ...meter.all().map(familyOf)];
}

/** As programs that know expvar read them: numbers by name, and by label within. */
export function asVariables(families: readonly Family[]): Record<string, unknown> {
  return Object.fromEntries(families.map((family) => [family.name, variableOf(family)]));
}

function variableOf({ name, type, values }: Family): unknown {
  if (type === "histogram") {
    const buckets = values.filter(({ metricName }) => metricName === `${name}_bucket`);
    const [sum, count] = values.slice(buckets.length).map(({ value }) => value);
    return { count, sum, upTo: buckets.map(({ labels: { le }, value }) => [le, value]) };
  }
  const isLabelled = Object.keys(values[0].labels).length > 0;
  if (!isLabelled) return values[0].value;
  return Object.fromEntries(values.map(({ labels, value }) => [Object.values(labels)[0], value]));
}

function gauges(
  { sessions, deliveries, store, space, certificateEnds, memory, startedAt }: Figures,
): Family[] {
  const found = [
    gauge("smtp_sessions_active", "Clients that are connected", sessions),
    gauge("smtp_queue_depth", "Recipients in the queue", store.queued),
    {
      ...gauge("smtp_recipients", "Recipients of messages that are kept, by state", 0),
      values: STATES.map((state) => ({ labels: { state }, value: store[state] })),
    },
    gauge("smtp_queue_oldest_seconds", "Age of the oldest message queued", store.age / 1000),
    gauge(
      "smtp_queue_overdue_seconds",
      "For how long what is due has not been taken up",
      store.overdue / 1000,
    ),
    gauge("smtp_deliveries_active", "Transactions with other servers", deliveries),
    gauge("smtp_journal_lag", "Messages that the tables are still to take", store.untaken),
    gauge("smtp_spool_names_lag", "Messages whose names are still to be written", store.lag),
    gauge("process_resident_memory_bytes", "Octets in memory", memory),
    gauge("process_start_time_seconds", "When it began, since 1970", startedAt / 1000),
  ];
  if (space !== undefined) {
    found.push(gauge("smtp_spool_free_bytes", "Free on the disk of the spool", space.free));
  }
  if (space?.files !== undefined) {
    const help = "Files that can still be made on the disk of the spool";
    found.push(gauge("smtp_spool_free_files", help, space.files));
  }
  if (certificateEnds !== undefined) {
    const name = "smtp_certificate_expiry_timestamp_seconds";
    found.push(gauge(name, "When the certificate ends, since 1970", certificateEnds / 1000));
  }
  return found;
}

function gauge(name: string, help: string, value: number): Family {
  return { name, help, type: "gauge", values: [{ labels: {}, value }] };
}

function familyOf(counted: Counter | Counters | Histogram): Family {
  const { name, help } = counted;
  if (counted instanceof Histogram) {
    return { name, help, type: "histogram", values: bucketsOf(counted) };
  }
  const values = counted instanceof Counter
    ? [{ labels: {}, value: counted.value }]
    : Object.entries(counted.values).map(([label, value]) => ({
      labels: { [counted.label]: label },
      value,
    }));
  return { name, help, type: "counter", values };
}

/** Each bucket counts those of the ones before it, too. */
function bucketsOf({ name, bounds, counts, sum }: Histogram): Value[] {
  let count = 0;
  const buckets = counts.map((more, i) => {
    count += more;
    const le = i < bounds.length ? String(bounds[i]) : "+Inf";
    return { metricName: `${name}_bucket`, labels: { le }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: {}, value: sum },
    { metricName: `${name}_count`, labels: {}, value: count },
  ];
}
