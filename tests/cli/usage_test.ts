/** The frame of the command line: options, operands, groups, and help on each. */

import assert from "node:assert/strict";
import { asksForHelp, readArguments } from "../../src/cli/arguments.ts";
import { action, UsageError } from "../../src/cli/command.ts";
import * as kind from "../../src/settings/kinds.ts";
import { dinopost, runToEnd } from "../fakes/daemon.ts";
import { environmentOf } from "../fakes/environment.ts";

const flag = { summary: "x" };
const valued = { summary: "x", value: "N", kind: kind.whole(0, 9) };
const some = action({
  name: "some",
  summary: "x",
  options: { json: flag, limit: valued },
  operands: { name: "ID", least: 1, most: 2 },
  run: () => 0,
});
const read = (...words: string[]) => readArguments(words, some, environmentOf({}));

Deno.test("options stand anywhere, with their value beside or in them; behind -- nothing is one", () => {
  const none = { json: false, limit: undefined };
  assert.deepEqual(read("a"), { options: none, operands: ["a"] });
  assert.deepEqual(read("a", "--limit", "0", "b", "--json"), {
    options: { json: true, limit: 0 },
    operands: ["a", "b"],
  });
  assert.deepEqual(read("--limit=7", "-"), { options: { ...none, limit: 7 }, operands: ["-"] });
  assert.deepEqual([asksForHelp(["a", "-h"]), asksForHelp(["a", "--", "--help"])], [true, false]);
  assert.deepEqual(read("--", "--json", "--"), { options: none, operands: ["--json", "--"] });
});

Deno.test("what is unknown, missing or too much is told", () => {
  for (
    const [words, problem] of [
      [["a", "--jso"], 'unknown option "--jso"'],
      [["a", "-j"], 'unknown option "-j"'],
      [["a", "--constructor"], 'unknown option "--constructor"'],
      [["a", "--=x"], 'unknown option "--=x"'],
      [["a", "--json=yes"], "--json takes no value"],
      [["a", "--limit"], "--limit: give a whole number from 0 to 9"],
      [["a", "--limit", "10"], '--limit: "10" is not accepted: give a whole number from 0 to 9'],
      [["a", "--limit", "1", "--limit=2"], "--limit is given twice"],
      [[], "ID is missing"],
      [["a", "b", "c"], '"c" is too much'],
      [["a", ""], "ID is empty"],
    ] as const
  ) assert.throws(() => read(...words), new UsageError(problem));
});

Deno.test("where no words are taken but options, others are told apart from unknown options", () => {
  const bare = action({ name: "bare", summary: "x", options: { json: flag }, run: () => 0 });
  const readBare = (...words: string[]) => readArguments(words, bare, environmentOf({}));
  const tooMuch = (word: string) => new UsageError(`"${word}" is too much: it takes no argument`);
  assert.throws(() => readBare("x", "--json"), tooMuch("x"));
  assert.throws(() => readBare("--", "--json"), tooMuch("--json"));
  assert.throws(() => readBare("-"), tooMuch("-"));
  assert.throws(() => readBare("-x"), new UsageError('unknown option "-x"'));
});

Deno.test("wrong usage ends with 64 and one line, which says where help is", async () => {
  const known = "list, show, retry, hold, release, drop, flush, count";
  const which = "give ids, --domain DOMAIN or --all, and just one of them";
  for (
    const [args, said] of [
      [["queue"], `dinopost queue: say what to do: ${known}: see dinopost help queue\n`],
      [["queue", "x"], 'dinopost queue: unknown command "x": see dinopost help queue\n'],
      [["queue", "show"], "dinopost queue show: ID is missing: see dinopost help queue\n"],
      [["queue", "drop"], `dinopost queue drop: ${which}: see dinopost help queue\n`],
      [["queue", "drop", "--all", "x"], `dinopost queue drop: ${which}: see dinopost help queue\n`],
      [
        ["queue", "flush", "x"],
        'dinopost queue flush: "x" is too much: it takes no argument: see dinopost help queue\n',
      ],
      [["backup"], "dinopost backup: FOLDER is missing: see dinopost help\n"],
      [["backup", "a", "b"], 'dinopost backup: "b" is too much: see dinopost help\n'],
      [["help", "x"], 'dinopost help: unknown command "x": see dinopost help\n'],
      [["x", "--help"], 'dinopost help: unknown command "x": see dinopost help\n'],
      [["help", "serve", "x"], 'dinopost help: "x" is too much: see dinopost help\n'],
    ] as const
  ) {
    const { code, stdout, stderr } = await runToEnd(dinopost(...args));
    assert.deepEqual([code, stdout, stderr], [64, "", said]);
  }
  const { code, stderr } = await runToEnd(dinopost("queue", "list", "--state", "lost"));
  assert.equal(code, 64);
  assert.match(stderr, /^dinopost queue list: --state: "lost" is not accepted: give states, .*\n$/);
});

Deno.test("help tells of a group, of one of it, and of a single command", async () => {
  const help = async (...args: string[]) => {
    const { code, stdout, stderr } = await runToEnd(dinopost(...args));
    assert.deepEqual([code, stderr], [0, ""]);
    return stdout;
  };
  const queue = await help("help", "queue");
  assert.equal(await help("queue", "--help"), queue);
  assert.match(queue, /^ {2}dinopost queue show \[--json\] \[--dev\] ID$/m);
  assert.match(queue, /^ {2}dinopost queue hold \[--all\] .* \[ID…\]$/m);
  assert.match(queue, /^ {2}flush +the same as retry --all$/m);
  assert.match(queue, /^ {2}--limit N +at most so many messages/m);
  const list = await help("help", "queue", "list");
  assert.equal(await help("queue", "list", "--json", "-h"), list);
  assert.match(list, /^usage:\n {2}dinopost queue list .* \[TEXT\]\n/);
  assert.doesNotMatch(list, /release/);
  assert.equal(await help("help", "serve"), await help("serve", "--help"));
  assert.match(await help("help", "backup"), /^usage:\n {2}dinopost backup \[--dev\] FOLDER\n/);
  assert.equal(await help("-h"), await help("help"));
  assert.match(await help("help"), /^ {2}queue {2}/m);
});
