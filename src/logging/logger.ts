/**
 * The log: events through LogTape, to wherever a program that embeds Dinopost has it lead, or to
 * the lines that the daemon writes.
 *
 * Promises: to log never throws and never waits.
 */

import { configureSync, getConfig, getLogger, type LogRecord } from "@logtape/logtape";
import { fieldsOf, type Log, type LogFields, type LogLevel } from "../ports.ts";
import { type Event, jsonLine, textLine } from "./lines.ts";
import { redact } from "./redaction.ts";

export interface LogRules {
  readonly format: "json" | "text";
  /** What is less is not logged. */
  readonly level: LogLevel;
  /** Hashes in the place of addresses. */
  readonly redact: boolean;
}

/** Where lines go. */
export interface LogOutput {
  readonly isTerminal: boolean;
  line(text: string): void;
  hash(text: string): string;
}

const CATEGORY = "dinopost";
const logger = getLogger(CATEGORY);

const category = [CATEGORY];
const LEVELS: readonly LogLevel[] = ["debug", "info", "warning", "error"];

/** As we configured it ourselves: nobody else hears of events, and they take the short way. */
let own:
  | { readonly config: unknown; readonly lowest: number; write(event: Event): void }
  | undefined;

export const log: Log = (level, event, fields = {}) => {
  if (own !== undefined && own.config === getConfig()) {
    if (LEVELS.indexOf(level) < own.lowest) return;
    return own.write({ level, event, fields: fieldsOf(fields), at: Date.now() });
  }
  // A record that has its category already is passed on as it is.
  const record: LogRecord = {
    category,
    level,
    message: [event],
    rawMessage: event,
    timestamp: Date.now(),
    properties: fieldsOf(fields),
  };
  logger.emit(record);
};

/** Has the log written as lines from now on. */
export function configureLog(rules: LogRules, output: LogOutput): void {
  const asLine = lineOf(rules, output);
  const write = (event: Event) => output.line(asLine(event));
  configureSync({
    reset: true,
    sinks: {
      lines: ({ level, rawMessage, properties, timestamp }: LogRecord) =>
        write({
          level: level as LogLevel,
          event: String(rawMessage),
          fields: properties as LogFields,
          at: timestamp,
        }),
    },
    loggers: [
      { category: CATEGORY, sinks: ["lines"], lowestLevel: rules.level },
      { category: ["logtape", "meta"], sinks: [] },
    ],
  });
  own = { config: getConfig(), lowest: LEVELS.indexOf(rules.level), write };
}

/** Whether the program, or another that has it embedded, has said where the log goes. */
export const isConfigured = (): boolean => getConfig() !== null;

/** How an event becomes a line. */
export function lineOf(
  { format, redact: redacts }: LogRules,
  { isTerminal, hash }: LogOutput,
): (event: Event) => string {
  const line = format === "json"
    ? jsonLine
    : (event: Event) => textLine(event, { short: isTerminal });
  if (!redacts) return line;
  return (event) => line({ ...event, fields: withoutAddresses(event.fields, hash) });
}

function withoutAddresses(fields: LogFields, hash: (text: string) => string): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === "string" ? redact(value, hash) : value,
    ]),
  );
}
