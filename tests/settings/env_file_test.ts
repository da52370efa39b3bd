import assert from "node:assert/strict";
import { parseEnvFile } from "../../src/settings/env_file.ts";

Deno.test("a settings file is read as dotenv files are written", () => {
  const text = [
    "\ufeff# a comment",
    "A=1",
    " B = two words  # not this",
    "C='single # quoted'",
    'D="double \\"quoted\\"\\nline" # not this',
    "export E=e#e",
    "F=",
    "G=#nothing",
    'H="over',
    'several" ',
    "I=`back # ticked`\r",
    "J='never ended",
    "",
    "A=last wins",
  ].join("\n");
  assert.deepEqual(parseEnvFile(text), {
    values: {
      A: "last wins",
      B: "two words",
      C: "single # quoted",
      D: 'double "quoted"\nline',
      E: "e#e",
      F: "",
      G: "",
      H: "over\nseveral",
      I: "back # ticked",
      J: "'never ended",
    },
    unread: [],
  });
});

Deno.test("lines that assign nothing are told by number", () => {
  assert.deepEqual(parseEnvFile("A=1\nB: 2\n\nno line\n1A=1\n").unread, [2, 4, 5]);
});
