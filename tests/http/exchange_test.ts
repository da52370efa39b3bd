/** One request and its response over a connection. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Answer, Exchange } from "../../src/http/exchange.ts";
import { Client } from "../fakes/client.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { answerIn, ask, requestFor } from "../fakes/http.ts";
import { ScriptedConnection } from "../fakes/http_connection.ts";
import { HttpRelay } from "../fakes/http_relay.ts";
import { TestSite } from "../fakes/http_site.ts";
import { settled } from "../fakes/settled.ts";

/** Says again what it was asked. */
const echo: Answer = async (request, address) => {
  const { pathname, search } = new URL(request.url);
  const said = [request.method, pathname + search, address, await request.text()];
  return new Response(said.join("|"));
};

/** All that a client hears that says this, and then nothing until it is cut; or ends, too. */
async function comesTo(
  pieces: readonly string[],
  { answer = echo, ends = false }: { answer?: Answer; ends?: boolean } = {},
): Promise<string> {
  const clock = new TurnedClock();
  const connection = new ScriptedConnection({ pieces, ends });
  let isOver = false;
  const run = new Exchange(connection, clock, answer).run();
  const over = () => isOver = true;
  run.then(over, over);
  while (!isOver) {
    await new Promise((resolve) => setTimeout(resolve));
    clock.turn(1_000);
  }
  await run;
  assert.equal(connection.closed, true);
  assert.equal(clock.timers, 0);
  return connection.written;
}

Deno.test("a request comes to the same wherever it is cut, and whatever comes behind it", async () => {
  const text = requestFor("/a?b=c", { method: "PUT", body: "some body" });
  const whole = await comesTo([text]);
  assert.equal(answerIn(whole).body, "PUT|/a?b=c|127.0.0.1|some body");
  const cuts = fc.array(fc.nat(text.length), { maxLength: 8 });
  const behind = fc.constantFrom("", "\r\n", "x", requestFor("/second"), "\0".repeat(3_000));
  await fc.assert(fc.asyncProperty(cuts, behind, async (cuts, behind) => {
    const ends = [0, ...cuts.toSorted((a, b) => a - b), text.length];
    const pieces = ends.slice(1).map((end, i) => text.slice(ends[i], end));
    pieces[pieces.length - 1] += behind;
    assert.equal(await comesTo(pieces, { ends: true }), whole);
  }));
  assert.equal(await comesTo([...text]), whole);
});

Deno.test("whoever makes no whole request hears nothing", async () => {
  const cut = requestFor("/", { method: "PUT", body: "body" }).slice(0, -1);
  for (const text of ["", "GET", requestFor("/").slice(0, -1), cut]) {
    for (const ends of [true, false]) assert.equal(await comesTo([text], { ends }), "");
  }
});

Deno.test("a head may have 16 KiB, and no octet more", async () => {
  const filled = (size: number) => {
    const rest = size - requestFor("/", { headers: { A: "" } }).length;
    return requestFor("/", { headers: { A: "x".repeat(rest) } });
  };
  assert.equal(answerIn(await comesTo([filled(16 * 1024)])).status, 200);
  assert.equal(answerIn(await comesTo([filled(16 * 1024 + 1)])).status, 431);
  assert.equal(answerIn(await comesTo(["x".repeat(100 * 1024)])).status, 431);
});

Deno.test("a body is asked for where the client waits to be, and only then", async () => {
  const text = requestFor("/", {
    method: "PUT",
    body: "body",
    headers: { Expect: "100-continue" },
  });
  const goOn = "HTTP/1.1 100 Continue\r\n\r\n";
  const head = text.slice(0, -4);
  const heard = await comesTo([head, "body"]);
  assert.ok(heard.startsWith(goOn));
  assert.equal(answerIn(heard.slice(goOn.length)).body, "PUT|/|127.0.0.1|body");
  assert.equal(answerIn(await comesTo([text])).status, 200);
});

Deno.test("what is there at once comes with its length, whatever it is made of", async () => {
  const answer: Answer = () => new Response(new Blob(["some ", "body"]).stream());
  const { headers, body } = answerIn(await comesTo([requestFor("/")], { answer }));
  assert.deepEqual([headers.get("content-length"), body], ["9", "some body"]);
  assert.equal(headers.get("transfer-encoding"), null);
});

Deno.test("what comes bit by bit comes in chunks, but not to a client of HTTP/1.0", async () => {
  const parts = ["some ", "bo", "dy"].map((part) => new TextEncoder().encode(part));
  const answer: Answer = () => {
    const rest = [...parts];
    return new Response(
      new ReadableStream<Uint8Array>({
        async pull(controller) {
          await settled();
          const part = rest.shift();
          if (part === undefined) controller.close();
          else controller.enqueue(part);
        },
      }, { highWaterMark: 0 }),
    );
  };
  const chunked = answerIn(await comesTo([requestFor("/")], { answer }));
  assert.deepEqual([chunked.headers.get("transfer-encoding"), chunked.body], [
    "chunked",
    "some body",
  ]);
  const plain = answerIn(await comesTo([requestFor("/", { minor: 0 })], { answer }));
  assert.deepEqual([plain.headers.get("transfer-encoding"), plain.body], [null, "some body"]);
  for (const { headers } of [chunked, plain]) assert.equal(headers.get("connection"), "close");
});

