/** The table of messages, in the columns of a terminal. */

import assert from "node:assert/strict";
import { width } from "../../src/cli/columns.ts";
import { messageLines } from "../../src/cli/rows.ts";
import type { MessageRow, RecipientRow } from "../../src/ports/store.ts";

const recipient = (address: string, lastError?: string): RecipientRow => ({
  address,
  state: "queued",
  attempts: 1,
  nextAttempt: 720_000,
  underway: false,
  lastError,
});

function lines(changes: Partial<MessageRow>, columns?: number): string[] {
  const message: MessageRow = {
    number: 1,
    id: "01hmx2p4aa0123456789",
    receivedAt: 0,
    sender: "alice@example.com",
    subject: "",
    size: 17,
    recipients: [],
    ...changes,
  };
  return messageLines(message, { now: 0, columns, subject: true, wanted: () => true });
}

const STANDING = "queued, 1 attempt, next in 12m";

Deno.test("B13 what became of recipients stands in one column, however they are written", () => {
  const [, , ...shown] = lines({
    recipients: ["bob@example.net", "太郎@例え.jp", "e\u0301@x"].map((address) =>
      recipient(address)
    ),
  });
  assert.deepEqual(shown, [
    `  bob@example.net                 ${STANDING}`,
    `  太郎@例え.jp                    ${STANDING}`,
    `  e\u0301@x                             ${STANDING}`,
  ]);
  assert.deepEqual(shown.map((line) => width(line)), [64, 64, 64]);
});

Deno.test("B13 no line is wider than the terminal, and what became of a recipient is seen", () => {
  const long = "長".repeat(200);
  const message = {
    sender: `${long}@example.com`,
    subject: long,
    recipients: [recipient(`${long}@example.net`, `550 ${long}`)],
  };
  for (const columns of [64, 80, 81]) {
    const shown = lines(message, columns);
    for (const line of shown) {
      assert.ok(width(line) <= columns && width(line) >= columns - 1, line);
    }
    assert.equal(shown.length, 4);
    assert.match(shown[2], new RegExp(`^  長+… {2,3}${STANDING}$`));
  }
  for (const line of lines(message, 40)) assert.ok(width(line) <= 40, line);
  assert.ok(lines(message)[2].includes(`${long}@example.net  ${STANDING}`));
});

Deno.test("H7 an address that would look like another is seen to be none of it", () => {
  const [first, subject, shown] = lines({
    sender: "al\u200bice@example.com",
    subject: "a\u00adb",
    recipients: [recipient("bob\u2060@example.net")],
  });
  assert.match(first, / {2}al\\u200bice@example\.com$/);
  assert.equal(subject, "  subject: a\\u00adb");
  assert.match(shown, /^ {2}bob\\u2060@example\.net /);
});
