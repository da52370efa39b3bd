/** SMTP_LOG_LEVEL and SMTP_LOG_REDACT; and where the log goes when a program has Dinopost in it. */

import { configureSync, type LogRecord, resetSync } from "@logtape/logtape";
import assert from "node:assert/strict";
import * as daemon from "../../src/deno/log.ts";
import { configureLog, isConfigured, log, type LogRules } from "../../src/logging/logger.ts";

const LEVELS = ["debug", "info", "warning", "error"] as const;
const RULES: LogRules = { format: "json", level: "info", redact: false };

/** The lines of what is logged meanwhile. */
function linesFor(rules: LogRules, work: () => void, isTerminal = false): string[] {
  const lines: string[] = [];
  configureLog(rules, {
    isTerminal,
    line: (text) => lines.push(text),
    hash: (text) => `hash(${text})`,
  });
  try {
    work();
  } finally {
    resetSync();
  }
  return lines;
}

const eventsOf = (lines: readonly string[]) => lines.map((line) => JSON.parse(line).event);

Deno.test("what nobody reads is not made", () => {
  const made: string[] = [];
  const fields = (id: string) => () => {
    made.push(id);
    return { id };
  };
  const lines = linesFor(RULES, () => {
    log("debug", "unread", fields("x"));
    log("info", "read", fields("y"));
  });
  assert.deepEqual(made, ["y"]);
  assert.deepEqual(lines.map((line) => JSON.parse(line).id), ["y"]);
});

for (const [least, level] of LEVELS.entries()) {
  Deno.test(`SMTP_LOG_LEVEL ${level}: what is less is not logged`, () => {
    const lines = linesFor({ ...RULES, level }, () => {
      for (const each of LEVELS) log(each, `of ${each}`, { id: "x" });
    });
    assert.deepEqual(eventsOf(lines), LEVELS.slice(least).map((each) => `of ${each}`));
    for (const line of lines) {
      const { level, event, id } = JSON.parse(line);
      assert.deepEqual({ event, id }, { event: `of ${level}`, id: "x" });
    }
  });
}

Deno.test("the level, the form and the hashes are as they were said last", () => {
  const lines: string[] = [];
  const output = {
    isTerminal: false,
    line: (text: string) => lines.push(text),
    hash: () => "hash",
  };
  try {
    for (const level of ["error", "debug", "warning"] as const) {
      configureLog({ ...RULES, level }, output);
      for (const each of LEVELS) log(each, `of ${each}`);
    }
    assert.deepEqual(
      eventsOf(lines.splice(0)),
      ["of error", ...LEVELS.map((each) => `of ${each}`), "of warning", "of error"],
    );
    for (const redact of [false, true, false]) {
      configureLog({ ...RULES, redact }, output);
      log("info", "event", { to: "<b@example.net>" });
    }
    const shown = lines.splice(0).map((line) => JSON.parse(line).to);
    assert.deepEqual(shown, ["<b@example.net>", "<hash@example.net>", "<b@example.net>"]);
    for (const format of ["text", "json"] as const) {
      configureLog({ ...RULES, format }, output);
      log("info", "event", { to: "x" });
    }
    assert.match(lines[0], /^\S+Z event to=x$/);
    assert.match(lines[1], /^\{.*"event":"event","to":"x"\}$/);
  } finally {
    resetSync();
  }
});

Deno.test("SMTP_LOG_REDACT: in each field, whatever its name, and in nothing else", () => {
  const fields = {
    id: "01j",
    from: "<A@Example.com>",
    to: "<b@example.net>",
    reply: "550 5.1.1 b@example.net: no, but c@example.net",
    size: 7,
    tls: false,
    user: undefined,
  };
  const [line] = linesFor({ ...RULES, redact: true }, () => log("info", "event", fields));
  const { time: _, ...rest } = JSON.parse(line);
  assert.deepEqual(rest, {
    level: "info",
    event: "event",
    id: "01j",
    from: "<hash(a@example.com)@Example.com>",
    to: "<hash(b@example.net)@example.net>",
    reply: "550 5.1.1 hash(b@example.net)@example.net: no, but hash(c@example.net)@example.net",
    size: 7,
    tls: false,
  });
  // What was logged is still the caller's.
  assert.equal(fields.from, "<A@Example.com>");
});

Deno.test("SMTP_LOG_REDACT: in text as well", () => {
  const rules: LogRules = { format: "text", level: "info", redact: true };
  const work = () => log("info", "event", { to: "<b@example.net>" });
  const [line] = linesFor(rules, work, true);
  assert.match(line, /^\d\d:\d\d:\d\d\.\d{3}Z event to=<hash\(b@example\.net\)@example\.net>$/);
});

Deno.test("nothing that is logged can throw, or is taken for a template", () => {
  const lines = linesFor(RULES, () => {
    log("info", "{braces} and %s");
    log("info", "", { "{x}": "{y}", "": "", x: NaN, y: Infinity });
  });
  assert.deepEqual(eventsOf(lines), ["{braces} and %s", ""]);
  assert.equal(JSON.parse(lines[1])["{x}"], "{y}");
});

Deno.test("a program that has Dinopost in it says where its log goes, in LogTape's way", () => {
  const records: LogRecord[] = [];
  assert.equal(isConfigured(), false);
  configureSync({
    sinks: { records: (record) => records.push(record) },
    loggers: [
      { category: "dinopost", sinks: ["records"], lowestLevel: "warning" },
      { category: ["logtape", "meta"], sinks: [] },
    ],
  });
  try {
    assert.equal(isConfigured(), true);
    for (const level of LEVELS) daemon.log(level, `of ${level}`, { id: "x" });
    const seen = records.map(({ category, level, rawMessage, properties }) => ({
      category,
      level,
      rawMessage,
      properties,
    }));
    assert.deepEqual(
      seen,
      ["warning", "error"].map((level) => ({
        category: ["dinopost"],
        level,
        rawMessage: `of ${level}`,
        properties: { id: "x" },
      })),
    );
  } finally {
    resetSync();
  }
});
