/** Defences of the HTTP frame: who may ask, what is counted, who is slow, who reads along. */

import { fault, type Mutant } from "./mutant.ts";

/** Of one row, in one file, missed by the same tests. */
const of =
  (row: string, file: string, tests: readonly string[]) =>
  (what: string, find: string, put = ""): Mutant => ({
    row,
    what,
    file: `src/${file}`,
    find,
    put,
    tests,
  });

const test = (name: string) => [`tests/http/${name}_test.ts`];
const FOREIGN = fault("H2_foreign");
const LABELS = fault("H3_labels");
const SLOW = fault("H4_slow_clients");
const MANY = fault("H4_many_clients");

const guard = of("H2", "http/guard.ts", FOREIGN);
const request = of("H2", "http/request.ts", FOREIGN);
const head = of("H2", "http/request.ts", test("request"));
const slow = of("H4", "http/exchange.ts", SLOW);
const exchange = of("H4", "http/exchange.ts", test("exchange"));
const many = of("H4", "http/server.ts", MANY);
const server = of("S4", "http/server.ts", test("server"));
const pages = (row: string) => of(row, "http/pages.ts", test("pages"));
const stream = of("S30", "http/audit_stream.ts", test("audit_stream"));
const health = of("B23", "health.ts", test("health"));