Deno.test("a response tells when it was made (RFC 9110 §6.6.1)", async () => {
  for (const target of ["/livez", "/x", "*"]) {
    const { headers } = answerIn(await comesTo([requestFor(target)]));
    assert.equal(new Date(headers.get("date") ?? "").getTime(), new TurnedClock().now(), target);
  }
});

Deno.test("HEAD has no body, and no length that its GET has not (RFC 9110 §8.6)", async () => {
  const site = new TestSite();
  const answer: Answer = ({ url, method }) => site.ask(new URL(url).pathname, { method });
  for (const path of ["/livez", "/metrics", "/x"]) {
    const get = answerIn(await comesTo([requestFor(path)], { answer }));
    const head = answerIn(await comesTo([requestFor(path, { method: "HEAD" })], { answer }));
    assert.deepEqual([head.status, head.text.split("\r\n\r\n")[1]], [get.status, ""]);
    const length = head.headers.get("content-length");
    assert.ok(length === null || Number(length) === get.body.length, `${path}: ${length}`);
  }
});

Deno.test("S30 what nobody reads of a response is given up", async () => {
  let given = 0;
  const answer: Answer = () => new Response(new ReadableStream({ cancel: () => void given++ }));
  await comesTo(["HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n"], { answer, ends: true });
  assert.equal(given, 1);
});

Deno.test("what every method comes to is a response", async () => {
  for (const method of ["GET", "OPTIONS", "PATCH", "TRACE", "TRACK", "CONNECT", "X"]) {
    assert.ok(answerIn(await comesTo([requestFor("/livez", { method })])).status >= 200, method);
  }
});

Deno.test("a fault of ours closes the connection, and is told to whoever runs it", async () => {
  const clock = new TurnedClock();
  const connection = new ScriptedConnection({ pieces: [requestFor("/")] });
  const exchange = new Exchange(connection, clock, () => Promise.reject(new Error("canary")));
  await assert.rejects(exchange.run(), /canary/);
  assert.equal(connection.closed, true);
  assert.equal(clock.timers, 0);
});

// Before the first octet, in the head, and in the body of the response.
for (const room of [0, 1, 100, 400]) {
  Deno.test(`S30 a reader that has gone after ${room} octets leaves its place`, async () => {
    const site = new TestSite();
    site.audit.turn(true, { content: false });
    for (let i = 0; i < 20; i++) {
      const connection = new ScriptedConnection({ pieces: [requestFor("/healthz")], room });
      const answer: Answer = () => site.ask("/healthz");
      const run = new Exchange(connection, site.clock, answer).run();
      let isOver = false;
      const over = () => isOver = true;
      run.then(over, over);
      while (!isOver) {
        site.audit.line(1, "C", "x".repeat(100));
        await new Promise((resolve) => setTimeout(resolve));
        site.clock.turn(25);
      }
    }
    // One more finds a place.
    const { body } = await site.ask("/healthz");
    const reader = body!.getReader();
    await reader.read();
    const next = reader.read();
    site.audit.turn(false, { content: false });
    await new Promise((resolve) => setTimeout(resolve));
    site.clock.turn(25);
    assert.equal(new TextDecoder().decode((await next).value), "(audit log off)\n");
    await reader.read();
    assert.equal(site.clock.timers, 0);
  });
}

Deno.test("a client that has closed its side has the whole of its response", async () => {
  await using relay = await HttpRelay.start();
  for (const target of ["/livez", "/metrics", "/metrics/prometheus", "/readyz"]) {
    using client = await Client.connect(relay.httpPort);
    await client.send(requestFor(target));
    await client.closeWrite();
    const answered = answerIn(await client.rest());
    assert.equal(answered.status, 200, target);
    assert.match(answered.body, /\n$/, target);
  }
});

Deno.test("a client that does not close is closed a second after its response", async () => {
  await using relay = await HttpRelay.start();
  const { timers } = relay.clock;
  using client = await Client.connect(relay.httpPort);
  await client.send(requestFor("/livez") + requestFor("/second"));
  let heard = "";
  while (!heard.endsWith("OK\n")) heard += await client.some();
  assert.equal(answerIn(heard).status, 200);
  // What else it sends is nothing to us.
  await client.send("x".repeat(10_000));
  await settled();
  assert.equal(relay.clock.timers, timers + 1);
  relay.clock.turn(1_000);
  while (relay.clock.timers > timers) await settled();
});

Deno.test("a request answered is a connection that ends, from both sides", async () => {
  await using relay = await HttpRelay.start();
  const { timers } = relay.clock;
  for (let i = 0; i < 50; i++) assert.equal((await ask(relay.httpPort, "/livez")).body, "OK\n");
  while (relay.clock.timers > timers) await settled();
  assert.deepEqual(relay.logged.filter(({ level }) => level !== "info"), []);
});
