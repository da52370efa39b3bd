/** An event is one line, whatever is in it, and says what was logged. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { AuditLine } from "../../src/audit.ts";
import { auditJson, auditText, type Event, jsonLine, textLine } from "../../src/logging/lines.ts";
import { assertTame, escaped, UNSAFE, withEscapes } from "../fakes/log_unsafe.ts";

const AT = Date.UTC(2026, 10, 20, 12, 34, 56, 789);
const TIME = "2026-11-20T12:34:56.789Z";

const event = (fields: Event["fields"], name = "something"): Event => ({
  level: "info",
  event: name,
  fields,
  at: AT,
});
const audit = (text: string): AuditLine => ({ at: AT, session: 7, side: "C", text });

/** As it comes out of the process, and is read by a program. */
const sent = (line: string) => new TextDecoder().decode(new TextEncoder().encode(line));

/** Each way in which something is written, with it in the place of a value. */
const WAYS: Record<string, (value: string) => string> = {
  "an event as JSON": (value) => jsonLine(event({ value })),
  "an event as text": (value) => textLine(event({ value }), { short: false }),
  "an event on a terminal": (value) => textLine(event({ value }), { short: true }),
  "the name of an event as JSON": (value) => jsonLine(event({}, value)),
  "the name of an event as text": (value) => textLine(event({}, value), { short: false }),
  "a line of a session as JSON": (value) => auditJson(audit(value)),
  "a line of a session as text": (value) => auditText(audit(value), { short: false }),
};

for (const [way, write] of Object.entries(WAYS)) {
  Deno.test(`${way} holds no character that moves a cursor or turns the writing`, () => {
    for (const character of UNSAFE) {
      const line = sent(write(`before${character}after`));
      assertTame(line);
      // It is not lost either.
      const known = `before(${JSON.stringify(character).slice(1, -1)}|${escaped(character)})after`;
      assert.match(line, new RegExp(known.replaceAll("\\", "\\\\+")));
    }
  });

  Deno.test(`${way} shows letters, marks and pictures as they are`, () => {
    for (const text of ["zoë", "δοκιμή", "例え", "שלום", "😀", "a‍b", "<b@example.net>", "{}[]%$"]) {
      assert.ok(sent(write(text)).includes(text), text);
    }
  });
}

/** Strings of which much is strange. */
const strange = fc.array(
  fc.oneof(
    fc.constantFrom(...UNSAFE),
    fc.constantFrom('"', "\\", "=", " ", "\\u001b", "\\n", "\ud800", "\udc00", "x=y", "'", "{"),
    fc.string({ unit: "binary", maxLength: 4 }),
    fc.string({ unit: "grapheme", maxLength: 4 }),
  ),
  { maxLength: 12 },
).map((parts) => parts.join(""));

const names = ["id", "session", "client", "what", "reply", "host"];
const fieldsOf = fc.dictionary(
  fc.constantFrom(...names),
  fc.oneof(strange, fc.integer(), fc.boolean(), fc.double(), fc.constant(undefined)),
);

Deno.test("JSON is what was logged, whatever that is", () => {
  fc.assert(fc.property(strange, fieldsOf, (name, fields) => {
    const line = jsonLine(event(fields, name));
    assertTame(sent(line));
    const wanted = JSON.parse(
      JSON.stringify({ time: TIME, level: "info", event: name, ...fields }),
    );
    assert.deepEqual(JSON.parse(sent(line)), wanted);
  }));
});

Deno.test("a line of a session as JSON is what was said", () => {
  const sides = fc.constantFrom("C" as const, "S" as const, "*" as const);
  fc.assert(fc.property(strange, sides, fc.nat(), (text, side, session) => {
    const line = auditJson({ at: AT, session, side, text });
    assertTame(sent(line));
    const wanted = { time: TIME, level: "info", event: "audit", session, side, text };
    assert.deepEqual(JSON.parse(sent(line)), wanted);
  }));
});

Deno.test("a line of a session as text begins with time, session and side, and is one", () => {
  fc.assert(fc.property(strange, fc.boolean(), (text, short) => {
    const line = auditText(audit(text), { short });
    assertTame(sent(line));
    assert.ok(line.startsWith(`${short ? TIME.slice(11) : TIME} 7 C: `));
  }));
});

/** Fields of a line of text, as a person or a program parts them: bare, or quoted as in JSON. */
function partsOf(line: string): [name: string, value: string][] {
  const part = / (\w+)=("(?:[^"\\]|\\.)*"|[^\s"=]+)/gy;
  part.lastIndex = `${TIME} something`.length;
  const parts: [string, string][] = [];
  while (part.lastIndex < line.length) {
    const at = part.lastIndex;
    const [, name, value] = part.exec(line) ?? assert.fail(`no field at ${at} of ${line}`);
    parts.push([name, value]);
  }
  return parts;
}

const wellFormed = strange.map((text) => text.toWellFormed());

Deno.test("no value is taken for another field of a line of text; quoted ones are as in JSON", () => {
  fc.assert(fc.property(fc.dictionary(fc.constantFrom(...names), wellFormed), (fields) => {
    const line = textLine(event(fields), { short: false });
    assertTame(sent(line));
    const parts = partsOf(sent(line));
    assert.deepEqual(parts.map(([name]) => name), Object.keys(fields));
    for (const [name, value] of parts) {
      if (value.startsWith('"')) assert.equal(JSON.parse(value), fields[name]);
      // A character that is escaped has no quotes around it only where nothing else is strange.
      else assert.equal(value, withEscapes(fields[name]));
    }
  }));
});

Deno.test("a field that is not known is not there; others are, also where they are empty", () => {
  const fields = {
    id: undefined,
    to: "",
    size: 0,
    tls: false,
    reply: "250 2.0.0 taken",
    host: "mx",
  };
  assert.equal(
    textLine(event(fields), { short: false }),
    `${TIME} something to="" size=0 tls=false reply="250 2.0.0 taken" host=mx`,
  );
  assert.equal(
    jsonLine(event(fields)),
    `{"time":"${TIME}","level":"info","event":"something","to":"","size":0,"tls":false,` +
      `"reply":"250 2.0.0 taken","host":"mx"}`,
  );
});

Deno.test("a time in a field is written as that in front", () => {
  const fields = { next: new Date(AT) };
  assert.equal(
    textLine(event(fields), { short: true }),
    `${TIME.slice(11)} something next=${TIME}`,
  );
  assert.equal(JSON.parse(jsonLine(event(fields))).next, TIME);
});

Deno.test("on a terminal the day is left out, and a level that is none to worry about", () => {
  const short = textLine(event({ id: "x" }), { short: true });
  assert.equal(short, `${TIME.slice(11)} something id=x`);
  for (const level of ["debug", "warning", "error"] as const) {
    const line = textLine({ ...event({ id: "x" }), level }, { short: false });
    assert.equal(line, `${TIME} ${level}: something id=x`);
  }
});

Deno.test("each event has its own time, however many there are", () => {
  const times = [AT, AT, AT + 1, AT, 0, 1].map((at) => {
    return JSON.parse(jsonLine({ ...event({}), at })).time;
  });
  assert.deepEqual(times, [AT, AT, AT + 1, AT, 0, 1].map((at) => new Date(at).toISOString()));
});