export const http: readonly Mutant[] = [
  guard("any name leads here", "if (!this.#isOurs(host)) {", "if (host === undefined) {"),
  guard("any name that ends so is localhost", `endsWith(".localhost")`, `endsWith("localhost")`),
  guard("the names that were set are not known", " || this.#hosts.has(host);", ";"),
  guard("pages of other sites may ask", "origin !== null && origin", "origin === null && host"),
  guard(
    "what browsers say of the site is not heard",
    "return !isOwn && !isLink;",
    "return false;",
  ),
  of("H2", "http/guard.ts", test("guard"))(
    "a frame is a link",
    ` &&\n    headers.get("sec-fetch-dest") === "document"`,
  ),
  guard("another port of this machine is the same site", `=== "same-origin"`, `!== "cross-site"`),
  guard(
    "a wrong token is as good as none",
    `{ status: 401, why: "the token is wrong" }`,
    "{ trusted: false }",
  ),
  guard(
    "whoever comes through a proxy is this machine",
    " && !FORWARDED.some((name) => headers.has(name))",
  ),
  guard("a token that goes on is right", "a.length ^ b.length", "0"),
  of("H2", "http/guard.ts", test("guard"))(
    "where there is no token an empty one is right",
    "this.#token !== undefined && isSame(given, this.#token)",
    `isSame(given, this.#token ?? "")`,
  ),
  of("H2", "http/guard.ts", test("guard"))("everybody is this machine", "isLoopback(address) && "),
  request("paths may be read as others", " || TRICKS.test(path)"),
  request("a target may be anything", "!TARGET.test(target) || "),
  head("there may be two tokens, and two origins", "(authorization|origin)$/i", "(x)$/i"),
  head("a request is made of any method", "NOT_SERVED.has(method)", "NOT_SERVED.has(line)"),
  head(
    "octets are more than characters",
    "String.fromCharCode(...octets.subarray(0, -4))",
    `new TextDecoder("latin1").decode(octets.subarray(0, -4))`,
  ),
  head("a host may be anything", "!AUTHORITY.test(host) || "),
  head("a value may hold control characters", " || !VALUE.test(value)"),
  head(
    "a space may stand before the colon",
    "const name = field.slice(0, Math.max(colon, 0));",
    "const name = field.slice(0, Math.max(colon, 0)).trim();",
  ),
  head(
    "chunks are taken for no body",
    `  if (headers.has("transfer-encoding")) return { status: 411, why: "a length is wanted" };\n`,
  ),
  head("a body may be of any size", "length <= MOST_BODY ? length :", "length >= 0 ? length :"),
  head(
    "any two line ends end a head",
    "if (octets[i - 2] === LF && octets[i - 3] === CR)",
    "if (octets[i - 2] === LF)",
  ),

  of("H3", "queue/telling.ts", LABELS)(
    "attempts are counted by domain",
    "meter.attempts.count(kind, alike.length);",
    "meter.attempts.count(claim.domain as typeof kind, alike.length);",
  ),
  of("H3", "inbound/visit.ts", LABELS)(
    "logins are counted by user",
    `"user" in answer ? "accepted" : "refused"`,
    `"user" in answer ? answer.user as "accepted" : "refused"`,
  ),
  of("H3", "smtp/session.ts", LABELS)(
    "commands are counted by what was said",
    `this.#observer?.command("other");`,
    `this.#observer?.command((line as unknown as { text: "other" }).text);`,
  ),

  slow("a head has any time", "    this.#within(HEAD);\n"),
  slow(
    "each octet gives a head more time",
    "const got = await this.#read(buffer.subarray(length));",
    "const got = await this.#read(buffer.subarray(length));\n      this.#within(HEAD);",
  ),
  slow(
    "each octet gives a body more time",
    "const got = await this.#read(body.subarray(at));",
    "const got = await this.#read(body.subarray(at));\n      this.#within(BODY);",
  ),
  slow("a body has any time", "    this.#within(BODY);\n", "    this.#deadline.set(Infinity);\n"),
  slow("a response has any time", "        if (timed) this.#within(PIECE);\n"),
  slow("a head has no limit", "length < MOST_HEAD;", "length <= MOST_HEAD;"),
  of("H4", "http/request.ts", SLOW)(
    "a head may have any number of fields",
    "fields.length > MOST_FIELDS",
    "fields.length < 0",
  ),
  exchange(
    "what HEAD does not read keeps its place",
    "        await response.body?.cancel().catch(() => {});\n",
  ),
  exchange(
    "to HEAD a length is told that GET has not",
    `head?.method === "HEAD") return await this.#send(headOf(response, [date]));`,
    `head?.method === "HEAD") {
      return await this.#send(headOf(response, [date, "content-length: 1"]));
    }`,
  ),
  exchange("no response tells when it was made", "const date = `date: ", "const date = `x-date: "),
  exchange("a client may stay behind its response", "    this.#within(LINGER);\n"),
  exchange("a deadline goes on behind its request", "      this.#deadline.clear();\n"),
  exchange("a client of HTTP/1.0 is sent chunks", "head?.isHttp10 === false", "true"),
  exchange(
    "what comes behind a body is part of it",
    "this.#unread.subarray(0, length)",
    "this.#unread",
  ),
  exchange(
    "nobody is told to go on",
    "if (first.length < length && /^100",
    "if (first.length > length && /^100",
  ),
  many("one address may have every place", " || ofOne >= MOST_OF_ONE"),
  many("there are places for all", "this.#exchanges.size >= MOST || "),
  many("places do not come back", "\n      .finally(() => this.#exchanges.delete(exchange))"),
  of("H4", "listening/acceptor.ts", MANY)(
    "a failure of accept ends the loop",
    "      if (isOver()) return;\n",
    "      return;\n",
  ),

  server(
    "an address in use ends the daemon",
    "if (!(error instanceof ListenError)) throw error;",
    "throw error;",
  ),
  server("each time it is told again", "if (pause === FIRST_PAUSE) {", "{"),
  server("it is not tried again", "this.#cancel = clock.timer(pause, () => this.start(next));"),
  server("it is tried as often as at first", "Math.min(pause * 2, LONGEST_PAUSE)", "pause"),
  server("it is tried on when the daemon stops", "    this.#cancel?.();\n"),
  of("S4", "relay.ts", test("server"))(
    "SMTP_HEALTH_PORT is not looked at",
    "healthPort ?? port!",
    "port!",
  ),
  server(
    "readers keep the daemon from its end",
    "    for (const exchange of this.#exchanges.keys()) exchange.close();\n",
  ),

  pages("S30")("everybody reads along", "!context.var.trusted || ", ""),
  pages("S30")("a HEAD goes on as well", ` ||\n      context.req.method === "HEAD"`),
  pages("S30")("there are places for all readers", " || readers >= MOST_READERS"),
  pages("S30")("places of readers do not come back", "() => readers--", "() => {}"),
  pages("S30")(
    "everybody switches the audit log",
    "if (context.var.trusted) return await next();",
    "return await next();",
  ),
  pages("S30")(
    "anything switches the audit log",
    `typeof wish?.on !== "boolean"`,
    "wish?.on === undefined",
  ),
  pages("B23")(
    "what is wrong is told to all",
    "context.var.trusted ? checks : ",
    "context.var ? checks : ",
  ),
  pages("B23")("a relay that fails is ready", "ready ? 200 : 503", "200"),
  pages("B23")("a warning is a failure", `state !== "failing"`, `state === "ok"`),
  of("B23", "http/pages.ts", test("metrics"))(
    "Prometheus gets JSON",
    "if (wantsText(",
    "if (!wantsText",
  ),
  of("B23", "http/pages.ts", test("metrics"))(
    "whoever takes JSON gets text",
    " &&\n    !/\\bapplication\\/json\\b/i.test(accept)",
  ),
  stream(
    "what waits for a reader has no bound",
    "this.#waiting.length > ROOM",
    "this.#waiting.length < 0",
  ),
  stream(
    "nobody is told what was lost",
    "if (this.#lost > 0) this.#waiting +=",
    "if (this.#lost < 0) this.#waiting +=",
  ),
  stream(
    "what was lost is not counted",
    "lostAuditLines.value += this.#lost",
    "lostAuditLines.value += 0",
  ),
  stream("a reader that leaves is given lines for ever", "    this.#leave();\n"),
  stream("a reader that leaves keeps its place", "    cancel: () => follower.close(),\n"),
  stream("a place is given back twice", "    if (this.#closed) return;\n"),
  of("S30", "http/audit_stream.ts", test("audit_log"))(
    "readers go on when it is off",
    `this.#end("(audit log off)\\n")`,
    "undefined",
  ),
  of("S30", "http/audit_stream.ts", test("pages"))(
    "a silent reader is forgotten",
    `return "\\n";`,
    "return await this.next();",
  ),
  of("S30", "http/exchange.ts", test("audit_log"))(
    "nobody sees a reader go",
    "this.#untilEnd().then(() => reader.cancel()).catch(() => {});",
  ),
  health(
    "the store is not asked to write",
    "faultOf(await this.#inTime(this.#parts.store.probe()))",
    "undefined",
  ),
  health("a store that hangs is waited for", "Promise.race([work, promise])", "work"),
  health("a queue that rests stands", "Math.min(overdue, still)", "still"),
  health("a queue that is slow stands", "Math.min(overdue, still)", "overdue"),
  health("no room is well", "want && `${want}: mail is refused`", "undefined"),
  health("whoever asks often costs a write each time", "REMEMBERED = 1_000", "REMEMBERED = 0"),
  of("B23", "store/sqlite.ts", test("readyz"))(
    "whether the store can write is not tried",
    `await this.#batches.put(() => ({ kind: "probe" }));`,
  ),
  of("B23", "cli/running.ts", test("readyz"))(
    "settings that were not taken are forgotten",
    `      this.#relay.settingsTrouble = error.problems.join("; ");\n`,
  ),
  of("B23", "cli/running.ts", test("readyz"))(
    "settings that are read at last are doubted on",
    "      this.#relay.settingsTrouble = undefined;\n",
  ),
  of("B23", "http/figures.ts", test("figures"))(
    "a bucket has only its own",
    "count += more;",
    "count = more;",
  ),
  of("B23", "meter.ts", test("figures"))(
    "a value at a bound is beyond it",
    "value > this.bounds[i]",
    "value >= this.bounds[i]",
  ),
  of("H4", "deno/thread.ts", MANY)(
    "no descriptors are kept for a thread that comes later",
    "kept.length < RESERVED",
    "kept.length < 0",
  ),
];
