/**
 * What is counted while mail flows.
 *
 * Promises: to count is to add to a number, so that it costs no mail any time; and there are as
 * many series as are written here, whatever clients and servers say: no label comes from outside.
 */

export class Counter {
  value = 0;

  constructor(readonly name: string, readonly help: string) {}
}

/** One sum for each of the labels that there are. */
export class Counters<Label extends string = string> {
  readonly values: Record<Label, number>;

  constructor(
    readonly name: string,
    readonly help: string,
    readonly label: string,
    labels: readonly Label[],
  ) {
    this.values = Object.fromEntries(labels.map((label) => [label, 0])) as Record<Label, number>;
  }

  count(label: Label, times = 1): void {
    this.values[label] += times;
  }
}

/** How many values there were up to each of some bounds, and their sum. */
export class Histogram {
  /** The last one is of those beyond all bounds. */
  readonly counts: number[];
  sum = 0;

  constructor(readonly name: string, readonly help: string, readonly bounds: readonly number[]) {
    this.counts = new Array(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let i = 0;
    while (i < this.bounds.length && value > this.bounds[i]) i++;
    this.counts[i]++;
    this.sum += value;
  }
}

/** Seconds: of what a machine does at once, and of what waits for others. */
const SHORT = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const LONG = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400, 432_000];

// deno-fmt-ignore: in the order of a session
const COMMANDS = [
  "HELO", "EHLO", "STARTTLS", "AUTH", "XCLIENT", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP",
  "HELP", "VRFY", "QUIT",
  // A client may say anything.
  "other",
] as const;

const CLASSES = ["2xx", "3xx", "4xx", "5xx"] as const;

/** The names in which they are told are an interface. */
export class Meter {
  readonly sessions = new Counter("smtp_sessions_total", "Clients that connected");
  readonly commands = new Counters(
    "smtp_commands_total",
    "Commands of clients",
    "command",
    COMMANDS,
  );
  readonly replies = new Counters("smtp_replies_total", "Replies to clients", "class", CLASSES);
  readonly received = new Counter("smtp_received_bytes_total", "Octets from clients, under TLS");
  readonly sent = new Counter("smtp_sent_bytes_total", "Octets to clients, under TLS");
  readonly handshakes = new Counters(
    "smtp_tls_handshakes_total",
    "TLS handshakes with clients, by what came of them",
    "version",
    ["TLSv1.2", "TLSv1.3", "failed"],
  );
  readonly logins = new Counters("smtp_logins_total", "Logins of clients", "result", [
    "accepted",
    "refused",
  ]);
  readonly queued = new Counter(
    "smtp_messages_queued_total",
    "Messages that were taken: those of clients, bounces and notices",
  );
  readonly notices = new Counters(
    "smtp_notices_total",
    "Messages to senders about what became of theirs",
    "about",
    ["failed", "delayed", "relayed"],
  );
  readonly signatures = new Counters(
    "smtp_dkim_messages_total",
    "Messages that were to be signed, by what came of it",
    "result",
    ["signed", "signed before", "no key", "failed"],
  );
  readonly commits = new Histogram(
    "smtp_store_commit_seconds",
    "Until a message was on stable storage",
    SHORT,
  );
  readonly delivered = new Counter(
    "smtp_messages_delivered_total",
    "Recipients to whom a message was delivered",
  );
  readonly failures = new Counter(
    "smtp_delivery_failures_total",
    "Recipients to whom a message could not be delivered, and will not be",
  );
  readonly attempts = new Counters(
    "smtp_delivery_attempts_total",
    "Attempts to deliver to a recipient, by what came of them",
    "outcome",
    ["delivered", "deferred", "failed", "held"],
  );
  readonly deliveries = new Histogram(
    "smtp_delivery_seconds",
    "From when a message was taken until a recipient had it",
    LONG,
  );
  readonly transactions = new Histogram(
    "smtp_delivery_attempt_seconds",
    "How long attempts took, whatever came of them",
    LONG,
  );
  readonly connections = new Counters(
    "smtp_delivery_connections_total",
    "Connections to other servers, by how they are protected",
    "tls",
    ["verified", "unverified", "none", "failed"],
  );
  readonly lookups = new Counters(
    "smtp_dns_lookups_total",
    "Questions of delivery to DNS, by the answer",
    "answer",
    ["found", "none", "nonexistent", "unknown"],
  );
  readonly lookupTimes = new Histogram(
    "smtp_dns_lookup_seconds",
    "Until DNS had answered a question of delivery",
    SHORT,
  );
  readonly lostAuditLines = new Counter(
    "smtp_audit_lines_lost_total",
    "Lines of the audit log that readers were too slow for",
  );

  reply(code: number): void {
    // The first digit is 2 to 5 (RFC 5321 §4.2.1).
    this.replies.count(CLASSES[Math.floor(code / 100) - 2]);
  }

  /** All of them, in the order in which they stand here. */
  all(): (Counter | Counters | Histogram)[] {
    return Object.values(this);
  }
}
