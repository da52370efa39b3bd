/**
 * The log of the daemon, on standard error. A standard error that is full or closed costs lines,
 * never time.
 */

import { createHash } from "node:crypto";
import type { Log } from "../ports.ts";
import type { AuditReader } from "../audit.ts";
import { auditJson, auditText, type Event } from "../logging/lines.ts";
import * as logging from "../logging/logger.ts";
import { redact } from "../logging/redaction.ts";
import { stderr } from "./output.ts";

/** Of a hash as hexadecimal digits: those that names in the spool have, too. */
const DIGITS = 16;

/** `auto`: text on a terminal, else JSON. */
export type LogRules = Omit<logging.LogRules, "format"> & {
  readonly format: "auto" | logging.LogRules["format"];
};

const output: logging.LogOutput = {
  isTerminal: stderr.isTerminal,
  line: (text) => stderr.line(text),
  hash: (text) => createHash("sha256").update(text).digest("hex").slice(0, DIGITS),
};

let rules: logging.LogRules = { format: "text", level: "info", redact: false };
let isReady = false;

/** How the log is written from now on. */
export function logAs({ format, ...rest }: LogRules): void {
  rules = { ...rest, format: format === "auto" ? (stderr.isTerminal ? "text" : "json") : format };
  logging.configureLog(rules, output);
  stderr.lostLine = (lost) => logging.lineOf(rules, output)(lostEvent(lost));
  isReady = true;
}

const lostEvent = (lines: number): Event => ({
  level: "warning",
  event: "lines of the log are lost",
  fields: { lines },
  at: Date.now(),
});

/** Whether people are to read it. */
export const isText = (): boolean => rules.format === "text";

export const log: Log = (level, event, fields) => {
  // A program that has this embedded may have said where the log goes.
  if (!isReady && !logging.isConfigured()) logAs(rules);
  isReady = true;
  logging.log(level, event, fields);
};

/** Puts the audit log among the events. They are many: they take the short way. */
export const auditInLog: AuditReader = {
  line(line) {
    const shown = rules.redact ? { ...line, text: redact(line.text, output.hash) } : line;
    stderr.line(
      rules.format === "json" ? auditJson(shown) : auditText(shown, { short: stderr.isTerminal }),
    );
  },
};
